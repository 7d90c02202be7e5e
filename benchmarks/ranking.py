"""A ranking that holds on streets never seen: every candidate score on every scene, and the choice among them.

    python benchmarks/ranking.py describe   # runs the networks once: minutes an entry; goes on where it broke off
    python benchmarks/ranking.py report     # the tables of docs/ranking.md, in seconds

Known training segments are those of images at equal steps of what the network was trained on; the scenes are images
that it has never seen (those whose name ends in * it has: shown apart). Nothing is fitted on a truth that says what is
unknown, except in the rows that say so, which learn from the other scenes.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from checkout import ROOT
from command_line import command_line, note_progress, write_or_print
from numpy.typing import NDArray
from ranking_cache import Described, Describer, Meaning, joined
from ranking_recipes import CHOSEN, PLAIN, RECIPES, SINGLES, learned_from_others
from ranking_terms import Scene
from safetensors import safe_open

from oodretrieval.choices import LARGE_SEGMENT
from oodretrieval.datasets import SegmentationDataset, open_dataset
from oodretrieval.entries import ModelEntry
from oodretrieval.evaluation import auprc, block_weights, interval, resampled_ranks
from oodretrieval.experiment.configuration import Configuration, load_configuration
from oodretrieval.labels import NO_CLASS
from oodretrieval.results.tables import markdown_table

REPETITIONS = 500


@dataclass(frozen=True)
class Source:
    """Where the segments of a scene, or of a network's training images, come from.

    Attributes:
        model: Name of the network.
        dataset: Name of the dataset.
        step: Every how many images are taken.
        reference: Name of the source of its known segments; empty for one that is a reference.
        block: Images resampled together: neighbours in a video resemble each other.
        seen: Whether the network has seen the place: shown apart.
        drive: Beginning of the ids of reference images that are left out: of a drive that the network has seen, what
            is known comes from the other drives.
    """

    model: str
    dataset: str
    step: int = 1
    reference: str = ""
    block: int = 1
    seen: bool = False
    drive: str = ""


SOURCES = {
    "camvid": Source("deeplabv3plus_camvid", "camvid_train", 4),
    "streets": Source("deeplabv3plus_streets", "streets_val"),
    "without 0006r0": Source("deeplabv3plus_without_0006r0", "camvid_without_0006r0", 7),
    "camvid_0006r0": Source("deeplabv3plus_without_0006r0", "camvid_0006r0", 2, "without 0006r0", 10),
    "without 0016e5": Source("deeplabv3plus_without_0016e5", "camvid_without_0016e5", 4),
    "camvid_0016e5": Source("deeplabv3plus_without_0016e5", "camvid_0016e5", 3, "without 0016e5", 7),
    "without 0001tp": Source("deeplabv3plus_without_0001tp", "camvid_without_0001tp", 7),
    "camvid_0001tp": Source("deeplabv3plus_without_0001tp", "camvid_0001tp_12", 1, "without 0001tp", 10),
    "road_anomaly_21": Source("deeplabv3plus_camvid", "road_anomaly_21", 1, "camvid"),
    "fishyscapes_static": Source("deeplabv3plus_camvid", "fishyscapes_static", 1, "camvid"),
    "idd_lite_val": Source("deeplabv3plus_camvid", "idd_lite_val", 2, "camvid"),
    "streets_test_fog": Source("deeplabv3plus_streets", "streets_test_fog", 2, "streets"),
    "streets_test_dusk": Source("deeplabv3plus_streets", "streets_test_dusk", 2, "streets"),
    "0001TP*": Source("deeplabv3plus_camvid", "camvid_0001tp_12", 1, "camvid", 10, seen=True, drive="0001TP"),
    "0006R0*": Source("deeplabv3plus_camvid", "camvid_0006r0", 2, "camvid", 10, seen=True, drive="0006R0"),
    "0016E5*": Source("deeplabv3plus_camvid", "camvid_val", 3, "camvid", 7, seen=True, drive="0016E5"),
    "streets_test*": Source("deeplabv3plus_streets", "streets_test", 2, "streets", seen=True),
}


def meaning_of(name: str, dataset: SegmentationDataset) -> Meaning:
    """What the labels of a dataset mean for a network of CamVid's or of the rendered streets' classes."""
    labels = dataset.label_set
    assert labels is not None
    if name.startswith("idd_lite"):  # coarse labels: living things are unknown, vehicles may be known or not
        return Meaning({0: NO_CLASS}, frozenset({2}), frozenset({3, NO_CLASS}))
    unknown = {k for k, v in labels.label_to_pred.items() if v == NO_CLASS} - labels.void_ids
    return Meaning(labels.label_to_pred, frozenset(unknown), frozenset(labels.void_ids))


def path_of(name: str, cache: Path) -> Path:
    """Where the description of a source lies, without the ends of its two files."""
    return cache / name.strip("*").replace(" ", "_")


def entry_of(source: Source, configuration: Configuration, weights: Path | None) -> ModelEntry:
    """The network of a source, its weights from the folder of the networks of scenes where it is one of these."""
    entry = configuration.models[source.model]
    if weights is not None and "without" in source.model:
        entry = replace(entry, weights=weights / f"{source.model}.safetensors")
    return entry


def describe(name: str, cache: Path, configuration: Configuration, weights: Path | None) -> None:
    """Describe the segments of one source; what is there stays."""
    source, path = SOURCES[name], path_of(name, cache)
    if path.with_suffix(".parquet").is_file():
        return
    describer = Describer(entry_of(source, configuration, weights))
    dataset = open_dataset(configuration.datasets[source.dataset], source.dataset)
    meaning = meaning_of(source.dataset, dataset)
    images = range(0, len(dataset), source.step)
    joined(describer(dataset[i], meaning) for i in images).write(path)
    logging.info("%s: %d images", name, len(images))


def read_scenes(cache: Path, configuration: Configuration, weights: Path | None) -> dict[str, Scene]:
    """Every scene that is described, with its reference."""
    scenes = {}
    for name, source in SOURCES.items():
        paths = [path_of(part, cache) for part in (source.reference, name)]
        if source.reference and all(path.with_suffix(".parquet").is_file() for path in paths):
            training, test = (Described.read(path) for path in paths)
            if source.drive:
                others = ~training.table["image_id"].str.startswith(source.drive)
                training = training.take(others.to_numpy())
            entry = entry_of(source, configuration, weights)
            with safe_open(Path(entry.weights or ""), framework="numpy") as content:
                classifier = (
                    content.get_tensor("classifier.weight")[:, :, 0, 0].astype(np.float32),
                    content.get_tensor("classifier.bias").astype(np.float32),
                )
            scenes[name] = Scene.of(name, training, test, classifier, source.seen)
    return scenes


Scores = Mapping[str, Mapping[str, NDArray[np.float64]]]


def all_scores(scenes: Mapping[str, Scene], min_pixels: int) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Recipe → scene → score of each of its segments, ``(n,)``."""
    scores = {
        recipe: {name: score(scene) for name, scene in scenes.items()} for recipe, score in RECIPES.items()
    }
    return scores | learned_from_others(scenes, min_pixels)


