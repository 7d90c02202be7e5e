"""Clusters of candidates as candidate classes: what each one shows, and which a person should see first.

They come in the order of a sum of three means over their candidates, each in robust deviations from the median of all
candidates, so that no unit and no dataset has a say (docs/candidate_classes.md: what each term is worth):

- **Novelty**, the score that selected the candidates.
- **Strangeness** is how far a candidate lies from everything known, whatever the class that it was predicted as. A wall
  called road is far from roads, but near to known walls: novel, not strange.
- **Disagreement**, the entropy of the predicted classes, 0 … 1: a kind that the network does not know is called many
  things.

**Images**, ``ln`` of their number, can be given a weight, too: what turns up in many is a class, what turns up in one
is an accident. A frequent kind is split over several clusters: those that look like an earlier one say so, and can be
put after all others.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from oodretrieval.robust_statistics import median_and_deviation
from oodretrieval.search.candidates import inspection_order

LEAST_THINGS = 3
"""Fewer different things are no class: such clusters come after all others."""

WEIGHTS = {"novelty": 1.0, "strangeness": 1.0, "disagreement": 1.0}
"""Term → its weight in the score; what every four of five scenes choose for the fifth (docs/candidate_classes.md)."""

LOOKS_LIKE = 0.5
"""Cosine of the angle between the centres of two clusters from which they look alike."""

LARGEST_DEVIATION = 3.0
"""Robust deviations that one candidate counts at most."""


@dataclass(frozen=True, eq=False)
class ClassEvidence:
    """What is known of each of ``n`` candidates.

    Attributes:
        novelty: Higher where more unknown, ``(n,)``.
        predicted: Predicted class, ``(n,)``.
        num_classes: Number of classes that the network knows, >= 2.
        images: Number of its image, ``(n,)``.
        drives: Number of its drive, ``(n,)``.
        things: Row of the candidate that it repeats in a near frame, its own if none, ``(n,)``.
        strangeness: Higher where farther from everything known, ``(n,)``; None where that is not known.
    """

    novelty: NDArray[np.floating]
    predicted: NDArray[np.integer]
    num_classes: int
    images: NDArray[np.integer]
    drives: NDArray[np.integer]
    things: NDArray[np.integer]
    strangeness: NDArray[np.floating] | None = None


@dataclass(frozen=True, eq=False)
class CandidateClass:
    """One cluster of candidates.

    Attributes:
        rows: Its candidates, the most central first, ``(m,)``.
        things: Number of different things among them: what near frames repeat counts once.
        images: Number of images that show it.
        drives: Number of drives that show it.
        novelty: Mean over its candidates, in the unit of the scores.
        strangeness: Mean over its candidates; NaN where that is not known.
        disagreement: Entropy of the predicted classes over that of all classes, 0 (one class) … 1.
        cohesion: Mean cosine of the angle to its centre, 0…1.
        score: Higher where a person should see it earlier.
        like: Place of the earlier class that it looks like; None if it looks like none.
    """

    rows: NDArray[np.intp]
    things: int
    images: int
    drives: int
    novelty: float
    strangeness: float
    disagreement: float
    cohesion: float
    score: float
    like: int | None = None


def candidate_classes(
    directions: NDArray[np.floating],
    groups: NDArray[np.integer],
    evidence: ClassEvidence,
    weights: Mapping[str, float] = WEIGHTS,
    looks_like: float = LOOKS_LIKE,
    alike_last: bool = True,
) -> list[CandidateClass]:
    """Rank clusters as candidate classes.

    Args:
        directions: Vectors that were clustered, ``(n, D)``, of length 1.
        groups: Cluster of each candidate, ``(n,)``; -1 is noise and in none.
        evidence: What is known of each.
        weights: Term → its weight in the score: ``novelty``, ``strangeness``, ``images``, ``disagreement``; one that is
            missing weighs nothing.
        looks_like: Cosine of the angle between the centres of two clusters from which they look alike; above 1: none.
        alike_last: Whether those that look like an earlier one come after those that do not.

    Returns:
        One for each cluster, the most promising first; those of fewer than 3 things last.

    Example:
        >>> same = np.zeros(6, int)
        >>> evidence = ClassEvidence(np.array([9.0, 9, 9, 0, 0, 0]), same, 2, np.arange(6), same, np.arange(6))
        >>> directions, clusters = np.eye(2).repeat(3, axis=0), np.array([0, 0, 0, 1, 1, 1])
        >>> [one.rows.tolist() for one in candidate_classes(directions, clusters, evidence)]
        [[0, 1, 2], [3, 4, 5]]
    """
    terms = {"novelty": robust_deviations(evidence.novelty)}
    if evidence.strangeness is not None:
        terms["strangeness"] = robust_deviations(evidence.strangeness)
    found = []
    for group in range(int(groups.max(initial=-1)) + 1):
        rows = np.flatnonzero(groups == group)
        if len(rows):
            deviations = {name: float(values[rows].mean()) for name, values in terms.items()}
            found.append(_candidate_class(directions, rows, evidence, deviations, weights))
    found = [found[i] for i in inspection_order([one.score for one in found])]
    large = [one for one in found if one.things >= LEAST_THINGS]
    small = [one for one in found if one.things < LEAST_THINGS]
    return _compared(large, directions, looks_like, alike_last) + small


def _compared(
    ranked: Sequence[CandidateClass], directions: NDArray[np.floating], looks_like: float, alike_last: bool
) -> list[CandidateClass]:
    """The same classes, each with the number of the earlier one that it looks like."""
    centres = np.zeros((0, directions.shape[1]))
    unlike: list[int] = []
    likes: list[int | None] = []
    for place, one in enumerate(ranked):
        centre = _centre(directions[one.rows])
        nearness = centres @ centre
        if nearness.max(initial=-1.0) >= looks_like:
            likes.append(unlike[int(nearness.argmax())])
        else:
            likes.append(None)
            unlike.append(place)
            centres = np.vstack([centres, centre])
    order = sorted(range(len(ranked)), key=lambda place: alike_last and likes[place] is not None)
    return [
        ranked[place] if (like := likes[place]) is None else replace(ranked[place], like=order.index(like))
        for place in order
    ]


def _centre(directions: NDArray[np.floating]) -> NDArray[np.float64]:
    """The mean direction, of length 1; 0 where there is none."""
    mean = np.asarray(directions.mean(axis=0), np.float64)
    return mean / (float(np.linalg.norm(mean)) or 1.0)


def _candidate_class(
    directions: NDArray[np.floating],
    rows: NDArray[np.intp],
    evidence: ClassEvidence,
    deviations: dict[str, float],
    weights: Mapping[str, float],
) -> CandidateClass:
    nearness = directions[rows] @ _centre(directions[rows])
    disagreement = predicted_entropy(evidence.predicted[rows], evidence.num_classes)
    images = len(np.unique(evidence.images[rows]))
    terms = {**deviations, "disagreement": disagreement, "images": float(np.log(images))}
    strange = evidence.strangeness
    return CandidateClass(
        rows=rows[inspection_order(nearness)],
        things=len(np.unique(evidence.things[rows])),
        images=images,
        drives=len(np.unique(evidence.drives[rows])),
        novelty=float(evidence.novelty[rows].mean()),
        strangeness=float("nan") if strange is None else float(strange[rows].mean()),
        disagreement=disagreement,
        cohesion=float(nearness.mean()),
        score=sum(weights.get(name, 0.0) * value for name, value in terms.items()),
    )


def robust_deviations(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Deviations from the median, in units of the median one; of the standard one where most values are alike.

    Args:
        values: ``(n,)``; NaN is taken for the median.

    Returns:
        ``(n,)``, at most 3 either way, unitless; 0 where all values are alike.

    Example:
        >>> robust_deviations(np.array([1.0, 2.0, 3.0, 4.0, 99.0])).round(2).tolist()
        [-1.35, -0.67, 0.0, 0.67, 3.0]
    """
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(len(values))
    median, deviation = median_and_deviation(values[finite])
    away = np.where(finite, values - median, 0.0)
    scale = deviation or float(away.std())
    if not scale > 0:
        return np.zeros(len(values))
    return np.asarray(np.clip(away / scale, -LARGEST_DEVIATION, LARGEST_DEVIATION), np.float64)


