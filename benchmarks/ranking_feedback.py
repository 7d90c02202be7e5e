"""What a person's answers add to the order of the novelty, on the scenes of ranking.py.

    python benchmarks/ranking.py describe   # once
    python benchmarks/ranking_feedback.py   # a table, in seconds

Pages of twelve segments are answered by truth; the share found of the unknown segments that 50 looks can show.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from checkout import ROOT
from command_line import command_line
from numpy.typing import NDArray
from ranking import read_scenes
from ranking_recipes import BASE, shared, weighted
from ranking_terms import Scene

from oodretrieval.choices import LARGE_SEGMENT
from oodretrieval.evaluation.feedback_simulation import simulate_feedback
from oodretrieval.experiment.configuration import load_configuration
from oodretrieval.novelty.likeness import Likeness, likeness_values
from oodretrieval.results.tables import markdown_table
from oodretrieval.search import RelevanceFeedback

LOOKS = 50
Vectors = Callable[[Scene], NDArray[np.float64]]


def features(scene: Scene) -> NDArray[np.float64]:
    """Features of the ImageNet network at stride 16, as the catalogues of segments hold them."""
    return scene.searched.described.arrays["imagenet16"].astype(np.float64)


def likeness(scene: Scene) -> NDArray[np.float64]:
    """What scores are shared by."""
    described = scene.searched.described
    halves = likeness_values(described.table, described.arrays["imagenet8"])
    return Likeness.of(halves, np.zeros(len(described.table))).vectors.astype(float)


def both(scene: Scene) -> NDArray[np.float64]:
    """Standardised features next to what scores are shared by, of equal length in the mean."""
    parts = [scene.standardised("imagenet16")[1], likeness(scene)]
    parts = [part - part.mean(axis=0) for part in parts]
    return np.concatenate([part / np.sqrt((part**2).sum(axis=1).mean()) for part in parts], axis=1)


PRIORS = {"its own novelty": weighted(BASE), "shared novelty": shared(weighted(BASE))}
VECTORS: dict[str, Vectors | None] = {
    "none: order of the prior": None,
    "features": features,
    "likeness": likeness,
    "features and likeness": both,
}


def found(
    vectors: NDArray[np.float64] | None, prior: NDArray[np.float64], unknown: NDArray[np.bool_]
) -> float:
    """Share of the unknown segments that :data:`LOOKS` looks can show."""
    if vectors is None:
        relevant = unknown[np.argsort(-prior, kind="stable")[:LOOKS]]
    else:
        run = simulate_feedback(
            lambda seed: RelevanceFeedback(vectors, prior=prior, seed=seed), unknown, looks=LOOKS
        )
        relevant = run.relevant
    return float(relevant.sum() / min(LOOKS, unknown.sum()))


def main() -> None:
    """Read the command line and print the table."""
    parser = command_line(__doc__)
    parser.add_argument("--cache", type=Path, default=ROOT / "workspace" / "ranking")
    parser.add_argument("--weights", type=Path, help="folder of the networks of benchmarks/scenes.py")
    chosen = parser.parse_args()
    every = read_scenes(chosen.cache, load_configuration(), chosen.weights)
    scenes = {name: scene for name, scene in every.items() if not scene.seen}
    lines = {}
    for prior, score in PRIORS.items():
        for words, vectors in VECTORS.items():
            line = {}
            for name, scene in scenes.items():
                rows = scene.evaluated(LARGE_SEGMENT)
                own = None if vectors is None else vectors(scene)[rows]
                line[name] = found(own, score(scene)[rows], scene.unknown[rows])
            values = list(line.values())
            lines[f"{prior}; {words}"] = {**line, "worst": min(values), "mean": float(np.mean(values))}
    table = pd.DataFrame.from_dict(lines, orient="index").rename_axis(f"prior; vectors ({LOOKS} looks)")
    print(markdown_table(table))


if __name__ == "__main__":
    main()