def precisions(scenes: Mapping[str, Scene], scores: Scores, min_pixels: int) -> pd.DataFrame:
    """AP of every recipe (rows) on every scene (columns)."""
    found: dict[str, dict[str, float]] = {}
    for recipe, of_scene in scores.items():
        found[recipe] = {}
        for name, scene in scenes.items():
            rows = scene.evaluated(min_pixels)
            found[recipe][name] = auprc(scene.unknown[rows], of_scene[name][rows])
    return pd.DataFrame.from_dict(found, orient="index")


def summary(table: pd.DataFrame, scenes: Mapping[str, Scene]) -> pd.DataFrame:
    """AP, its mean over scenes not seen, and what is lost at worst to the best single score and to the plain sum."""
    unseen = [name for name, scene in scenes.items() if not scene.seen]
    best, plain = table.loc[list(SINGLES), unseen].max(), table.loc[PLAIN, unseen]
    shown = table.assign(
        **{
            "mean over unseen": table[unseen].mean(axis="columns"),
            "worst to best single": (table[unseen] - best).min(axis="columns"),
            "worst to plain sum": (table[unseen] - plain).min(axis="columns"),
        }
    )
    shown.index.name = "score"
    return shown


def choices(table: pd.DataFrame, scenes: Mapping[str, Scene], groups: Callable[[str], str]) -> pd.DataFrame:
    """For every scene the recipe that is best in the mean of the others, and what it is worth on this one."""
    unseen = [name for name, scene in scenes.items() if not scene.seen]
    candidates = [recipe for recipe in table.index if recipe in RECIPES]
    lines = {}
    for name in unseen:
        others = [other for other in unseen if groups(other) != groups(name)]
        chosen = str(table.loc[candidates, others].mean(axis="columns").idxmax())
        lines[name] = {
            "chosen by the others": chosen,
            "AP": table.loc[chosen, name],
            "AP of the default": table.loc[CHOSEN, name],
            "best single score": str(table.loc[list(SINGLES), name].idxmax()),
            "its AP": table.loc[list(SINGLES), name].max(),
            "plain sum": table.loc[PLAIN, name],
        }
    return pd.DataFrame.from_dict(lines, orient="index").rename_axis("scene")


