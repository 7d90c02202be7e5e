"""The crops of selected candidates: read image by image, with the rows and the masks that go with them."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.datasets import SegmentationDataset
from oodretrieval.errors import ImageError, StoreError
from oodretrieval.execution import progress, return_freed_memory
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.masks import RunLengthMask, encode_mask
from oodretrieval.segments import crop, enlarge_box
from oodretrieval.stages.select.settings import EmbedSettings
from oodretrieval.stores import stored_prediction
from oodretrieval.stores.boxes import SIDES, segment_boxes, with_crop_boxes

MasksOf = Callable[[str, Sequence[int]], Sequence[RunLengthMask | None]]
"""Image id and candidates' numbers → their masks."""
SAME = ["dataset", "image_id", "segment_id", "class", "S", *SIDES]
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
    components = stored_prediction(work.workspace, work.names, image_id).components()
    return [encode_mask(components == number) for number in segment_ids]


def among(rows: pd.DataFrame, others: pd.DataFrame) -> NDArray[np.bool_]:
    """Which rows are segments that other rows hold too.

    Args:
        rows: Candidates, ``n``.
        others: Candidates.

    Returns:
        ``(n,)``.
    """
    if rows.empty or others.empty:
        return np.zeros(len(rows), np.bool_)
    found = pd.MultiIndex.from_frame(rows[SAME]).isin(pd.MultiIndex.from_frame(others[SAME]))
    return np.asarray(found, np.bool_)


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

    def read(self, indices: list[int], bar: progress) -> Iterator[NDArray[np.uint8]]:
        """The crops of the candidates of some images, in their order.

        Args:
            indices: Of the images in the dataset.
            bar: Moves on with each candidate.

        Yields:
            ``(h, w, 3)``.
        """
        for index in indices:
            return_freed_memory()
            image_id = self.dataset.ids[index]
            rows = self.by_image[image_id]
            try:
                sample = self.dataset[index]
                masks = self._masks_of(image_id, rows["segment_id"].tolist())
            except (ImageError, StoreError) as error:
                self._failures[image_id] = str(error)
                bar.update(len(rows))
                continue
            height, width = sample.image.shape[:2]
            smallest = self.settings.min_crop_height, self.settings.min_crop_width
            boxes = [enlarge_box(box, *smallest, height, width) for box in segment_boxes(rows)]
            self._rows.append(with_crop_boxes(rows.assign(image_path=sample.path), boxes))
            self._masks += masks
            for box in boxes:
                yield crop(sample.image, box)
                bar.update()

    def take(self) -> tuple[pd.DataFrame, list[RunLengthMask | None], dict[str, str]]:
        """What was read since the last time: rows, their masks, and image id → reason of what failed."""
        rows = pd.concat(self._rows, ignore_index=True) if self._rows else pd.DataFrame()
        taken = rows, self._masks, self._failures
        self._clear()
        return taken
