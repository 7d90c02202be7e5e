"""How well an embedding space brings segments of one class together: mean average precision."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from oodretrieval.choices import MIN_QUERIES
from oodretrieval.directions import unit_vectors
from oodretrieval.errors import UnknownNameError
from oodretrieval.evaluation.bootstrap import block_weights, interval

METRICS = ("euclidean", "cosine")
PRECISION_AT = (1, 5, 10)
BYTES_AT_ONCE = 64 * 2**20


@dataclass(frozen=True)
class RetrievalMeasures:
    """Measures of a retrieval experiment in which every item is the query once.

    Attributes:
        mean: Mean over classes of their mean average precision, 0…1; NaN where no class counts.
        weighted: The same, each class weighted by its number of queries.
        per_class: Class → mean average precision of its queries, for the classes that count.
        num_queries: Class → number of its queries, for the same classes.
        precision_at: k → mean over these queries of the share of relevant items among the first k.
        query_precision: Average precision of each query of a class that counts, ``(n,)``; NaN for the others.
    """

    mean: float
    weighted: float
    per_class: dict[Hashable, float]
    num_queries: dict[Hashable, int]
    precision_at: dict[int, float]
    query_precision: NDArray[np.float64] = field(
        default_factory=lambda: np.empty(0), compare=False, repr=False
    )


def average_precision(relevant: ArrayLike) -> float:
    """Average precision of one ranking.

    Args:
        relevant: ``(n,)`` bool in ranked order, nearest first.

    Returns:
        Mean over the relevant items of the share of relevant ones up to there, 0…1; 0 if none is relevant.

    Raises:
        ValueError: If ``relevant`` has more than one dimension.

    Example:
        >>> round(average_precision([True, False, True]), 4)
        0.8333
    """
    flags = np.asarray(relevant, bool)
    if flags.ndim != 1:
        raise ValueError(f"relevant must be (n,), got {flags.shape}")
    return _average_precision_of(np.flatnonzero(flags))


def _average_precision_of(positions: NDArray[np.intp]) -> float:
    """Average precision from the sorted positions (from 0) of the relevant items."""
    if not len(positions):
        return 0.0
    return float((np.arange(1, len(positions) + 1) / (positions + 1)).mean())


def mean_average_precision(
    vectors: ArrayLike,
    labels: ArrayLike,
    *,
    metric: str = "euclidean",
    groups: ArrayLike | None = None,
    group_window: float = 0,
    min_queries: int = MIN_QUERIES,
) -> RetrievalMeasures:
    """Let every item be the query once, and rank all others by their distance to it.

    Relevant is what has the query's label. The query itself is left out by its index, so that duplicates of
    it count; equal distances rank by index. Queries without a relevant item are left out. Hand in no void
    segments.

    Args:
        vectors: Embedding, ``(n, D)``; random vectors give the floor to compare with.
        labels: Class of each item, ``(n,)`` integers or text.
        metric: ``"euclidean"`` or ``"cosine"`` (a zero vector is at distance 1 from all but zero vectors).
        groups: Group of each item, ``(n,)``, e.g. its image: items of the query's own group are left out of
            its ranking. None: only the query itself is.
        group_window: For video, with numbers as groups (see :func:`~oodretrieval.clips.frame_positions`): what
            is up to this far from the query's group is left out, e.g. 30 frames.
        min_queries: Queries that a class needs to count, >= 1.

    Returns:
        The measures.

    Raises:
        ValueError: If shapes do not fit, a vector is not finite, or ``group_window`` is given with groups
            that are no numbers.
        UnknownNameError: If there is no such metric.

    Example:
        >>> mean_average_precision([[0.0], [0.1], [5.0], [5.1]], ["a", "a", "b", "b"]).mean
        1.0
    """
    points, names, classes = _checked(vectors, labels, metric)
    own_group = _OwnGroup(len(points), groups, group_window)
    found = np.full(len(points), np.nan)
    precision = np.zeros((len(points), len(PRECISION_AT)))
    for query, distances in _distance_rows(points, unit=metric == "cosine"):
        others = ~own_group(query)
        relevant = others & (classes == classes[query])
        if not relevant.any():
            continue
        positions, ranked = _positions(distances, others, relevant)
        found[query] = _average_precision_of(positions)
        precision[query] = [(positions < k).sum() / min(k, ranked) for k in PRECISION_AT]
    return _measures(found, precision, names, classes, min_queries)


def _checked(
    vectors: ArrayLike, labels: ArrayLike, metric: str
) -> tuple[NDArray[np.float64], NDArray[np.generic], NDArray[np.intp]]:
    """The points to take Euclidean distances of, the class names, and the class of each point."""
    points = np.asarray(vectors, np.float64)
    names, classes = np.unique(np.asarray(labels), return_inverse=True)
    if points.ndim != 2 or np.shape(labels) != points.shape[:1]:
        raise ValueError(
            f"expected vectors (n, D) and labels (n,), got {points.shape} and {np.shape(labels)}"
        )
    if not np.isfinite(points).all():
        raise ValueError("vectors must be finite, got NaN or infinity")
    if metric not in METRICS:
        raise UnknownNameError("metric", metric, METRICS)
    if metric == "cosine":
        units = unit_vectors(points)
        # a direction of its own for vectors that have none
        points = np.hstack([units, ~units.any(axis=1, keepdims=True)])
    return points, names, classes


class _OwnGroup:
    """Finds the items of a query's own group."""

    def __init__(self, count: int, groups: ArrayLike | None, window: float) -> None:
        own = np.arange(count) if groups is None else np.asarray(groups)
        if own.shape != (count,):
            raise ValueError(f"expected groups ({count},), got {own.shape}")
        if window < 0 or (window > 0 and (groups is None or own.dtype.kind not in "iuf")):
            raise ValueError(
                f"group_window must be >= 0 and needs numbers as groups, got {window} with {own.dtype}; "
                "frame_positions turns image ids into numbers"
            )
        self.window = window
        self.own = (own if window else np.unique(own, return_inverse=True)[1]).astype(np.float64)

    def __call__(self, query: int) -> NDArray[np.bool_]:
        if self.window:
            return np.asarray(np.abs(self.own - self.own[query]) <= self.window)
        return np.asarray(self.own == self.own[query])


