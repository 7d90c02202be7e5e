"""Confidence intervals by resampling images; in video in blocks, as neighbouring frames resemble each other.

Source:
    Künsch, The jackknife and the bootstrap for general stationary observations, Ann. Statist. 1989.
"""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from oodretrieval.clips import VIDEO_BLOCK

REPETITIONS = 1000
LEVEL = 0.95
"""Share of the resamples that an interval holds."""
ROUNDING = 1e-9
"""Relative difference up to which sums in another order are the same."""


def block_bootstrap(
    frames: ArrayLike,
    statistic: Callable[[NDArray[np.intp]], float],
    *,
    block: int = VIDEO_BLOCK,
    repetitions: int = REPETITIONS,
    level: float = LEVEL,
    seed: int = 0,
) -> tuple[float, float]:
    """Confidence interval of a measure of items (segments, objects, queries) that are of images.

    Moving blocks: stretches of ``block`` frames in a row are chosen with replacement until there are as many
    frames as before, and the measure is taken of the items in them.

    Args:
        frames: Frame of each item, ``(n,)``, sortable; the different values in order are the video.
        statistic: Called with indices into the items (with repetitions), gives the measure.
        block: Frames in a row that stay together, >= 1; at most the whole video. 1 for images that have
            nothing to do with each other.
        repetitions: Number of resamples, >= 1.
        level: Share of resamples inside the interval, 0…1.
        seed: Same seed, same interval.

    Returns:
        Lower and upper end; NaN where undefined, see :func:`interval`.

    Raises:
        ValueError: If there is no item, or an argument is out of range.
    """
    names, frame_of = np.unique(np.asarray(frames), return_inverse=True)
    order = np.argsort(frame_of, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(frame_of))[:-1])
    resamples = block_resamples(len(names), block=block, repetitions=repetitions, seed=seed)
    return interval(
        [statistic(np.concatenate([members[frame] for frame in resampled])) for resampled in resamples],
        level,
        value=float(statistic(np.arange(len(frame_of)))),
    )


def block_resamples(
    frames: int, *, block: int = VIDEO_BLOCK, repetitions: int = REPETITIONS, seed: int = 0
) -> Iterator[NDArray[np.intp]]:
    """Resample the frames of a video, in moving blocks.

    Args:
        frames: How many there are.
        block: Frames in a row that stay together, >= 1.
        repetitions: Number of resamples, >= 1.
        seed: Same seed, same resamples.

    Yields:
        ``(frames,)`` indices of frames, with repetitions.

    Raises:
        ValueError: If an argument is below 1.
    """
    if min(frames, block, repetitions) < 1:
        raise ValueError(
            "expected at least one frame, block >= 1 and repetitions >= 1, "
            f"got {frames} frames, {block}, {repetitions}"
        )
    length = min(block, frames)
    random = np.random.default_rng(seed)
    for _ in range(repetitions):
        starts = random.integers(0, frames - length + 1, -(-frames // length))
        yield (starts[:, None] + np.arange(length)).ravel()[:frames]


def block_weights(
    frames: int, *, block: int = VIDEO_BLOCK, repetitions: int = REPETITIONS, seed: int = 0
) -> NDArray[np.float64]:
    """:func:`block_resamples` as the number of times that every frame is taken, for measures of sums over frames.

    Args:
        frames: Number of frames, >= 1.
        block: Frames in a row that are taken together, >= 1.
        repetitions: Number of resamples, >= 1.
        seed: Same seed, same resamples.

    Returns:
        ``(repetitions, frames)``; every row sums to ``frames``.

    Example:
        >>> block_weights(3, block=3, repetitions=2).tolist()
        [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """
    resamples = block_resamples(frames, block=block, repetitions=repetitions, seed=seed)
    return np.array([np.bincount(resampled, minlength=frames) for resampled in resamples], np.float64)


def ratio_interval(parts: ArrayLike, wholes: ArrayLike, weights: NDArray[np.float64]) -> tuple[float, float]:
    """95 % interval of the sum of parts over the sum of wholes.

    Args:
        parts: Of each image, ``(frames,)``.
        wholes: Of each image, ``(frames,)``, >= 0.
        weights: From :func:`block_weights`.

    Returns:
        Lower and upper end; NaN where no resample has a whole.
    """
    part, whole = np.asarray(parts, np.float64), np.asarray(wholes, np.float64)
    total = weights @ whole
    share = weights @ part / np.where(total > 0, total, 1)
    value = float(part.sum() / whole.sum()) if whole.sum() > 0 else float("nan")
    return interval(np.where(total > 0, share, np.nan), value=value)


def interval(measures: ArrayLike, level: float = LEVEL, *, value: float | None = None) -> tuple[float, float]:
    """The middle of many resamples of one measure.

    Args:
        measures: ``(repetitions,)``; NaN where a resample left the measure undefined, which is left out.
        level: Share of resamples inside, 0…1.
        value: The measure itself, without resampling. An interval that does not hold it, or has no width as all
            resamples are the same, says nothing of it and is undefined. None to leave that unchecked.

    Returns:
        Lower and upper end; NaN where undefined: without a resample that defines the measure, or by ``value``.

    Raises:
        ValueError: If ``level`` is not between 0 and 1.

    Example:
        >>> interval(range(5), 0.5, value=2.0)
        (1.0, 3.0)
        >>> interval([0.2, 0.2, 0.2], value=0.2)
        (nan, nan)
    """
    if not 0 < level < 1:
        raise ValueError(f"expected 0 < level < 1, got {level}")
    values = np.asarray(measures, np.float64)
    values = values[~np.isnan(values)]
    if not len(values):
        return float("nan"), float("nan")
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    if value is not None and not (
        low - ROUNDING <= value <= high + ROUNDING and np.ptp(values) > ROUNDING * max(1, abs(value))
    ):
        return float("nan"), float("nan")
    return float(low), float(high)
