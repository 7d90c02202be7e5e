"""What candidate classes are worth over scenes: every way to rank them, and the one that other scenes would choose.

    python benchmarks/discover_classes.py streets=demo,demo_objects road_anomaly=road_anomaly_21 > tables.md

Each argument is a scene and its catalogues of the workspace, of segments and of objects, all with truth. Of the first
ten classes of each catalogue are counted those that are mostly of unknown kinds, and the unknown kinds with at least
five candidates that are the most frequent label of one of them (and of the first eight). A way is as good as the mean,
over scenes, of the share of such kinds and the share of classes that are unknown. What a scene is reported with was
chosen by the other scenes alone.
"""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product

import numpy as np
from command_line import command_line
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from oodretrieval.experiment.configuration import load_configuration
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import CommonSettings
from oodretrieval.results.tables import markdown_head, markdown_row
from oodretrieval.search import ClassEvidence, candidate_classes, cluster
from oodretrieval.search.principal_directions import principal_directions
from oodretrieval.stages.discover.class_evidence import CandidateTruth, class_evidence
from oodretrieval.stages.discover.discover_classes import first_classes
from oodretrieval.stores import Catalogue, Workspace

FIRST, FIRST_ON_A_PAGE = 10, 8
FEWEST = 5
"""Candidates of a kind that could be a class."""
COMPONENTS = (32, 100)
METHODS = ("agglomerative", "kmeans")
NUMBERS = ((6, 60), (8, 60), (6, 40))
"""Things a cluster, and most clusters."""
TERMS: Mapping[str, Mapping[str, float]] = {
    "novelty": {"novelty": 1},
    "strangeness": {"strangeness": 1},
    "novelty, strangeness": {"novelty": 1, "strangeness": 1},
    "novelty, strangeness, disagreement": {"novelty": 1, "strangeness": 1, "disagreement": 1},
    "novelty, strangeness, images / 2": {"novelty": 1, "strangeness": 1, "images": 0.5},
    "all, images / 2": {"novelty": 1, "strangeness": 1, "disagreement": 1, "images": 0.5},
    "novelty, 2 strangeness": {"novelty": 1, "strangeness": 2},
    "2 novelty, strangeness, images / 2": {"novelty": 2, "strangeness": 1, "images": 0.5},
}
LOOKS_LIKE = (2.0, 0.5, 0.6)
"""Cosine from which a cluster that looks like an earlier one comes after the others; the first: none does."""
Way = tuple[int, str, tuple[int, int], str, float]
DEFAULT: Way = (100, "agglomerative", (6, 60), "novelty, strangeness, disagreement", 0.5)


@dataclass(frozen=True, eq=False)
class Searched:
    """A catalogue with truth."""

    scene: str
    name: str
    vectors: NDArray[np.floating]
    evidence: ClassEvidence
    truth: CandidateTruth


@dataclass(frozen=True)
class Found:
    """What the first classes of a catalogue are."""

    unknown: int
    led: int
    led_on_a_page: int
    kinds: int

    @property
    def worth(self) -> float:
        """Mean of the share of kinds that lead a class, and of classes that are unknown."""
        shares = [self.unknown / FIRST]
        shares += [self.led / self.kinds] if self.kinds else []
        return float(np.mean(shares))

    def words(self) -> str:
        """One cell of a table."""
        return f"{self.led} ({self.led_on_a_page}) of {self.kinds} kinds, {self.unknown} of {FIRST} unknown"


def main() -> None:
    """Print the tables."""
    parser = command_line(__doc__)
    parser.add_argument("scenes", nargs="+")
    parser.add_argument("--workspace", default="")
    options = parser.parse_args()
    logging.basicConfig(level=logging.WARNING)
    configuration = load_configuration()
    run = Run(configuration, Workspace(options.workspace or configuration.workspace))
    searched = [
        _searched(run, scene, name)
        for scene, names in (argument.split("=") for argument in options.scenes)
        for name in names.split(",")
    ]
    found = {(one.name, way): result for one in searched for way, result in _results(one)}
    scenes = list(dict.fromkeys(one.scene for one in searched))
    ways = list(dict.fromkeys(way for _, way in found))

    def worth(way: Way, where: list[str]) -> float:
        by_scene = [[found[one.name, way].worth for one in searched if one.scene == s] for s in where]
        return float(np.mean([np.mean(values) for values in by_scene]))

    print(markdown_head("terms", "alike ones after others", "mean over scenes", "worst scene"))
    for terms, looks_like in product(TERMS, LOOKS_LIKE):
        way: Way = (*DEFAULT[:3], terms, looks_like)
        worst = min(worth(way, [scene]) for scene in scenes)
        print(markdown_row(terms, _alike(looks_like), f"{worth(way, scenes):.3f}", f"{worst:.3f}"))
    best = max(ways, key=lambda way: worth(way, scenes))
    print(f"\ndefault: {_words(DEFAULT)}; best over all scenes: {_words(best)}, {worth(best, scenes):.3f}\n")
    chosen_by_others = []
    head = ("catalogue", "candidates, of them unknown", "default", "chosen by the other scenes", "which is")
    print(markdown_head(*head))
    for one in searched:
        others = [scene for scene in scenes if scene != one.scene] or scenes
        chosen = max(ways, key=lambda way: worth(way, others))
        named = one.truth.names != ""
        share = f"{len(named)}, {one.truth.unknown[named].mean():.0%}"
        cells = [
            one.name,
            share,
            found[one.name, DEFAULT].words(),
            found[one.name, chosen].words(),
            _words(chosen),
        ]
        print(markdown_row(*cells))
        if one.name == next(other.name for other in searched if other.scene == one.scene):
            chosen_by_others.append(worth(chosen, [one.scene]))
    print(f"\nchosen by the other scenes, mean over scenes: {np.mean(chosen_by_others):.3f}\n")


def _words(way: Way) -> str:
    components, method, (things, most), terms, looks_like = way
    how = f"{components} components, {method}, {things} things a cluster, at most {most}, {terms}"
    return f"{how}, alike ones after others: {_alike(looks_like)}"


def _alike(looks_like: float) -> str:
    return f"from {looks_like}" if looks_like <= 1 else "no"


def _searched(run: Run, scene: str, name: str) -> Searched:
    catalogue = Catalogue.named(run.workspace, name)
    truth = CandidateTruth.of(catalogue)
    assert truth is not None, f"{name} has no truth"
    evidence = class_evidence(catalogue, run, CommonSettings(gpu=-1))
    return Searched(scene, name, np.asarray(catalogue.vectors), evidence, truth)


def _results(one: Searched) -> Iterator[tuple[Way, Found]]:
    kinds = {name for name, count in one.truth.kinds.items() if count >= FEWEST}
    things = len(np.unique(one.evidence.things))
    for components, method, (share, most) in product(COMPONENTS, METHODS, NUMBERS):
        with threadpool_limits(1):  # as the stage does
            directions = principal_directions(one.vectors, components)
            groups = cluster(directions, method, min(most, max(8, things // share)))
        for (terms, weights), looks_like in product(TERMS.items(), LOOKS_LIKE):
            ranked = candidate_classes(
                directions, groups, one.evidence, weights, looks_like, alike_last=looks_like <= 1
            )
            first = first_classes(ranked[:FIRST], one.truth)
            led = {name: rank for name, rank in first["led"].items() if name in kinds}
            early = sum(rank <= FIRST_ON_A_PAGE for rank in led.values())
            yield (
                (components, method, (share, most), terms, looks_like),
                Found(first["unknown"], len(led), early, len(kinds)),
            )


if __name__ == "__main__":
    main()
