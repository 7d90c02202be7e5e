"""The first few of many values, without sorting them all; of things that repeat each other, the first."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

_RUN = 32
"""Values of which the smallest stands for all while a bound is looked for."""


def smallest(
    values: NDArray[np.floating], number: int, among: ArrayLike | None = None, groups: ArrayLike | None = None
) -> NDArray[np.intp]:
    """Places of the smallest values, the smallest first; equal ones in the order of their places.

    Args:
        values: ``(n,)``; infinite ones count, NaN never does.
        number: How many, >= 1; where there are fewer, all of them.
        among: Which may be taken, ``(n,)`` bool; None for all.
        groups: Group of each, ``(n,)`` integers: only the smallest of a group is taken. None: each is one of its own.

    Returns:
        At most ``number`` places.

    Raises:
        ValueError: If ``number < 1``, or a length differs.

    Example:
        >>> smallest(np.array([3.0, 1.0, 1.0, 2.0]), 3).tolist()
        [1, 2, 3]
        >>> smallest(np.array([3.0, 1.0, 1.0, 2.0]), 3, groups=[0, 7, 7, 0]).tolist()
        [1, 3]
    """
    if number < 1:
        raise ValueError(f"k must be at least 1, got {number}")
    places = _allowed(values, among)
    allowed = values if places is None else values[places]
    if groups is None:
        found = _first(allowed, number)
        return found if places is None else places[found]
    group = np.asarray(groups)
    if group.shape != values.shape:
        raise ValueError(f"groups must be ({len(values)},), got {group.shape}")
    taken = number
    while True:  # what repeats is mostly near: a few more than asked for will do
        found = _first(allowed, taken)
        found = found if places is None else places[found]
        alone = found[np.sort(np.unique(group[found], return_index=True)[1])]
        if len(alone) >= number or len(found) == len(allowed):
            return alone[:number]
        taken *= 4


def group_sizes(
    groups: ArrayLike, rows: NDArray[np.intp], among: ArrayLike | None = None
) -> NDArray[np.intp]:
    """How many there are of the groups of some rows.

    Args:
        groups: Group of each, ``(n,)`` integers.
        rows: ``(k,)``.
        among: Which count, ``(n,)`` bool; None for all.

    Returns:
        ``(k,)``, each at least 1 where the row itself counts.
    """
    group = np.asarray(groups)
    wanted, place = np.unique(group[rows], return_inverse=True)
    counted = group if among is None else group[np.asarray(among, np.bool_)]
    at = np.searchsorted(wanted, counted).clip(0, max(len(wanted) - 1, 0))
    sizes = (
        np.bincount(at[wanted[at] == counted], minlength=len(wanted)) if len(wanted) else np.zeros(0, np.intp)
    )
    return sizes[place]


def _allowed(values: NDArray[np.floating], among: ArrayLike | None) -> NDArray[np.intp] | None:
    """Places of what may be taken; None for all."""
    known = ~np.isnan(values)
    if among is not None:
        mask = np.asarray(among)
        if mask.shape != values.shape or mask.dtype != np.bool_:
            raise ValueError(f"among must be ({len(values)},) bool, got {mask.shape} {mask.dtype}")
        known &= mask
    return None if known.all() else np.flatnonzero(known)


def _first(values: NDArray[np.floating], number: int) -> NDArray[np.intp]:
    """Places of the smallest of values without NaN."""
    if number >= len(values):
        return np.argsort(values, kind="stable")
    places = np.flatnonzero(values <= _within(values, number))
    few = values[places]
    if len(few) > number:
        reach = np.partition(few, number - 1)[number - 1]
        places = places[few <= reach]
    return places[np.argsort(values[places], kind="stable")][:number]


def _within(values: NDArray[np.floating], number: int) -> float:
    """What at least ``number`` values do not exceed, and not many more: the smallest of each run stands for it."""
    runs = len(values) // _RUN
    if runs < 2 * number:
        return float(values.max())
    least = values[: runs * _RUN].reshape(_RUN, runs).min(axis=0)
    return float(np.partition(least, number - 1)[number - 1])
