"""Closing the loop: kinds that were named in some images are classes of the network in others.

    python scripts/demo.py with args.explore=False args.workspace=loop
    python benchmarks/further_classes.py --workspace loop --folder loop_out

On the objects that the demo found in the rendered streets: in the first forty images a simulated person reviews those
most worth a look, page by page, and names two kinds; the names are exported, and the network is trained on with them.
Prints the table of docs/naming.md: IoU in the other twenty images before and after. Goes on where it broke off.
"""

import argparse
import json
import logging
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oodretrieval.datasets import NewClasses, SegmentationDataset, subset_by_index
from oodretrieval.datasets.exported import ExportedLabels
from oodretrieval.datasets.transforms import TrainingTensors
from oodretrieval.entries import ModelEntry
from oodretrieval.experiment.configuration import load_configuration
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
from oodretrieval.stages.train.segmentation_quality import evaluate
from oodretrieval.stages.train.settings import TrainSegmentationSettings
from oodretrieval.stages.train.train_segmentation import train_segmentation
from oodretrieval.stores import Catalogue, Workspace

MODEL, DATASET, CATALOGUE = "deeplabv3plus_streets", "streets_test", "demo_objects"
NAMED = 40
"""Images in which kinds are named; the network is measured in those after them."""
SURE = 0.7
"""Share of a candidate that must show the kind for the person to name it."""


def main() -> None:
    """Do it and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--workspace", type=Path, required=True, help="in which the demo has run")
    parser.add_argument("--folder", type=Path, required=True, help="for everything else")
    parser.add_argument("--kinds", nargs=2, default=["cone", "wheelie bin"])
    parser.add_argument("--looks", type=int, default=180)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--limit", type=int, default=60, help="images of the first training to go on with")
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.INFO)
    run = Run(load_configuration(), Workspace(chosen.folder))
    export = chosen.folder / "exports" / "named"
    if not (export / "classes.json").is_file():
        copy = chosen.folder / "catalogues" / CATALOGUE  # the demo's own stays without names
        shutil.copytree(chosen.workspace / "catalogues" / CATALOGUE, copy, dirs_exist_ok=True)
        catalogue = Catalogue.open(copy)
        named = name_kinds(catalogue, run.dataset(DATASET), chosen.kinds, chosen.looks)
        rows = np.ones(len(catalogue), np.bool_)
        export_candidates(
            catalogue, Workspace(chosen.workspace), rows, ["coco", "labels"], chosen.kinds, export
        )
        (chosen.folder / "named.json").write_text(json.dumps(named))
    weights = chosen.folder / "further.safetensors"
    recipe = {
        "dataset": "streets_train", "dataset_val": "streets_val", "model_name": MODEL, "exports": [str(export)],
        "save_file": str(weights), "epochs": chosen.epochs, "limit": chosen.limit, "gpu": -1, "num_cores": 0,
        "learning_rate": 1e-4, "encoder_factor": 0.1, "crop_height": 192, "crop_width": 320, "batch_size": 4,
        "scale_min": 0.75, "scale_max": 1.5, "average_decay": 0.9,
    }  # fmt: skip
    train_segmentation(from_mapping(TrainSegmentationSettings, recipe), run)
    report(run, chosen.folder, weights, export)


def name_kinds(
    catalogue: Catalogue, dataset: SegmentationDataset, kinds: list[str], looks: int
) -> dict[str, Any]:
    """Review page by page, as a person would who knows the kinds; returns how many were named after how many looks."""
    state = State(catalogue, ExplorerSettings())
    places = {image_id: place for place, image_id in enumerate(dataset.ids)}
    rows = np.flatnonzero(catalogue.segments["image_id"].map(places).to_numpy() < NAMED)
    if state.ranking is not None:
        rows = rows[state.ranking.first[rows] == rows]
    review = Review(state.tags, RelevanceFeedback(state.vectors[rows], state.segments.scores[rows]), rows)
    while review.looks < looks and (page := review.ranked_again()):
        review.show(page)
        for row in page:
            name = shown_kind(catalogue, row, dataset, places)
            review.answer(name if name in kinds else name != "")
    counts = {kind: state.tags.count(kind) for kind in kinds}
    print(f"{review.progress} of {len(rows)} candidates; named: {counts}", flush=True)
    return {"candidates": len(rows), "looks": review.looks, **counts}


def shown_kind(catalogue: Catalogue, row: int, dataset: SegmentationDataset, places: dict[str, int]) -> str:
    """Which unknown kind a candidate shows; empty for what is known, and for masks that fit badly."""
    mask, label_set = catalogue.masks[row], dataset.label_set
    labels = dataset[places[str(catalogue.segments["image_id"].iloc[row])]].labels
    assert mask is not None and label_set is not None and labels is not None
    inside = labels[decode_mask(mask)]
    found, counts = np.unique(inside, return_counts=True)
    label = int(found[counts.argmax()])
    sure = label in label_set.unknown_ids and counts.max() >= SURE * len(inside)
    return label_set.label_name(label) if sure else ""


def report(run: Run, folder: Path, weights: Path, export: Path) -> None:
    """Measure both networks in the other images and print the table."""
    entry = run.configuration.model(MODEL)
    new = ExportedLabels(export).new_classes
    whole = run.dataset(DATASET)
    others = NewClasses(subset_by_index(whole, range(NAMED, len(whole))), new)
    further = replace(
        entry, kwargs={**entry.kwargs, "num_classes": others.label_set.num_classes}, weights=weights
    )
    quality = {name: iou_of(each, others) for name, each in (("before", entry), ("after", further))}
    names = [name for _, (name, _) in sorted(others.label_set.pred_mapping.items())]
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


def iou_of(entry: ModelEntry, others: NewClasses) -> dict[str, float | None]:
    """IoU of every class that the images show."""
    device = choose_device(-1)
    data = TrainingTensors(others, entry.mean, entry.std)
    measures = evaluate(load_model(entry).to(device), data, device, background=False).measures()
    found: dict[str, float | None] = measures["iou"]
    return found


if __name__ == "__main__":
    main()
