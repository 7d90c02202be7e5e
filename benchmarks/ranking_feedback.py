"""What a person's answers add to the order of the novelty, on the scenes of ranking.py.

    python benchmarks/ranking.py describe   # once
    python benchmarks/ranking_feedback.py   # a table, in seconds

Pages of twelve segments are answered by truth; the share found of the unknown segments that 50 looks can show.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from ranking import MIN_PIXELS, ROOT, read_scenes
from ranking_recipes import BASE, shared, weighted
from ranking_terms import Scene

from oodretrieval.experiment.configuration import load_configuration
from oodretrieval.novelty.likeness import Likeness, likeness_values
from oodretrieval.results.tables import markdown_table
from oodretrieval.search import RelevanceFeedback

LOOKS, PAGE = 50, 12
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
        order = np.argsort(-prior, kind="stable")
    else:
        feedback, seen = RelevanceFeedback(vectors, prior=prior), np.zeros(len(prior), np.bool_)
        pages: list[NDArray[np.intp]] = []
        while sum(len(page) for page in pages) < LOOKS and not seen.all():
            page = np.argsort(-np.where(seen, -np.inf, feedback.scores()), kind="stable")[:PAGE]
            pages.append(page[~seen[page]])
            seen[page] = True
            feedback.update(pages[-1], unknown[pages[-1]].tolist())
        order = np.concatenate(pages)
    return float(unknown[order[:LOOKS]].sum() / min(LOOKS, unknown.sum()))


def main() -> None:
    """Read the command line and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
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
                rows = scene.evaluated(MIN_PIXELS)
                own = None if vectors is None else vectors(scene)[rows]
                line[name] = found(own, score(scene)[rows], scene.unknown[rows])
            values = list(line.values())
            lines[f"{prior}; {words}"] = {**line, "worst": min(values), "mean": float(np.mean(values))}
    table = pd.DataFrame.from_dict(lines, orient="index")
    table.index.name = f"prior; vectors ({LOOKS} looks)"
    print(markdown_table(table))


if __name__ == "__main__":
    main()
