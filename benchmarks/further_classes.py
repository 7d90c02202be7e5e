"""Closing the loop: kinds that were named in two cities are classes of the network in a third.

    python benchmarks/further_classes.py --folder /tmp/loop

Rendered streets, three cities by seed, which the network saw none of. In the first two a simulated person reviews the
objects most worth a look, page by page, and names those of two kinds; the names are exported, and the network is
trained on with them. Prints the table of docs/further_classes.md: IoU in the third city before and after. Goes on where
it broke off.
"""

import argparse
import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.datasets import NewClasses, SegmentationDataset, open_dataset
from oodretrieval.datasets.exported import ExportedLabels
from oodretrieval.datasets.transforms import TrainingTensors
from oodretrieval.entries import DatasetEntry, ModelEntry
from oodretrieval.experiment.configuration import Configuration, load_configuration
from oodretrieval.experiment.device import choose_device
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.explorer.review import Review
from oodretrieval.explorer.settings import ExplorerSettings
from oodretrieval.explorer.state import State
from oodretrieval.masks import decode_mask
from oodretrieval.models import load_model
from oodretrieval.results.tables import markdown_table
from oodretrieval.search import RelevanceFeedback
from oodretrieval.stages.export.export import export_candidates
from oodretrieval.stages.measure.compute_metrics import compute_metrics
from oodretrieval.stages.measure.settings import MetricsSettings
from oodretrieval.stages.predict.pred_images import pred_images
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stages.select.compute_embeddings import compute_embeddings
from oodretrieval.stages.select.settings import EmbedSettings
from oodretrieval.stages.train.segmentation_quality import evaluate
from oodretrieval.stages.train.settings import TrainSegmentationSettings
from oodretrieval.stages.train.train_segmentation import train_segmentation
from oodretrieval.stores import Catalogue, Workspace

MODEL = "deeplabv3plus_streets"
NAMED, THIRD = ("city_1", "city_2"), "city_3"
SURE = 0.7
"""Share of a candidate that must show the kind for the person to name it."""


