"""The crops of selected candidates: read image by image, with the rows and the masks that go with them."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.datasets import Sample, SegmentationDataset
from oodretrieval.embedding import ImageCandidates
from oodretrieval.errors import ImageError, StoreError
from oodretrieval.execution import map_ahead, progress, return_freed_memory
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.masks import RunLengthMask, encode_mask
from oodretrieval.segments import enlarge_box
from oodretrieval.stages.select.settings import EmbedSettings
from oodretrieval.stores.boxes import SIDES, row_boxes, with_crop_boxes

MasksOf = Callable[[str, Sequence[int]], Sequence[RunLengthMask | None]]
"""Image id and candidates' numbers → their masks."""
OF_IMAGE = ["dataset", "image_id"]
SAME = [*OF_IMAGE, "segment_id", "class", "S", *SIDES]
"""Columns in which a segment is the one that it was."""


def segment_masks(work: StoredWork, image_id: str, segment_ids: Sequence[int]) -> list[RunLengthMask | None]:
    """The masks of predicted segments of an image; None where the prediction has gone.

    Args:
        work: Of which network on which dataset.
        image_id: Id of the image.
        segment_ids: Of the segments.

    Returns:
        A mask for each.
    """
    if not work.workspace.prediction_path(work.names, image_id).is_file():
        return [None] * len(segment_ids)
    components = work.prediction(image_id).components()
    return [encode_mask(components == number) for number in segment_ids]


def among(rows: pd.DataFrame, others: pd.DataFrame, columns: list[str] = SAME) -> NDArray[np.bool_]:
    """Which rows are segments that other rows hold too.

    Args:
        rows: Candidates, ``n``.
        others: Candidates.
        columns: What the same rows have in common; by default all that makes a segment the same.

    Returns:
        ``(n,)``.
    """
    if rows.empty or others.empty:
        return np.zeros(len(rows), np.bool_)
    found = pd.MultiIndex.from_frame(rows[columns]).isin(pd.MultiIndex.from_frame(others[columns]))
    return np.asarray(found, np.bool_)


def with_values(rows: pd.DataFrame, others: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Rows with the values that other rows of the same segments have.

    Args:
        rows: Candidates, ``n``.
        others: Candidates.
        columns: Whose values are taken, where both have them.

    Returns:
        The rows; those of segments that ``others`` lacks as they were.
    """
    places = pd.MultiIndex.from_frame(others[SAME]).get_indexer(pd.MultiIndex.from_frame(rows[SAME]))
    found = places >= 0
    changed = {}
    for name in columns:
        if name in rows.columns and name in others.columns:
            values = rows[name].to_numpy().copy()
            values[found] = others[name].to_numpy()[places[found]]
            changed[name] = values
    return rows.assign(**changed)


class Crops:
    """Reads images, yields the crops of their candidates, and collects rows and masks in the same order.

    Args:
        dataset: Where images are read.
        selected: Rows of the candidates.
        masks_of: What knows their masks.
        settings: Smallest sizes of crops.
    """

    def __init__(
        self, dataset: SegmentationDataset, selected: pd.DataFrame, masks_of: MasksOf, settings: EmbedSettings
    ) -> None:
        self.dataset, self.settings = dataset, settings
        self._selected, self._masks_of = selected, masks_of
        self.by_image: dict[str, pd.DataFrame] = {}
        self.leave_out(selected.iloc[:0])
        self._clear()

    def _clear(self) -> None:
        self._rows: list[pd.DataFrame] = []
        self._masks: list[RunLengthMask | None] = []
        self._failures: dict[str, str] = {}

    def leave_out(self, rows: pd.DataFrame) -> None:
        """Read only what is not among some rows.

        Args:
            rows: Of a catalogue.
        """
        self._selected = self._selected[~among(self._selected, rows)]
        self.by_image = {str(image): rows for image, rows in self._selected.groupby("image_id", sort=False)}

    @property
    def left(self) -> int:
        """Candidates to read."""
        return len(self._selected)

    def read(self, indices: list[int], bar: progress) -> Iterator[ImageCandidates]:
        """The candidates of some images; while those of one are embedded, the next is read.

        Args:
            indices: Of the images in the dataset.
            bar: Moves on with each candidate.

        Yields:
            Of each image that can be read.
        """
        with ThreadPoolExecutor(1) as thread:
            for image_id, found in map_ahead(self._read, indices, thread, ahead=2):
                return_freed_memory()
                rows = self.by_image[image_id]
                if isinstance(found, str):
                    self._failures[image_id] = found
                else:
                    yield self._noted(rows, *found)
                bar.update(len(rows))

    def _read(self, index: int) -> tuple[str, tuple[Sample, Sequence[RunLengthMask | None]] | str]:
        """Id of an image, and what was read of it or why it could not be."""
        image_id = self.dataset.ids[index]
        try:
            sample = self.dataset[index]
            return image_id, (
                sample,
                self._masks_of(image_id, self.by_image[image_id]["segment_id"].tolist()),
            )
        except (ImageError, StoreError) as error:
            return image_id, str(error)

    def _noted(
        self, rows: pd.DataFrame, sample: Sample, masks: Sequence[RunLengthMask | None]
    ) -> ImageCandidates:
        """The candidates of an image; their rows and masks are kept for :meth:`take`."""
        height, width = sample.image.shape[:2]
        smallest = self.settings.min_crop_height, self.settings.min_crop_width
        boxes = [enlarge_box(box, *smallest, height, width) for box in row_boxes(rows)]
        self._rows.append(with_crop_boxes(rows.assign(image_path=sample.path), boxes))
        self._masks += masks
        return ImageCandidates(sample.image, boxes, masks)

    def take(self) -> tuple[pd.DataFrame, list[RunLengthMask | None], dict[str, str]]:
        """What was read since the last time: rows, their masks, and image id → reason of what failed."""
        rows = pd.concat(self._rows, ignore_index=True) if self._rows else pd.DataFrame()
        taken = rows, self._masks, self._failures
        self._clear()
        return taken
