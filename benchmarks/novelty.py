"""Ablation of the novelty score: what each of its parts is worth, and what other ways to join them are.

    python benchmarks/novelty.py --model deeplabv3plus_camvid --train camvid_train --test camvid_val --block 20
    python benchmarks/novelty.py --model deeplabv3plus_streets --train streets_val --test streets_test --block 1

Makes the tables of docs/novelty.md. Needs predictions with logits (pred_images) and segment tables (compute_metrics) of
both datasets in the workspace; features that are not there yet are computed and kept. Everything is fitted on known
segments of the training images. A test segment is unknown if more than half of its pixels are. Intervals are of 95 %,
by bootstrap over blocks of images; differences are taken within the same resamples.
"""

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from class_standardisation import ClassStandardisation
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.ensemble import IsolationForest
from sklearn.mixture import GaussianMixture
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from oodretrieval.errors import PartialFailure
from oodretrieval.evaluation import auprc, auroc, block_resamples, interval
from oodretrieval.experiment.configuration import load_configuration
from oodretrieval.experiment.device import choose_device
from oodretrieval.experiment.run import Run
from oodretrieval.meta_models import num_classes_of
from oodretrieval.novelty import NoveltyModel, dispersion_score, known_rows
from oodretrieval.novelty.model import DISTANCE
from oodretrieval.novelty.neighbours import known_bank
from oodretrieval.results.rules import Resampling
from oodretrieval.results.tables import markdown_table
from oodretrieval.stages.evaluate.selection.inspection_orders import FIRST
from oodretrieval.stages.fit.settings import TrainNoveltySettings
from oodretrieval.stages.measure.segment_features import SegmentFeatures
from oodretrieval.stores import Workspace