def main() -> None:
    """Do it and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True, help="workspace of its own")
    parser.add_argument("--kinds", nargs=2, default=["cone", "wheelie bin"])
    parser.add_argument("--images", type=int, default=24, help="of each city")
    parser.add_argument("--looks", type=int, default=180)
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--limit", type=int, default=60, help="images of the first training to go on with")
    parser.add_argument("--candidates", default="objects")
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    run = Run(with_cities(load_configuration(), chosen.images), Workspace(chosen.folder))
    export = chosen.folder / "exports" / "cities"
    if not (export / "classes.json").is_file():
        found = find_candidates(run, chosen.candidates)
        named = name_kinds(found, run, chosen.kinds, chosen.looks)
        export_candidates(
            found, run.workspace, np.ones(len(found), bool), ["coco", "labels"], chosen.kinds, export
        )
        (chosen.folder / "named.json").write_text(json.dumps(named))
    weights = chosen.folder / "further.safetensors"
    recipe = {
        "dataset": "streets_train", "dataset_val": "streets_val", "model_name": MODEL, "exports": [str(export)],
        "save_file": str(weights), "epochs": chosen.epochs, "limit": chosen.limit, "gpu": -1, "num_cores": 0,
        "validate_every": 2,
        "learning_rate": 3e-4, "encoder_factor": 0.1, "crop_height": 192, "crop_width": 320, "batch_size": 4,
        "scale_min": 0.75, "scale_max": 1.5, "average_decay": 0.9,
    }  # fmt: skip
    train_segmentation(from_mapping(TrainSegmentationSettings, recipe), run)
    report(run, chosen.folder, weights, export)


def with_cities(configuration: Configuration, images: int) -> Configuration:
    """The configuration with three cities that no training shows."""
    streets = configuration.dataset("streets_test")
    cities = {
        name: DatasetEntry(
            streets.module, streets.class_name, {"split": "test", "seed": seed, "count": images}
        )
        for seed, name in enumerate((*NAMED, THIRD), 101)
    }
    return replace(configuration, datasets={**configuration.datasets, **cities})


def find_candidates(run: Run, kind: str) -> Catalogue:
    """Predict the first two cities, and make a catalogue of what may be unknown in them."""
    for city in NAMED:
        names = {"dataset": city, "model_name": MODEL, "gpu": -1, "num_cores": 0}
        pred_images(from_mapping(PredictSettings, names), run)
        compute_metrics(from_mapping(MetricsSettings, {**names}), run)
    chosen = {
        "dataset": list(NAMED),
        "model_name": MODEL,
        "candidates": kind,
        "save_file": "cities",
        "gpu": -1,
    }
    compute_embeddings(from_mapping(EmbedSettings, {**chosen, "select_quantile": 0.9, "num_cores": 0}), run)
    return Catalogue.named(run.workspace, "cities")


def name_kinds(catalogue: Catalogue, run: Run, kinds: list[str], looks: int) -> dict[str, Any]:
    """Review page by page, as a person would who knows the kinds; returns how many were named after how many looks."""
    state = State(catalogue, ExplorerSettings())
    rows = np.arange(len(state))
    if state.ranking is not None:
        rows = rows[state.ranking.first == rows]
    review = Review(state.tags, RelevanceFeedback(state.vectors[rows], state.segments.scores[rows]), rows)
    truth = truths(catalogue, run)
    while review.looks < looks and (page := review.ranked_again()):
        review.show(page)
        for _ in page:
            name = truth[review.page[review.place]]
            review.answer(name if name in kinds else name != "")
    counts = {kind: state.tags.count(kind) for kind in kinds}
    print(f"{review.progress} of {len(state)} candidates; named: {counts}", flush=True)
    return {"candidates": len(state), "looks": review.looks, **counts}


def truths(catalogue: Catalogue, run: Run) -> list[str]:
    """Which unknown kind each candidate shows; empty for what is known, and for masks that fit badly."""
    datasets = {name: run.dataset(name) for name in NAMED}
    found = []
    for row, mask in enumerate(catalogue.masks):
        segment = catalogue.segments.iloc[row]
        dataset = datasets[segment["dataset"]]
        labels = labels_of(dataset, str(segment["image_id"]))
        assert mask is not None and dataset.label_set is not None
        inside = labels[decode_mask(mask)]
        label, count = max(zip(*np.unique(inside, return_counts=True), strict=True), key=lambda pair: pair[1])
        sure = int(label) in dataset.label_set.unknown_ids and count >= SURE * len(inside)
        found.append(dataset.label_set.label_name(int(label)) if sure else "")
    return found


def labels_of(dataset: SegmentationDataset, image_id: str) -> NDArray[Any]:
    """The truth of an image; the last one is kept."""
    if _LAST.get("image") != (id(dataset), image_id):
        _LAST.update(image=(id(dataset), image_id), labels=dataset[list(dataset.ids).index(image_id)].labels)
    labels: NDArray[Any] = _LAST["labels"]
    return labels


_LAST: dict[str, Any] = {}


def report(run: Run, folder: Path, weights: Path, export: Path) -> None:
    """Measure both networks in the third city and print the table."""
    entry = run.configuration.model(MODEL)
    new = ExportedLabels(export).new_classes
    city = NewClasses(open_dataset(run.configuration.dataset(THIRD), THIRD), new)
    further = replace(
        entry, kwargs={**entry.kwargs, "num_classes": city.label_set.num_classes}, weights=weights
    )
    quality = {name: iou_of(each, city) for name, each in (("before", entry), ("after", further))}
    names = [name for _, (name, _) in sorted(city.label_set.pred_mapping.items())]
    table = pd.DataFrame(
        {f"IoU {when}": [iou.get(name) or 0.0 for name in names] for when, iou in quality.items()},
        index=pd.Index([f"**{name}** (new)" if name in new else name for name in names], name="class"),
    )
    is_new = np.array([name in new for name in names])
    table.loc["mean of the old classes"] = table.iloc[np.flatnonzero(~is_new)].mean()
    table.loc["mean of the new classes"] = table.iloc[np.flatnonzero(is_new)].mean()
    print((folder / "named.json").read_text())
    print(f"{len(ExportedLabels(export))} images exported\n")
    print(markdown_table(table))


def iou_of(entry: ModelEntry, city: NewClasses) -> dict[str, float | None]:
    """IoU of every class that the city shows."""
    device = choose_device(-1)
    data = TrainingTensors(city, entry.mean, entry.std)
    measures = evaluate(load_model(entry).to(device), data, device, background=False).measures()
    found: dict[str, float | None] = measures["iou"]
    return found


if __name__ == "__main__":
    main()
