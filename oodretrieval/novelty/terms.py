"""Terms of the novelty that a segment has in its image, from whole images of the segment table."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.errors import TableError
from oodretrieval.novelty.scores import dispersion_score


def energy_less_image(table: pd.DataFrame) -> NDArray[np.float64]:
    """Energy of every segment less the mean of its image's segments, weighted by the root of their areas.

    Args:
        table: Segment table, ``n`` rows, whole images of it.

    Returns:
        ``(n,)``, in the unit of the logits, higher where more unknown.

    Raises:
        TableError: If columns are missing.

    Example:
        >>> table = pd.DataFrame({"image_id": ["a", "a"], "S": [100.0, 100.0], "energy": [9.0, 4.0]})
        >>> energy_less_image(table).tolist()
        [-2.5, 2.5]
    """
    energy = dispersion_score(table, "energy")
    weight = np.sqrt(needed_columns(table, "image_id", "S")["S"].to_numpy(np.float64))
    sums = pd.DataFrame({"energy": weight * energy, "weight": weight}, table.index)
    sums = sums.groupby(table["image_id"], sort=False).transform("sum")
    less: NDArray[np.float64] = energy - (sums["energy"] / sums["weight"]).to_numpy()
    return less


def log_thickness(table: pd.DataFrame) -> NDArray[np.float64]:
    """``ln`` of area over length of the boundary, over the root of the image's area.

    So a segment has the same thickness at any resolution. The image's area is the sum over its segments.

    Args:
        table: Segment table, ``n`` rows, whole images of it.

    Returns:
        ``(n,)``, unitless.

    Raises:
        TableError: If columns are missing.

    Example:
        >>> table = pd.DataFrame({"image_id": ["a", "a"], "S": [60.0, 40.0], "S_rel": [4.0, 2.0]})
        >>> log_thickness(table).round(3).tolist()
        [-0.916, -1.609]
    """
    areas = (
        needed_columns(table, "image_id", "S", "S_rel").groupby("image_id", sort=False)["S"].transform("sum")
    )
    thickness: NDArray[np.float64] = np.log(table["S_rel"].to_numpy(np.float64)) - 0.5 * np.log(
        areas.to_numpy(np.float64)
    )
    return thickness


def needed_columns(table: pd.DataFrame, *names: str) -> pd.DataFrame:
    """A segment table that has some columns, at least.

    Args:
        table: Segment table.
        *names: Of the columns.

    Returns:
        The table.

    Raises:
        TableError: If columns are missing.
    """
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise TableError(
            f"novelty needs {', '.join(missing)} of the segment table; make it again with compute_metrics"
        )
    return table
