"""Measures of discovery: what is found after a number of looks, with intervals, and with a person's answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.evaluation import DiscoveryCurve, block_resamples, interval, simulate_feedback
from oodretrieval.evaluation.discovery import LOOKS_IN_ALL, LOOKS_PER_IMAGE
from oodretrieval.evaluation.feedback_simulation import Answer
from oodretrieval.results.rules import Resampling
from oodretrieval.search import RelevanceFeedback, inspection_order
from oodretrieval.stages.evaluate.discovery.scene import EvaluatedScene, SceneCandidates

SHARES = ("touched", "found", "outlined")
RANDOM = "in random order"
AREA = "area"
ANSWERED = (50, 100, 200)
"""Looks after which the simulations are reported."""
WRONG = 0.1
Measures = dict[str, float]


def key(share: str, looks: int, *, per_image: bool) -> str:
    """Name of a measure.

    Args:
        share: touched, found or outlined.
        looks: How many.
        per_image: Whether an image, not in all.

    Returns:
        The name.

    Example:
        >>> key("found", 5, per_image=True), key("touched", 50, per_image=False)
        ('found after 5 looks an image', 'touched after 50 looks')
    """
    return f"{share} after {looks} look{'s' if looks > 1 else ''}{' an image' if per_image else ''}"


def curve_measures(curve: DiscoveryCurve) -> Measures:
    """Everything reported of a curve.

    Args:
        curve: Of one way of inspecting.

    Returns:
        Name → share, 0…1, and ``area``.
    """
    found = {AREA: curve.area}
    for looks, shares in curve.per_image.items():
        found |= {key(name, looks, per_image=True): value for name, value in shares.items()}
    for looks, shares in curve.in_all.items():
        found |= {key(name, looks, per_image=False): value for name, value in shares.items()}
    return found


def mean_measures(sets: Sequence[Mapping[str, float]]) -> Measures:
    """Mean of each measure over several sets of them, NaN left out.

    Args:
        sets: Name → measure, at least one set, all with the same names.

    Returns:
        Name → mean.
    """
    return {name: float(np.nanmean([one[name] for one in sets])) for name in sets[0]}


@dataclass(frozen=True, eq=False)
class WayMeasures:
    """What one way of inspecting is worth on a scene.

    Attributes:
        values: Name → measure.
        resampled: Name → its values over resamples, ``(repetitions,)``, NaN where a resample shows no object;
            empty where none were made.
        candidates: How many there are to look at; None in the mean over scenes.
    """

    values: Measures
    resampled: Mapping[str, NDArray[np.float64]]
    candidates: int | None = None

    def interval(self, name: str) -> tuple[float, float]:
        """95 % interval of a measure.

        Args:
            name: Of the measure.

        Returns:
            Lower and upper end; NaN where there is none.
        """
        if name not in self.resampled:
            return float("nan"), float("nan")
        return interval(self.resampled[name], value=self.values[name])

    def plain(self) -> dict[str, Any]:
        """As plain values."""
        intervals = {name: self.interval(name) for name in self.resampled}
        return {"values": self.values, "intervals": intervals}


def way_measures(candidates: SceneCandidates, resampling: Resampling) -> WayMeasures:
    """Measures in the order of scores, and over resampled images.

    Args:
        candidates: Of one kind.
        resampling: How images are resampled.

    Returns:
        The measures.
    """
    scores = candidates.scores
    values = curve_measures(candidates.curve(scores))
    resampled = []
    images = len(candidates.rows)
    for chosen in block_resamples(images, block=resampling.block, repetitions=resampling.repetitions):
        try:
            resampled.append(curve_measures(candidates.curve(scores, chosen)))
        except ValueError:  # no object in these images
            resampled.append(dict.fromkeys(values, float("nan")))
    by_name = {name: np.array([one[name] for one in resampled]) for name in values}
    return WayMeasures(values, by_name, len(candidates.table))


def random_measures(candidates: SceneCandidates, seeds: int) -> WayMeasures:
    """Mean of the measures over random orders of the same candidates.

    Args:
        candidates: Of one kind.
        seeds: How many orders.

    Returns:
        The measures, without intervals.
    """
    number = len(candidates.table)
    orders = [np.random.default_rng(seed).permutation(number).astype(np.float64) for seed in range(seeds)]
    return WayMeasures(
        mean_measures([curve_measures(candidates.curve(order)) for order in orders]), {}, number
    )


def mean_of_scenes(scenes: Sequence[WayMeasures]) -> WayMeasures:
    """Mean over scenes, each of the same weight; each is resampled by itself.

    Args:
        scenes: Measures of one way on each.

    Returns:
        The mean; with intervals where all scenes have them.
    """
    values = mean_measures([scene.values for scene in scenes])
    resampled = {
        name: np.mean([scene.resampled[name] for scene in scenes], axis=0)
        for name in values
        if all(name in scene.resampled for scene in scenes)
    }
    return WayMeasures(values, resampled)


def answered_measures(scene: EvaluatedScene, kind: str, looks: int, seeds: int) -> dict[str, Measures]:
    """What a person's answers change (docs/evaluation.md).

    Args:
        scene: The scene.
        kind: Of candidates.
        looks: Candidates that are inspected.
        seeds: Simulations that the mean is taken of.

    Returns:
        How the person answers → mean measures: ``unknown after n looks`` (candidates that are mostly unknown), and
        objects ``touched``, ``found`` and ``outlined`` after n looks.
    """
    candidates = scene.candidates[kind]
    kinds = scene.answers(candidates)
    plain = [answer is not False for answer in kinds]
    if not any(plain):
        return {}
    ways: dict[str, tuple[Sequence[Answer], float]] = {
        "yes or no": (plain, 0.0),
        f"yes or no, {WRONG:.0%} wrong": (plain, WRONG),
        "kinds": (kinds, 0.0),
    }
    order = inspection_order(candidates.scores)
    found = {"none": _after(candidates, order[:looks], np.array(plain))}
    for way, (answers, wrong) in ways.items():
        runs = []
        for seed in range(seeds):
            shown = simulate_feedback(_ranker(candidates), answers, looks=looks, wrong=wrong, seed=seed).rows
            runs.append(_after(candidates, shown, np.array(plain)))
        found[way] = mean_measures(runs)
    return found


def _ranker(candidates: SceneCandidates) -> Callable[[int], RelevanceFeedback]:
    vectors = candidates.vectors / np.maximum(candidates.vectors.std(axis=0), 1e-6)
    return lambda seed: RelevanceFeedback(vectors, candidates.scores, seed)


def _after(candidates: SceneCandidates, shown: NDArray[np.intp], unknown: NDArray[np.bool_]) -> Measures:
    """Measures when these candidates were inspected, in this order, and no other."""
    scores = np.full(len(unknown), -float(len(unknown)) - 1)
    scores[shown] = -np.arange(len(shown), dtype=np.float64)
    curve = candidates.curve(scores)
    measures: Measures = {}
    for looks in (n for n in ANSWERED if n <= max(len(shown), ANSWERED[0])):
        measures[f"unknown after {looks} looks"] = float(unknown[shown[:looks]].sum())
        after = curve.after(min(looks, len(shown)))
        measures |= {key(name, looks, per_image=False): after[name] for name in SHARES}
    return measures


def reported_looks() -> list[tuple[int, bool]]:
    """The numbers of looks that are reported, each with whether it is per image."""
    return [(n, True) for n in LOOKS_PER_IMAGE] + [(n, False) for n in LOOKS_IN_ALL]
