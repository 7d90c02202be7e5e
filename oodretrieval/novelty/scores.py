"""Scores of a segment that its table holds: the mean of a pixel score over it, higher where more unknown."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.errors import TableError, UnknownNameError


class Score(NamedTuple):
    """Column of a score.

    Attributes:
        column: Column of the segment table.
        sign: 1 where the column grows with how unknown a segment is, -1 where it shrinks.
        from_logits: Whether the column is only there where logits were.
    """

    column: str
    sign: int
    from_logits: bool


SCORES = {
    "variation_ratio": Score("V", 1, from_logits=False),
    "entropy": Score("E", 1, from_logits=False),
    "max_logit": Score("max_logit", -1, from_logits=True),
    "energy": Score("energy", -1, from_logits=True),
}
"""Name → where the score stands. The sign of ``energy`` is that of ``-logsumexp``."""


def missing_columns(table: pd.DataFrame, name: str) -> list[str]:
    """Columns that a score needs and the table lacks.

    Args:
        table: Segment table.
        name: Of the score.

    Returns:
        Their names; empty where nothing is missing.

    Raises:
        UnknownNameError: If there is no such score.
    """
    if name not in SCORES:
        raise UnknownNameError("score", name, SCORES)
    return [column for column in (SCORES[name].column,) if column not in table.columns]


def dispersion_score(table: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """One of :data:`SCORES` for every segment.

    Args:
        table: Segment table, ``n`` rows.
        name: Name of the score.

    Returns:
        ``(n,)``, higher where more unknown.

    Raises:
        UnknownNameError: If there is no such score.
        TableError: If its column is missing.

    Example:
        >>> dispersion_score(pd.DataFrame({"energy": [9.0, 4.0]}), "energy").tolist()
        [-9.0, -4.0]
    """
    missing = missing_columns(table, name)
    if missing:
        reason = (
            "it is computed where logits are kept: run pred_images with args.keep=logits and compute_metrics"
            if SCORES[name].from_logits
            else "make it again with compute_metrics"
        )
        raise TableError(f"the score {name!r} needs the column {missing[0]!r} of the segment table; {reason}")
    return SCORES[name].sign * table[SCORES[name].column].to_numpy(np.float64)
