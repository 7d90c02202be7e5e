"""The boxes that rows of segment tables and catalogues hold."""

from collections.abc import Sequence

import pandas as pd

from oodretrieval.segments import Box

SIDES = [*Box._fields]
"""Columns of the box of a segment."""


def row_boxes(rows: pd.DataFrame) -> list[Box]:
    """The boxes of segments, row by row.

    Args:
        rows: Of a segment table or a catalogue.

    Returns:
        ``n`` boxes.
    """
    return _boxes(rows, "")


def crop_boxes(rows: pd.DataFrame) -> list[Box]:
    """The boxes of the crops that were embedded, row by row.

    Args:
        rows: Of a catalogue.

    Returns:
        ``n`` boxes.
    """
    return _boxes(rows, "crop_")


def with_crop_boxes(rows: pd.DataFrame, boxes: Sequence[Box]) -> pd.DataFrame:
    """Rows of a catalogue that note the boxes of their crops.

    Args:
        rows: Of a segment table, ``n``.
        boxes: Of their crops, ``n``.

    Returns:
        A table with four columns more.
    """
    return rows.assign(**{f"crop_{side}": [getattr(box, side) for box in boxes] for side in SIDES})


def _boxes(rows: pd.DataFrame, prefix: str) -> list[Box]:
    return [Box(*row) for row in rows[[f"{prefix}{side}" for side in SIDES]].to_numpy(int).tolist()]
