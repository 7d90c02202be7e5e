"""The first few of many values, without sorting them all; of things that repeat each other, the first."""

import numpy as np
from numpy.typing import ArrayLike, NDArray


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
    if groups is None:
        return places[_first(values[places], number)]
    group = np.asarray(groups)
    if group.shape != values.shape:
        raise ValueError(f"groups must be ({len(values)},), got {group.shape}")
    taken = number
    while True:  # what repeats is mostly near: a few more than asked for will do
        found = places[_first(values[places], taken)]
        alone = found[np.sort(np.unique(group[found], return_index=True)[1])]
        if len(alone) >= number or len(found) == len(places):
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


def _allowed(values: NDArray[np.floating], among: ArrayLike | None) -> NDArray[np.intp]:
    known = ~np.isnan(values)
    if among is not None:
        mask = np.asarray(among)
        if mask.shape != values.shape or mask.dtype != np.bool_:
            raise ValueError(f"among must be ({len(values)},) bool, got {mask.shape} {mask.dtype}")
        known &= mask
    return np.flatnonzero(known)


def _first(values: NDArray[np.floating], number: int) -> NDArray[np.intp]:
    """Places of the smallest of values without NaN."""
    if number >= len(values):
        return np.argsort(values, kind="stable")
    reach = np.partition(values, number - 1)[number - 1]
    places = np.flatnonzero(values <= reach)
    return places[np.argsort(values[places], kind="stable")][:number]