def intervals(scenes: Mapping[str, Scene], scores: Scores, min_pixels: int) -> pd.DataFrame:
    """AP of the default with its interval, and the intervals of what it gains, within the same resamples."""
    lines = {}
    for name, scene in scenes.items():
        rows = scene.evaluated(min_pixels)
        frames = scene.searched.places[rows]
        weights = block_weights(
            int(scene.searched.places.max()) + 1, block=SOURCES[name].block, repetitions=REPETITIONS
        )
        unknown = scene.unknown[rows]
        drawn = {
            recipe: resampled_ranks(weights, frames, unknown, scores[recipe][name][rows])["auprc"]
            for recipe in (*SINGLES, PLAIN, CHOSEN)
        }
        value = {recipe: auprc(unknown, scores[recipe][name][rows]) for recipe in drawn}
        best = max(SINGLES, key=lambda recipe: value[recipe])
        line: dict[str, object] = {"segments": len(unknown), "unknown": int(unknown.sum())}
        low, high = interval(drawn[CHOSEN], value=value[CHOSEN])
        line["AP of the default"] = f"{value[CHOSEN]:.3f} ({low:.3f}…{high:.3f})"
        for other, words in ((best, "minus the best single score"), (PLAIN, "minus the plain sum")):
            low, high = interval(drawn[CHOSEN] - drawn[other], value=value[CHOSEN] - value[other])
            line[words] = f"{value[CHOSEN] - value[other]:+.3f} ({low:+.3f}…{high:+.3f})"
        lines[name] = line
    return pd.DataFrame.from_dict(lines, orient="index").rename_axis("scene")


def group(name: str) -> str:
    """Scenes of the same streets are one when it comes to choosing."""
    return "rendered" if name.startswith("streets") else name


def report(cache: Path, configuration: Configuration, weights: Path | None, min_pixels: int) -> str:
    """All tables as Markdown."""
    scenes = read_scenes(cache, configuration, weights)
    scores = all_scores(scenes, min_pixels)
    table = precisions(scenes, scores, min_pixels)
    parts = {
        "The default on every scene": intervals(scenes, scores, min_pixels),
        "Every score that was tried": summary(table, scenes),
        "Chosen without the scene": choices(table, scenes, group),
    }
    return "\n".join(f"## {title}\n\n{markdown_table(part)}\n" for title, part in parts.items())


def main() -> None:
    """Read the command line and run."""
    parser = command_line(__doc__)
    parser.add_argument("task", choices=("describe", "report"))
    parser.add_argument("--sources", nargs="+", choices=tuple(SOURCES), default=tuple(SOURCES))
    parser.add_argument("--cache", type=Path, default=ROOT / "workspace" / "ranking")
    parser.add_argument("--weights", type=Path, help="folder of the networks of benchmarks/scenes.py")
    parser.add_argument(
        "--min-pixels", type=int, default=LARGE_SEGMENT, help="of segments that are evaluated"
    )
    parser.add_argument("--output", type=Path, help="Markdown file to write; else it is printed")
    chosen = parser.parse_args()
    note_progress()
    configuration = load_configuration()
    if chosen.task == "describe":
        for name in chosen.sources:
            describe(name, chosen.cache, configuration, chosen.weights)
        return
    text = report(chosen.cache, configuration, chosen.weights, chosen.min_pixels)
    write_or_print(text, chosen.output)


if __name__ == "__main__":
    main()
