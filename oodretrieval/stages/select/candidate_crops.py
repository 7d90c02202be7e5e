"""The crops of the selected candidates: read image by image, with their rows and masks in the same order."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.datasets import SegmentationDataset
from oodretrieval.errors import ImageError, StoreError
from oodretrieval.execution import progress, return_freed_memory
from oodretrieval.masks import RunLengthMask, encode_mask
from oodretrieval.segments import Box, crop, enlarge_box
from oodretrieval.stages.select.settings import EmbedSettings
from oodretrieval.stores import Workspace, read_prediction

MasksOf = Callable[[str, Sequence[int]], Sequence[RunLengthMask | None]]
"""Image id and candidates' numbers → their masks."""
SAME = ["dataset", "image_id", "segment_id", "class", "S", *Box._fields]
"""Columns in which a segment is the one that it was."""


class CandidateCrops:
    """Reads images, yields the crops of their candidates, and collects rows and masks in the same order.

    Args:
        dataset: Where images are read.
        selected: The candidates, with ``image_id``, ``segment_id`` and box.
        masks_of: What knows their masks.
        settings: How large crops are at least.

    Attributes:
        by_image: Image id → its candidates that are to be read.
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
            rows: Candidates that are there already.
        """
        self._selected = self._selected[~among(self._selected, rows)]
        self.by_image = {str(image): rows for image, rows in self._selected.groupby("image_id", sort=False)}

    @property
    def left(self) -> int:
        """Candidates to read."""
        return len(self._selected)

    def read(self, indices: list[int], bar: progress) -> Iterator[NDArray[np.uint8]]:
        """The crops of the candidates of images.

        Args:
            indices: Places of the images in the dataset.
            bar: Counts candidates.

        Yields:
            ``(h, w, 3)``; those of images that cannot be read are left out and noted.
        """
        for index in indices:
            return_freed_memory()
            image_id = self.dataset.ids[index]
            rows = self.by_image[image_id].copy()
            try:
                sample = self.dataset[index]
                masks = self._masks_of(image_id, rows["segment_id"].tolist())
            except (ImageError, StoreError) as error:
                self._failures[image_id] = str(error)
                bar.update(len(rows))
                continue
            height, width = sample.image.shape[:2]
            smallest = self.settings.min_crop_height, self.settings.min_crop_width
            boxes = [enlarge_box(box, *smallest, height, width) for box in segment_boxes_of(rows)]
            rows["image_path"] = sample.path
            for side in Box._fields:
                rows[f"crop_{side}"] = [getattr(box, side) for box in boxes]
            self._rows.append(rows)
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


def among(rows: pd.DataFrame, others: pd.DataFrame) -> NDArray[np.bool_]:
    """Which rows are candidates that others hold, too: the same in all of :data:`SAME`.

    Args:
        rows: ``n`` rows.
        others: Any rows.

    Returns:
        ``(n,)``.
    """
    if rows.empty or others.empty:
        return np.zeros(len(rows), np.bool_)
    found = pd.MultiIndex.from_frame(rows[SAME]).isin(pd.MultiIndex.from_frame(others[SAME]))
    return np.asarray(found, np.bool_)


def segment_masks(
    workspace: Workspace, names: tuple[str, str], image_id: str, segment_ids: Sequence[int]
) -> list[RunLengthMask | None]:
    """The masks of predicted segments of an image; None where the prediction has gone.

    Args:
        workspace: Where predictions lie.
        names: Name of the segmentation network, name of the dataset.
        image_id: Id of the image.
        segment_ids: Of the segments.

    Returns:
        A mask for each.
    """
    if not workspace.prediction_path(*names, image_id).is_file():
        return [None] * len(segment_ids)
    components = read_prediction(workspace, *names, image_id).components()
    return [encode_mask(components == number) for number in segment_ids]


def segment_boxes_of(table: pd.DataFrame) -> list[Box]:
    """The boxes of the candidates of a ``table``, row by row."""
    return [Box(*row) for row in table[list(Box._fields)].to_numpy(int).tolist()]


def crop_boxes(table: pd.DataFrame) -> list[Box]:
    """The boxes of the crops that were embedded, row by row of a catalogue's ``table``."""
    return [Box(*row) for row in table[[f"crop_{side}" for side in Box._fields]].to_numpy(int).tolist()]
