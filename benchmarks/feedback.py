"""What a person's answers are worth: unknown segments found after some looks, and what an update costs.

    python benchmarks/feedback.py scenes --scene deeplabv3plus_streets streets_test [--scene MODEL DATASET …]
    python benchmarks/feedback.py speed

Makes the tables of docs/feedback.md. `scenes` needs predictions with logits (pred_images) and segment tables
(compute_metrics) of the datasets in the workspace; features that are not there yet are computed and kept. Each dataset
is cut into runs of neighbouring images of about 1333 segments: in random order it takes a thousand looks to find three
quarters of the unknown ones. Pages of 12 looks; a segment is unknown if more than half of its pixels are.
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from command_line import USUAL_WORKSPACE, command_line, write_or_print
from feedback_methods import METHODS, WITH_ERRORS, Method, Part
from measuring import alternate, load
from numpy.typing import NDArray

from oodretrieval.choices import DISTANCE, SIMULATIONS
from oodretrieval.errors import PartialFailure
from oodretrieval.evaluation import mean_found, simulate_feedback
from oodretrieval.experiment.configuration import load_configuration
from oodretrieval.experiment.device import choose_device
from oodretrieval.experiment.run import Run
from oodretrieval.novelty import NoveltyModel
from oodretrieval.novelty.scores import dispersion_score
from oodretrieval.results.tables import markdown_table
from oodretrieval.search import RelevanceFeedback
from oodretrieval.stages.fit.settings import TrainNoveltySettings
from oodretrieval.stages.measure.segment_features import SegmentFeatures, SegmentVectors
from oodretrieval.stores import Stored, Workspace

PRIORS = ("novelty", "energy", "sum")
LOOKS = (12, 24, 50, 100, 200)
TARGET, AT = 50, LOOKS.index(50)
FEWEST = 8


def parts_of(workspace: Workspace, stored: Stored, arguments: argparse.Namespace) -> Iterator[Part]:
    """Runs of images of a dataset that have enough unknown segments to look for."""
    configuration = load_configuration()
    run = Run(configuration, workspace)
    work = run.stored(stored.model, stored.dataset)
    table = work.table()
    features = SegmentFeatures(arguments.backbone, choose_device(arguments.gpu))
    found, failures = features.of(work, table)
    if failures:
        raise PartialFailure("benchmarks/feedback.py", failures)
    novelty = run.trained.novelty_model(stored.model)
    large = table["S"].to_numpy() >= arguments.min_pixels
    scores = prior_score(novelty, table, found, arguments.prior)[large]
    table, vectors = table[large], found.deep[large]
    unknown = table["unknown_fraction"].to_numpy() > 0.5
    images = pd.factorize(table["image_id"])[0]
    number = max(1, round(len(table) / arguments.segments))
    part = images * number // (images.max() + 1)
    for place in range(number):
        rows = np.flatnonzero(part == place)
        if unknown[rows].sum() >= FEWEST:
            yield Part(vectors[rows], scores[rows], unknown[rows])


def prior_score(
    novelty: NoveltyModel, table: pd.DataFrame, vectors: SegmentVectors, name: str
) -> NDArray[np.float64]:
    """The score to start from, ``(n,)``: novelty, energy, or energy plus distance in units of their spread."""
    if name == "novelty":
        return novelty.score(table, vectors.deep, fine=vectors.fine)
    energy, distance = dispersion_score(table, "energy"), novelty.score(table, vectors.deep, DISTANCE)
    if name == "energy":
        return energy
    spread = [np.median(np.abs(x - np.median(x))) or 1.0 for x in (energy, distance)]
    return np.asarray(energy / spread[0] + distance / spread[1], np.float64)


def found(part: Part, method: Method, wrong: float) -> NDArray[np.float64]:
    """Share of the unknown segments that looks could show which they did, for each of :data:`LOOKS`."""
    seeds = range(SIMULATIONS if wrong or method.random else 1)
    curve = mean_found(
        [
            simulate_feedback(
                lambda seed: method.make(part, seed), part.unknown, looks=max(LOOKS), wrong=wrong, seed=seed
            )
            for seed in seeds
        ]
    )
    total = int(part.unknown.sum())
    return np.array([curve[min(n, len(curve)) - 1] / min(n, total) for n in LOOKS])


def scenes(arguments: argparse.Namespace) -> str:
    """The tables of all scenes, as Markdown."""
    workspace = Workspace(arguments.workspace)
    of_scenes = [Stored(*names) for names in arguments.scene]
    parts = {stored: list(parts_of(workspace, stored, arguments)) for stored in of_scenes}
    without = [stored.dataset for stored, runs in parts.items() if not runs]
    if without:
        raise SystemExit(
            f"nothing to find: no run of {FEWEST} or more unknown segments in {', '.join(without)}"
        )
    counted = "; ".join(
        f"{stored.dataset}: {', '.join(f'{part.unknown.sum()} of {len(part.prior)}' for part in runs)}"
        for stored, runs in parts.items()
    )
    texts = [
        f"Unknown segments in each run: {counted}. Prior: {arguments.prior}. Features: {arguments.backbone}."
    ]
    for wrong, names in ((0.0, METHODS.keys()), (0.1, WITH_ERRORS)):
        lines = {}
        for name in names:
            method = METHODS[name]
            shares = {
                key: np.mean([found(p, method, wrong) for p in runs], axis=0) for key, runs in parts.items()
            }
            every = np.array(list(shares.values()))
            lines[name] = {
                **{stored.dataset: share[AT] for stored, share in shares.items()},
                "worst": every[:, AT].min(),
                **{f"mean, {looks} looks": every[:, i].mean() for i, looks in enumerate(LOOKS)},
            }
        table = pd.DataFrame.from_dict(lines, orient="index").rename_axis(
            f"{wrong:.0%} wrong, {TARGET} looks"
        )
        texts.append(markdown_table(table))
    return "\n\n".join(texts) + "\n"


def speed(arguments: argparse.Namespace) -> str:
    """Milliseconds of an update and of one matrix-vector product over the same vectors, in turn."""
    random = np.random.default_rng(0)
    vectors = random.standard_normal((arguments.rows, arguments.size), np.float32).astype(arguments.type)
    query = np.ones(arguments.size, arguments.type)
    started = time.process_time()
    learner = RelevanceFeedback(vectors, random.standard_normal(arguments.rows))
    built = time.process_time() - started
    learner.update(range(arguments.answers), [True, False] * (arguments.answers // 2))

    def update() -> None:
        learner.update(range(12), [True, False] * 6)
        learner.scores()

    update()
    started = time.process_time()
    update()
    worked = time.process_time() - started
    seconds = alternate({"product": lambda: vectors @ query, "update": update}, 15)
    return (
        f"{arguments.rows} × {arguments.size} {arguments.type}, {arguments.answers} answers: update and scores "
        f"{1000 * seconds['update']:.0f} ms, {seconds['update'] / seconds['product']:.2f} of one matrix-vector product "
        f"({1000 * seconds['product']:.0f} ms). CPU time: {1000 * worked:.0f} ms, once at the start {built:.1f} s. "
        f"Load {load()}.\n"
    )


def main() -> None:
    """Read the command line, print the text or write it."""
    parser = command_line(__doc__)
    commands = parser.add_subparsers(required=True)
    of_scenes = commands.add_parser("scenes", help="unknown segments found")
    of_scenes.add_argument("--workspace", default=USUAL_WORKSPACE)
    of_scenes.add_argument("--scene", nargs=2, action="append", required=True, metavar=("MODEL", "DATASET"))
    of_scenes.add_argument("--prior", choices=PRIORS, default="novelty", help="score to start from")
    of_scenes.add_argument(
        "--backbone", default=TrainNoveltySettings.backbone, help="network of the features"
    )
    of_scenes.add_argument("--min-pixels", type=int, default=400, help="of the segments")
    of_scenes.add_argument("--segments", type=int, default=1333, help="segments in a run of images, about")
    of_scenes.add_argument("--gpu", type=int, default=-1)
    of_scenes.set_defaults(report=scenes)
    of_speed = commands.add_parser("speed", help="what an update costs")
    of_speed.add_argument("--rows", type=int, default=100_000)
    of_speed.add_argument("--size", type=int, default=1280)
    of_speed.add_argument("--type", default="float32", help="float16, float32 or float64")
    of_speed.add_argument("--answers", type=int, default=120, help="answers given before")
    of_speed.set_defaults(report=speed)
    for command in (of_scenes, of_speed):
        command.add_argument("--output", type=Path, help="Markdown file to write; else it is printed")
    arguments = parser.parse_args()
    write_or_print(arguments.report(arguments), arguments.output)


if __name__ == "__main__":
    main()
