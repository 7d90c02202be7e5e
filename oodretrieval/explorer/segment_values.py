"""One number for each segment of an image, and how to show it."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from oodretrieval.stores import PREDICTED_IOU


@dataclass(frozen=True)
class SegmentValues:
    """What is known of the segments of an image.

    Attributes:
        name: What the values are.
        of_segment: Segment id → value.
        limits: Lowest and highest value that differ in colour.
        high_is_unknown: Whether high values, not low ones, look unknown.
    """

    name: str
    of_segment: Mapping[int, float]
    limits: tuple[float, float] = (0.0, 1.0)
    high_is_unknown: bool = False

    @classmethod
    def of(cls, table: pd.DataFrame, image: tuple[str, ...], column: str, name: str) -> "SegmentValues":
        """The values of one image.

        Args:
            table: Segments with ``dataset``, ``image_id`` and ``segment_id``.
            image: Dataset and id of the image.
            column: Of the table; one that it lacks is known of no segment.
            name: What to call it, unless it is the predicted IoU.

        Returns:
            The values, with the limits that show most of them; none for an image without segments in the table.
        """
        values = table[column].astype(float) if column in table.columns else pd.Series(np.nan, table.index)
        here = (table["dataset"] == image[0]) & (table["image_id"] == image[1])
        of_segment = dict(zip(table["segment_id"][here].astype(int), values[here], strict=True))
        if column == PREDICTED_IOU:
            return cls("predicted IoU", of_segment)
        finite = values[np.isfinite(values)]
        low, high = np.quantile(finite, (0.01, 0.99)) if len(finite) else (0.0, 1.0)
        return cls(name, of_segment, (float(low), float(high)), high_is_unknown=True)