def predicted_entropy(predicted: NDArray[np.integer], num_classes: int) -> float:
    """How the network disagrees about things that look alike.

    Args:
        predicted: Predicted class of each, ``(m,)``, ``m >= 1``.
        num_classes: Of the network, >= 2.

    Returns:
        Entropy of the shares of classes over that of equal shares: 0 all of one class … 1.

    Example:
        >>> predicted_entropy(np.array([0, 1, 0, 1]), 4)
        0.5
    """
    shares = np.unique(predicted, return_counts=True)[1] / len(predicted)
    return float(np.abs(shares @ np.log(shares)) / np.log(num_classes))


def shown_members(
    one: CandidateClass, evidence: ClassEvidence, central: int, outlying: int
) -> tuple[list[int], list[int]]:
    """Which members of a candidate class stand for it: each thing once, as long as there are others.

    Args:
        one: The class.
        evidence: What is known of each candidate.
        central: Most central members, at most.
        outlying: Most outlying ones, at most.

    Returns:
        Rows of the most central members, nearest to the centre first; and of the most outlying ones, farthest first. No
        row is in both.
    """
    near = _different_first(one.rows.tolist(), evidence.things)[:central]
    rest = [row for row in one.rows[::-1].tolist() if row not in set(near)]
    return near, _different_first(rest, evidence.things)[:outlying]


def _different_first(rows: Sequence[int], things: NDArray[np.integer]) -> list[int]:
    """The same rows, those that repeat a thing after all others."""
    seen: set[int] = set()
    first: list[int] = []
    again: list[int] = []
    for row in rows:
        thing = int(things[row])
        (again if thing in seen else first).append(row)
        seen.add(thing)
    return first + again