NOVELTY, LOOSE = "**novelty**", "novelty, learned from segments up to half unknown"
UNKNOWN_SHARE = LOOSE_SHARE = 0.5
MIXED = 4
SEEDS = 10
Scores = dict[str, NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Described:
    """Segments of a dataset.

    Attributes:
        table: Their rows of the segment table.
        features: Pooled features, ``(n, D)``.
    """

    table: pd.DataFrame
    features: NDArray[np.float32]

    def take(self, rows: NDArray[np.bool_]) -> "Described":
        """Some of them."""
        return Described(self.table[rows], self.features[rows])


@dataclass(frozen=True, eq=False)
class Terms:
    """What scores are made of, for each of ``n`` segments.

    Attributes:
        values: ``energy``, ``entropy`` and ``distance`` → ``(n,)``, higher where more unknown.
        classes: Predicted classes, ``(n,)``.
        log_size: ``ln`` of the pixels, ``(n,)``.
    """

    values: Scores
    classes: NDArray[np.int64]
    log_size: NDArray[np.float64]

    @classmethod
    def of(cls, table: pd.DataFrame, distance: NDArray[np.float64]) -> "Terms":
        """From the segment table and the logarithms of the distances."""
        values = {name: dispersion_score(table, name) for name in ("energy", "entropy")}
        sizes = table["S"].to_numpy(np.float64)
        return cls(values | {"distance": distance}, table["class"].to_numpy(np.int64), np.log(sizes))

    def columns(self) -> NDArray[np.float64]:
        """Energy, distance and size, ``(n, 3)``."""
        return np.column_stack([self.values["energy"], self.values["distance"], self.log_size])


@dataclass(frozen=True, eq=False)
class Standardiser:
    """Robust z-scores of test segments against known training segments.

    Attributes:
        known: To learn from.
        test: To standardise.
        num_classes: Classes of the segmentation network.
    """

    known: Terms
    test: Terms
    num_classes: int

    def __call__(self, name: str, *, by_class: bool, by_size: bool) -> NDArray[np.float64]:
        """Of one value, ``(n,)``, by the predicted class or over all, given the size or not."""
        known, test = self.known, self.test
        known_classes, classes, number = known.classes, test.classes, self.num_classes
        if not by_class:
            known_classes, classes, number = np.zeros_like(known_classes), np.zeros_like(classes), 1
        size = known.log_size if by_size else None
        standardisation = ClassStandardisation.of(known.values[name], known_classes, number, size)
        return standardisation(test.values[name], classes, test.log_size)


def all_scores(train: Described, test: Described, num_classes: int) -> Scores:
    """Every row of the ablation: name → score of each test segment, ``(n,)``, higher where more unknown."""
    model = NoveltyModel.fit(train.table, train.features, num_classes=num_classes)
    known = train.take(known_rows(train.table))
    classes = known.table["class"].to_numpy(np.int64)
    _, apart = known_bank(known.features, classes, pd.factorize(known.table["image_id"])[0], seed=0)
    learned = Terms.of(known.table, apart)
    terms = Terms.of(test.table, model.score(test.table, test.features, DISTANCE))
    z = Standardiser(learned, terms, num_classes)
    energy, distance = terms.values["energy"], terms.values["distance"]
    energy_by_both = z("energy", by_class=True, by_size=True)
    energy_by_size = z("energy", by_class=False, by_size=True)
    distance_by_class = z("distance", by_class=True, by_size=False)
    distance_over_all = z("distance", by_class=False, by_size=False)
    novelty = model.score(test.table, test.features)
    return {
        "energy": energy,
        "energy by class": z("energy", by_class=True, by_size=False),
        "energy by size": energy_by_size,
        "energy by class and size": energy_by_both,
        "distance": distance,
        "distance by class": distance_by_class,
        "rank sum of energy and distance": rankdata(energy) + rankdata(distance),
        "z-scores over all classes": z("energy", by_class=False, by_size=False) + distance_over_all,
        "energy by size + distance, over all classes": energy_by_size + distance_over_all,
        NOVELTY: novelty,
        "novelty, distance twice": novelty + distance_by_class,
        "novelty, energy twice": novelty + energy_by_both,
        "novelty + entropy by class and size": novelty + z("entropy", by_class=True, by_size=True),
        LOOSE: _learned_loosely(train, test, num_classes),
        **_densities(learned, terms),
    }


def _learned_loosely(train: Described, test: Described, num_classes: int) -> NDArray[np.float64]:
    """Novelty by a model that was fitted on segments up to half unknown or void, too."""
    nothing = train.table["unknown_fraction"] + train.table["void_fraction"]
    as_if_known = nothing.between(0, LOOSE_SHARE)  # without truth both are -1
    loose = train.table.assign(unknown_fraction=np.where(as_if_known, 0.0, 1.0), void_fraction=0.0)
    model = NoveltyModel.fit(loose, train.features, num_classes=num_classes)
    return model.score(test.table, test.features)


def by_kept_segments(train: Described, test: Described, unknown: NDArray[np.bool_], num_classes: int) -> str:
    """AP of novelty where other segments are kept of classes that have many, in words."""
    found = []
    for seed in range(SEEDS):
        model = NoveltyModel.fit(train.table, train.features, num_classes=num_classes, seed=seed)
        found.append(auprc(unknown, model.score(test.table, test.features)))
    return (
        f"AP of novelty by which segments are kept (seeds 0…{SEEDS - 1}): {min(found):.3f}…{max(found):.3f}, median "
        f"{np.median(found):.3f}; seed 0, as above, {found[0]:.3f}."
    )


def _densities(known: Terms, test: Terms) -> Scores:
    """How unlikely energy, distance and size are together."""
    models = {
        "isolation forest of energy, distance, size": IsolationForest(random_state=0),
        f"mixture of {MIXED} Gaussians of the same": GaussianMixture(MIXED, random_state=0),
    }
    return {
        name: -make_pipeline(StandardScaler(), model).fit(known.columns()).score_samples(test.columns())
        for name, model in models.items()
    }


def ablation_table(
    scores: Mapping[str, NDArray[np.float64]],
    unknown: NDArray[np.bool_],
    images: NDArray[np.integer],
    resampling: Resampling,
) -> pd.DataFrame:
    """Measures of every score.

    Args:
        scores: Name → of each segment, ``(n,)``; among them :data:`NOVELTY`.
        unknown: Whether each is unknown, ``(n,)``.
        images: Place of each segment's image, ``(n,)``; places without a segment have none to evaluate.
        resampling: How images are resampled.
    """
    members = [np.flatnonzero(images == place) for place in range(int(images.max()) + 1)]
    resamples = block_resamples(len(members), block=resampling.block, repetitions=resampling.repetitions)
    resampled = [np.concatenate([members[place] for place in places]) for places in resamples]
    resampled = [rows for rows in resampled if unknown[rows].any()]
    precisions = {
        name: np.array([auprc(unknown[rows], score[rows]) for rows in resampled])
        for name, score in scores.items()
    }
    lines: dict[str, dict[str, object]] = {}
    for name, score in scores.items():
        low, high = interval(precisions[name])
        less, more = interval(precisions[NOVELTY] - precisions[name])
        first = np.argsort(-score, kind="stable")[:FIRST]
        lines[name] = {
            "AUROC": auroc(unknown, score),
            "AP": f"{auprc(unknown, score):.3f} ({low:.3f}…{high:.3f})",
            f"unknown among first {FIRST}": int(unknown[first].sum()),
            "novelty minus this, AP": None if name == NOVELTY else f"{less:+.3f}…{more:+.3f}",
        }
    table = pd.DataFrame.from_dict(lines, orient="index")
    table.index.name = "score"
    return table


def report(arguments: argparse.Namespace) -> str:
    """The ablation of one scene, as Markdown."""
    configuration = load_configuration()
    run = Run(configuration, Workspace(arguments.workspace))
    features = SegmentFeatures(arguments.backbone, choose_device(arguments.gpu))
    found = []
    for name in (arguments.train, arguments.test):
        work = run.stored(arguments.model, name)
        table = work.table()
        vectors, failures = features.of(work, table)
        if failures:
            raise PartialFailure("benchmarks/novelty.py", failures)
        found.append(Described(table, vectors))
    train, test = found
    large = test.table["S"].to_numpy() >= arguments.min_pixels
    images = pd.factorize(test.table["image_id"])[0][large]
    test = test.take(large)
    unknown = test.table["unknown_fraction"].to_numpy() > UNKNOWN_SHARE
    resampling, classes = Resampling(arguments.block, arguments.repetitions), num_classes_of(train.table)
    table = ablation_table(all_scores(train, test, classes), unknown, images, resampling)
    return (
        f"## {arguments.model}, learned from {arguments.train}, evaluated on {arguments.test}\n\n"
        f"{len(unknown)} segments of at least {arguments.min_pixels} pixels, {unknown.sum()} of which are more than "
        f"half unknown. Features: {arguments.backbone}. Intervals: {resampling.words()}.\n\n{markdown_table(table)}\n\n"
        f"{by_kept_segments(train, test, unknown, classes)}\n"
    )


def main() -> None:
    """Read the command line, print the table or write it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workspace", default=os.environ.get("OODRETRIEVAL_WORKSPACE", "workspace"))
    parser.add_argument("--model", required=True, help="segmentation network")
    parser.add_argument("--train", required=True, help="dataset with truth to learn from")
    parser.add_argument("--test", required=True, help="dataset with truth to evaluate on")
    parser.add_argument(
        "--block", type=int, required=True, help="images resampled together: 20 in video, else 1"
    )
    parser.add_argument("--backbone", default=TrainNoveltySettings.backbone, help="network of the features")
    parser.add_argument("--min-pixels", type=int, default=400, help="of the segments that are evaluated")
    parser.add_argument("--repetitions", type=int, default=500, help="resamples of the bootstrap")
    parser.add_argument("--gpu", type=int, default=-1)
    parser.add_argument("--output", type=Path, help="Markdown file to write; else it is printed")
    arguments = parser.parse_args()
    text = report(arguments)
    if arguments.output:
        arguments.output.write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
