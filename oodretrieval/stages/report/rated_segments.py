"""How a meta model rates the segments of a dataset, whose table is read block by block: few numbers of each stay."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.meta_models import MetaModel, num_classes_of
from oodretrieval.stores import PREDICTED_IOU, CurrentSegments


@dataclass(frozen=True, eq=False)
class RatedSegments:
    """What stays in memory of segments: a byte of each, and some 16 more of each that is large.

    Attributes:
        current: Where their rows are.
        segments: Their number.
        images: Number of the images that they are of.
        classes: Classes of the network.
        is_large: Which of all rows are large, ``(segments,)``.
        large: Predicted and true IoU of those, one row each; None without a meta model.
    """

    current: CurrentSegments
    segments: int
    images: int
    classes: int
    is_large: NDArray[np.bool_]
    large: pd.DataFrame | None

    @classmethod
    def of(cls, current: CurrentSegments, model: MetaModel | None, min_pixels: int) -> "RatedSegments":
        """Rate the segments.

        Args:
            current: Where their rows are.
            model: What predicts their IoU; None where there is none.
            min_pixels: Pixels of a large segment, at least.

        Returns:
            What stays of them.

        Raises:
            StoreError: If a part of the table is damaged.
            TableError: If the model needs columns that the table lacks.
        """
        is_large: list[NDArray[np.bool_]] = []
        large: list[pd.DataFrame] = []
        images = classes = 0
        for table in current.tables():
            is_large.append(table["S"].to_numpy() >= min_pixels)
            images += table["image_id"].nunique()
            classes = num_classes_of(table)
            if model is not None:
                rows = table[is_large[-1]].reset_index(drop=True)
                predicted = model.predict(rows) if len(rows) else np.zeros(0)
                large.append(pd.DataFrame({PREDICTED_IOU: predicted, "iou": rows["iou"]}))
        which = np.concatenate(is_large)
        rated = pd.concat(large, ignore_index=True) if large else None
        return cls(current, len(which), images, classes, which, rated)

    def read(self, places: NDArray[np.integer]) -> pd.DataFrame:
        """Whole rows of some large segments.

        Args:
            places: Which of :attr:`large`; in any order, and more than once.

        Returns:
            The columns of the segment table and the predicted IoU, each row once; its index is its place.

        Raises:
            StoreError: If the table changed since.
        """
        assert self.large is not None  # there are places
        once = np.unique(places)
        chosen = np.zeros(len(self.is_large), np.bool_)
        chosen[np.flatnonzero(self.is_large)[once]] = True
        rows = self.current.rows(chosen).set_index(pd.Index(once))
        return rows.assign(**{PREDICTED_IOU: self.large[PREDICTED_IOU].to_numpy()[once]})
