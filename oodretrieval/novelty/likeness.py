"""What is unknown once is unknown again: a score is shared among the segments that look most alike.

An unknown kind shows itself many times in the images searched, and so does a false alarm of the network. The score of
one segment is uncertain; the mean over those that look like it is less so. No truth is needed, as the segments searched
alone say what resembles what (docs/ranking.md).
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.errors import TableError
from oodretrieval.novelty.scores import dispersion_score

NEIGHBOURS = 10
"""Segments that a score is shared with, where there are :data:`PER_NEIGHBOUR` times as many."""

PER_NEIGHBOUR = 20
"""Segments for each neighbour: among a few nothing need resemble a segment."""

SHARE = 0.5
"""Weight of the neighbours' mean; the segment's own score has the rest."""

LARGEST_COMPARED = 10_000
"""Segments that all others are compared with, at most: more are sampled, so that time grows with their number alone."""

_LEAST_PROBABILITY = 1e-3
_SMALLEST = 1e-6
_ROWS_AT_ONCE = 1024


def likeness_vectors(
    table: pd.DataFrame, fine: NDArray[np.floating], compared: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """What segments look like: to the segmentation network, and in fine features of an ImageNet network.

    The first is ``ln`` of the mean softmax plus the energy, nearly the mean logits. Both halves count alike.

    Args:
        table: Segment table, ``n`` rows, with ``cprob0 …`` and ``energy``.
        fine: Features at a fine stride, pooled over the segments, ``(n, d)``.
        compared: Segments whose mean and deviation are taken, ``(n,)``, at least one.

    Returns:
        ``(n, C + d)``; Euclidean distances between the rows are meaningful.

    Raises:
        TableError: If columns are missing.
    """
    columns = [name for name in table.columns if name.startswith("cprob")]
    if not columns:
        raise TableError("novelty needs cprob0 … of the segment table; make it again with compute_metrics")
    logits = np.log(table[columns].to_numpy(np.float64) + _LEAST_PROBABILITY)
    logits -= dispersion_score(table, "energy")[:, None]  # whose sign is turned
    halves = []
    for values in (logits, np.asarray(fine, np.float64)):
        mean, deviation = values[compared].mean(axis=0), values[compared].std(axis=0)
        halves.append((values - mean) / np.maximum(deviation, _SMALLEST) / max(values.shape[1], 1) ** 0.5)
    return np.concatenate(halves, axis=1).astype(np.float32)


def shared_scores(
    scores: NDArray[np.floating],
    vectors: NDArray[np.floating],
    compared: NDArray[np.bool_],
    *,
    neighbours: int = NEIGHBOURS,
    share: float = SHARE,
) -> NDArray[np.float64]:
    """Scores of which every segment has a part from those that look most like it.

    Args:
        scores: ``(n,)``, finite.
        vectors: What the segments look like, ``(n, D)``.
        compared: Segments that others share the score of, ``(n,)``: large enough to look like something.
        neighbours: How many share, fewer where fewer than :data:`PER_NEIGHBOUR` times as many are compared.
        share: Weight of their mean, 0…1.

    Returns:
        ``(n,)``, in the unit of the scores.

    Example:
        >>> twice = np.repeat([0.0, 1.0], 20)
        >>> shared = shared_scores(twice + np.tile([0.2, -0.2], 20), twice[:, None], np.ones(40, bool), neighbours=2)
        >>> bool(shared[:20].max() < shared[20:].min())
        True
    """
    stored = np.flatnonzero(compared)
    if len(stored) > LARGEST_COMPARED:
        stored = np.sort(np.random.default_rng(0).permutation(stored)[:LARGEST_COMPARED])
    number = min(neighbours, len(stored) // PER_NEIGHBOUR)
    own = np.asarray(scores, np.float64)
    if not number:
        return own.copy()
    known = np.asarray(vectors[stored], np.float32)
    squares = (known**2).sum(axis=1)
    place = np.full(len(own), -1)
    place[stored] = np.arange(len(stored))
    means = np.empty(len(own))
    for start in range(0, len(own), _ROWS_AT_ONCE):
        rows = np.asarray(vectors[start : start + _ROWS_AT_ONCE], np.float32)
        distance = squares - 2 * rows @ known.T
        itself = place[start : start + len(rows)]
        distance[np.flatnonzero(itself >= 0), itself[itself >= 0]] = np.inf
        nearest = np.argpartition(distance, number - 1, axis=1)[:, :number]
        means[start : start + len(rows)] = own[stored[nearest]].mean(axis=1)
    return (1 - share) * own + share * means
