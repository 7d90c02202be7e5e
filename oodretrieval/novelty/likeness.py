"""What is unknown once is unknown again: a score is shared among the segments that look most alike.

An unknown kind shows itself many times in the images searched, and so does a false alarm of the network. The score of
one segment is uncertain; the mean over those that look like it is less so. No truth is needed, as the segments searched
alone say what resembles what (docs/ranking.md).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.choices import ALIKE_SHARE
from oodretrieval.errors import TableError
from oodretrieval.novelty.neighbours import SMALLEST
from oodretrieval.novelty.scores import dispersion_score

NEIGHBOURS = 10
"""Segments that a score is shared with, where there are :data:`PER_NEIGHBOUR` times as many."""

PER_NEIGHBOUR = 20
"""Segments for each neighbour: among a few nothing need resemble a segment."""

LARGEST_COMPARED = 10_000
"""Segments that all others are compared with, at most: more are sampled, so that time grows with their number alone."""

_LEAST_PROBABILITY = 1e-3
_ROWS_AT_ONCE = 1024


@dataclass(frozen=True, eq=False)
class Likeness:
    """The segments that others share the score of; those of a large dataset are scored part by part.

    Attributes:
        mean: Of each value that says what a segment looks like, ``(D,)``.
        scale: Deviation of each, times the root of how many are of its half, so that both halves count alike, ``(D,)``.
        vectors: What the segments look like, standardised, ``(m, D)``.
        scores: Of these segments, ``(m,)``.
    """

    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    vectors: NDArray[np.float32]
    scores: NDArray[np.float64]

    @classmethod
    def of(
        cls, halves: tuple[NDArray[np.floating], NDArray[np.floating]], scores: NDArray[np.floating]
    ) -> "Likeness":
        """Standardise what segments look like.

        Args:
            halves: See :func:`likeness_values`, of ``m`` segments, at least one.
            scores: Of these segments, ``(m,)``, finite.

        Returns:
            What others are compared with.
        """
        values = np.concatenate(halves, axis=1).astype(np.float64)
        roots = np.repeat([half.shape[1] ** 0.5 for half in halves], [half.shape[1] for half in halves])
        mean, scale = values.mean(axis=0), np.maximum(values.std(axis=0), SMALLEST) * roots
        vectors = ((values - mean) / scale).astype(np.float32)
        return cls(mean, scale, vectors, np.asarray(scores, np.float64))

    def shared(
        self,
        scores: NDArray[np.floating],
        halves: tuple[NDArray[np.floating], NDArray[np.floating]],
        itself: NDArray[np.integer],
        *,
        neighbours: int = NEIGHBOURS,
        share: float = ALIKE_SHARE,
    ) -> NDArray[np.float64]:
        """Scores of which every segment has a part from those that look most like it.

        Args:
            scores: ``(n,)``, finite.
            halves: See :func:`likeness_values`, of these segments.
            itself: Row of each segment among those compared with, ``(n,)``; -1 where it is none of them.
            neighbours: How many share, fewer where fewer than :data:`PER_NEIGHBOUR` times as many are compared with.
            share: Weight of their mean, 0…1.

        Returns:
            ``(n,)``, in the unit of the scores.
        """
        number = min(neighbours, len(self.vectors) // PER_NEIGHBOUR)
        own = np.asarray(scores, np.float64)
        if not number:
            return own.copy()
        squares = (self.vectors**2).sum(axis=1)
        means = np.empty(len(own))
        for start in range(0, len(own), _ROWS_AT_ONCE):
            here = slice(start, start + _ROWS_AT_ONCE)
            values = np.concatenate([half[here] for half in halves], axis=1)
            rows = ((values - self.mean) / self.scale).astype(np.float32)
            distance = squares - 2 * rows @ self.vectors.T
            found = np.flatnonzero(itself[here] >= 0)
            distance[found, itself[here][found]] = np.inf
            nearest = np.argpartition(distance, number - 1, axis=1)[:, :number]
            means[here] = self.scores[nearest].mean(axis=1)
        return (1 - share) * own + share * means


def shared_among(
    scores: NDArray[np.floating],
    halves: tuple[NDArray[np.floating], NDArray[np.floating]],
    compared: NDArray[np.bool_],
    *,
    share: float = ALIKE_SHARE,
) -> NDArray[np.float64]:
    """Share scores among segments that are all at hand.

    Args:
        scores: ``(n,)``, finite.
        halves: What they look like, see :func:`likeness_values`; each half counts alike.
        compared: Which of them others are compared with, ``(n,)``.
        share: Weight of the mean over those that look most alike, 0…1.

    Returns:
        ``(n,)``, in the unit of the scores.
    """
    stored = sampled(compared)
    if not len(stored):
        return np.array(scores, np.float64)
    itself = np.full(len(scores), -1)
    itself[stored] = np.arange(len(stored))
    likeness = Likeness.of((halves[0][stored], halves[1][stored]), scores[stored])
    return likeness.shared(scores, halves, itself, share=share)


def likeness_values(
    table: pd.DataFrame, fine: NDArray[np.floating]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What segments look like: to the segmentation network, and in fine features of an ImageNet network.

    The first is ``ln`` of the mean softmax plus the energy, nearly the mean logits.

    Args:
        table: Segment table, ``n`` rows, with ``cprob0 …`` and ``energy``.
        fine: Features at a fine stride, pooled over the segments, ``(n, d)``.

    Returns:
        ``(n, C)`` and ``(n, d)``.

    Raises:
        TableError: If columns are missing.
    """
    columns = [name for name in table.columns if name.startswith("cprob")]
    if not columns:
        raise TableError("novelty needs cprob0 … of the segment table; make it again with compute_metrics")
    logits = np.log(table[columns].to_numpy(np.float64) + _LEAST_PROBABILITY)
    logits -= dispersion_score(table, "energy")[:, None]  # whose sign is turned
    return logits, np.asarray(fine, np.float64)


def sampled(compared: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Segments that all are compared with: those that are large enough to look like something, or a sample of them.

    Args:
        compared: Whether each is large enough, ``(n,)``.

    Returns:
        Their rows, ascending, at most :data:`LARGEST_COMPARED`.
    """
    rows = np.flatnonzero(compared)
    if len(rows) > LARGEST_COMPARED:
        rows = np.sort(np.random.default_rng(0).permutation(rows)[:LARGEST_COMPARED])
    return rows
