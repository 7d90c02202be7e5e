"""Choosing segments by whole images: neighbours in one image resemble each other too much to be parted."""

import logging
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold

from oodretrieval.errors import TableError

logger = logging.getLogger(__name__)
HELD_OUT_SHARE = 0.2


def held_out_rows(
    table: pd.DataFrame, seed: int, share: float = HELD_OUT_SHARE, groups: Sequence[str] | None = None
) -> NDArray[np.bool_]:
    """Choose whole images, or whole groups of them, to hold out for validation.

    Args:
        table: Segment table with ``image_id``.
        seed: Same seed, same choice.
        share: Share of the groups, 0…1; at least one is held out and at least one is kept.
        groups: Group of every segment, ``n``, such as the clip of its image; by default its image.

    Returns:
        ``(n,)``, True where a segment belongs to a held-out group; nowhere if there is only one, or neither groups
        nor a column ``image_id``.
    """
    if groups is None and "image_id" not in table.columns:
        return np.zeros(len(table), bool)
    group = pd.Series(table["image_id"].to_numpy() if groups is None else list(groups), dtype=str)
    names = np.array(sorted(group.unique()), dtype=object)
    count = min(max(1, round(share * len(names))), len(names) - 1)
    chosen = np.random.default_rng(seed).permutation(names)[:count]
    return group.isin(chosen).to_numpy(bool)


def sample_of_images(table: pd.DataFrame, most: int, seed: int) -> pd.DataFrame:
    """At most ``most`` segments, of whole images chosen at random.

    Args:
        table: Segment table; with ``image_id`` if it has more than ``most`` rows.
        most: Segments that may stay, >= 1. An image that has more by itself is cut.
        seed: Same seed, same choice.

    Returns:
        The table itself if it is small enough, else some of its rows, in their order.

    Raises:
        TableError: If there are more rows, and no column says to which image they belong.
    """
    if len(table) <= most:
        return table
    if "image_id" not in table.columns:
        raise TableError(
            f"{len(table)} segments are more than the {most} that a meta model learns from, and without the column "
            "image_id no sample of images can be taken; add it, or hand in fewer"
        )
    codes, images = pd.factorize(table["image_id"])
    order = np.random.default_rng(seed).permutation(len(images))
    counts = np.bincount(codes, minlength=len(images))[order]
    fitting = max(1, int(np.searchsorted(np.cumsum(counts), most, side="right")))
    sample = table[np.isin(codes, order[:fitting])].iloc[:most]
    logger.info(
        "%d segments are more than %d: a sample of %d of %d images is learned from",
        *(len(table), most, fitting, len(images)),
    )
    return sample


def folds_of(groups: Sequence[object] | pd.Series, folds: int, seed: int) -> NDArray[np.intp]:
    """Split segments for cross-validation so that those of one group stay together.

    Args:
        groups: Group of every segment, ``n``: its image or clip.
        folds: Number of folds, from 2 to the number of groups.
        seed: Same seed, same split.

    Returns:
        ``(n,)``, the fold 0 … ``folds - 1`` in which each segment is held out.

    Raises:
        ValueError: If there are fewer groups than folds, or fewer than two folds.

    Example:
        >>> fold = folds_of(["a", "b", "a", "c"], 3, seed=0)
        >>> bool(fold[0] == fold[2]), sorted(set(fold.tolist()))
        (True, [0, 1, 2])
    """
    codes, names = pd.factorize(pd.Series(groups))
    if not 2 <= folds <= len(names):
        raise ValueError(f"expected from 2 to {len(names)} folds, as many as there are groups, got {folds}")
    result = np.zeros(len(codes), np.intp)
    split = GroupKFold(folds, shuffle=True, random_state=seed)
    for fold, (_, held_out) in enumerate(split.split(codes, groups=codes)):
        result[held_out] = fold
    return result