def _distance_rows(points: NDArray[np.float64], unit: bool) -> Iterator[tuple[int, NDArray[np.float64]]]:
    """Squared distances of each point to all, by blocks; equal vectors get equal distances, to the bit."""
    first: dict[bytes, int] = {}
    # adding 0 turns -0 into 0, which is the same number
    place = np.array([first.setdefault(row.tobytes(), len(first)) for row in points + 0.0], np.intp)
    distinct = points[np.unique(place, return_index=True)[1]] if len(points) else points
    # exactly 1 for unit vectors, so that all that is at a right angle is tied
    squares = np.ones(len(distinct)) if unit else np.einsum("ij,ij->i", distinct, distinct)
    rows = max(1, BYTES_AT_ONCE // (8 * max(1, len(points))))
    for start in range(0, len(points), rows):
        block = place[start : start + rows]
        product = distinct[block] @ distinct.T
        distances = (squares[block, None] + squares - 2 * product)[:, place]
        yield from enumerate(distances, start)


def _positions(
    distances: NDArray[np.float64], others: NDArray[np.bool_], relevant: NDArray[np.bool_]
) -> tuple[NDArray[np.intp], int]:
    """Sorted positions (from 0) of the relevant items among the others, and how many others there are."""
    ranked = distances[others]
    in_order = np.sort(ranked)
    if (in_order[1:] == in_order[:-1]).any():
        order = np.argsort(ranked, kind="stable")
        return np.flatnonzero(relevant[others][order]), len(ranked)
    return np.searchsorted(in_order, np.sort(distances[relevant])), len(ranked)


def _measures(
    found: NDArray[np.float64],
    precision: NDArray[np.float64],
    names: NDArray[np.generic],
    classes: NDArray[np.intp],
    min_queries: int,
) -> RetrievalMeasures:
    asked = np.isfinite(found)
    counts = np.bincount(classes[asked], minlength=len(names))
    counting = np.flatnonzero(counts >= max(1, min_queries))
    per_class = {names[c].item(): float(found[asked & (classes == c)].mean()) for c in counting}
    chosen = asked & np.isin(classes, counting)
    missing = not len(counting)
    at = np.full(len(PRECISION_AT), np.nan) if missing else precision[chosen].mean(axis=0)
    return RetrievalMeasures(
        mean=float("nan") if missing else float(np.mean(list(per_class.values()))),
        weighted=float("nan") if missing else float(found[chosen].mean()),
        per_class=per_class,
        num_queries={names[c].item(): int(counts[c]) for c in counting},
        precision_at={k: float(value) for k, value in zip(PRECISION_AT, at, strict=True)},
        query_precision=np.where(chosen, found, np.nan),
    )


def retrieval_intervals(
    measures: RetrievalMeasures,
    labels: ArrayLike,
    images: ArrayLike,
    *,
    block: int,
    repetitions: int,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """95 % intervals by bootstrap over the images that the queries come from; the rankings stay as they are.

    Args:
        measures: Of :func:`mean_average_precision`.
        labels: Class of each item, ``(n,)``, as there.
        images: Image of each item, ``(n,)``; their sorted order is the order of the video.
        block: Images in a row that are taken together, >= 1.
        repetitions: Number of resamples, >= 1.
        seed: Same seed, same intervals.

    Returns:
        ``mean`` and ``weighted`` → lower and upper end; NaN where no class counts.
    """
    asked = ~np.isnan(measures.query_precision)
    names, image = np.unique(np.asarray(images), return_inverse=True)
    classes, label = np.unique(np.asarray(labels), return_inverse=True)
    if not asked.any():
        return dict.fromkeys(("mean", "weighted"), (float("nan"), float("nan")))
    weights = block_weights(len(names), block=block, repetitions=repetitions, seed=seed)
    sums = np.zeros((2, len(names), len(classes)))
    np.add.at(sums[0], (image[asked], label[asked]), measures.query_precision[asked])
    np.add.at(sums[1], (image[asked], label[asked]), 1)
    total, queries = weights @ sums
    there = queries > 0
    of_class = np.where(there, total / np.maximum(queries, 1), 0)
    present = np.maximum(there.sum(axis=1), 1)
    some = there.any(axis=1)
    mean = np.where(some, of_class.sum(axis=1) / present, np.nan)
    weighted = np.where(some, total.sum(1) / np.maximum(queries.sum(1), 1), np.nan)
    return {
        "mean": interval(mean, value=measures.mean),
        "weighted": interval(weighted, value=measures.weighted),
    }
