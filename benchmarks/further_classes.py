"""Closing the loop: kinds that were named in some images are classes of the network in others.

    python scripts/demo.py with args.explore=False args.workspace=loop
    python benchmarks/further_classes.py streets --workspace loop --folder loop_out
    python benchmarks/further_classes.py camvid --folder camvid_out   # three drives, an hour of one core

A simulated person reviews the objects most worth a look, page by page, and names two kinds; the names are exported, and
the network is trained on with them. On the rendered streets that is done in the first forty images of the demo, and
measured in the other twenty. On CamVid it is done in two of the drives, with a network that was trained on these two,
for which pedestrians and bicyclists are unknown, and measured in the third drive. Prints the tables of docs/naming.md:
IoU before and after. Goes on where it broke off.
"""

import argparse
import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from checkout import DRIVES, ROOT
from command_line import command_line, note_progress

from oodretrieval.choices import OBJECTS
from oodretrieval.datasets import SegmentationDataset, subset_by_index, with_new_classes
from oodretrieval.datasets.exported import ExportedLabels
from oodretrieval.datasets.transforms import TrainingTensors
from oodretrieval.entries import DatasetEntry, ModelEntry
from oodretrieval.experiment.configuration import load_configuration
from oodretrieval.experiment.device import choose_device
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.explorer.review import Review
from oodretrieval.explorer.settings import ExplorerSettings
from oodretrieval.explorer.state import State
from oodretrieval.export.export_candidates import export_candidates
from oodretrieval.masks import decode_mask
from oodretrieval.models import load_model
from oodretrieval.places import places_of
from oodretrieval.results.tables import markdown_table
from oodretrieval.search import RelevanceFeedback
from oodretrieval.stages.fit.compute_logit_statistics import compute_logit_statistics
from oodretrieval.stages.fit.settings import LogitStatisticsSettings, TrainNoveltySettings
from oodretrieval.stages.fit.train_novelty import train_novelty
from oodretrieval.stages.measure.compute_metrics import compute_metrics
from oodretrieval.stages.measure.settings import MetricsSettings
from oodretrieval.stages.predict.pred_images import pred_images
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stages.select.compute_embeddings import compute_embeddings
from oodretrieval.stages.select.settings import EmbedSettings
from oodretrieval.stages.train.segmentation_quality import evaluate_network
from oodretrieval.stages.train.settings import TrainSegmentationSettings
from oodretrieval.stages.train.train_segmentation import train_segmentation
from oodretrieval.stores import Catalogue, Workspace

STREETS, DEMO = "streets_test", "demo_objects"
NAMED = 40
"""Rendered streets in which kinds are named; the network is measured in those after them."""
CHECK = 16
"""Every 16th training frame is also what epochs are compared by, with the exported images that are held out."""
SURE = 0.7
"""Share of a candidate that must show the kind for the person to name it."""


@dataclass(frozen=True, eq=False)
class Loop:
    """Where kinds are named, by which network's candidates, and where it is measured.

    Attributes:
        model: Name of the network.
        candidates: Workspace with the catalogue and the predictions.
        catalogue: Name of the catalogue.
        named: Images in which a person names; candidates of others are not shown.
        others: Images in which IoU is measured.
        kinds: What the person names.
        recipe: Of the training.
    """

    model: str
    candidates: Path
    catalogue: str
    named: SegmentationDataset
    others: SegmentationDataset
    kinds: tuple[str, ...]
    recipe: dict[str, Any]


def streets(chosen: argparse.Namespace, run: Run) -> Loop:
    """The objects of the demo: named in the first forty images."""
    whole = run.dataset(STREETS)
    recipe = {
        "dataset": "streets_train", "dataset_val": "streets_val", "limit": 60, "crop_height": 192, "crop_width": 320,
        "batch_size": 4, "scale_min": 0.75, "scale_max": 1.5,
    }  # fmt: skip
    named, others = range(NAMED), range(NAMED, len(whole))
    return Loop(
        "deeplabv3plus_streets",
        chosen.workspace,
        DEMO,
        subset_by_index(whole, named),
        subset_by_index(whole, others),
        tuple(chosen.kinds or ("cone", "wheelie bin")),
        recipe,
    )


def camvid(drive: str, chosen: argparse.Namespace, run: Run) -> Loop:
    """Two drives of CamVid: what their network never learned is named there; the third is for measuring."""
    model, data = f"deeplabv3plus_without_{drive}", f"camvid_without_{drive}"
    common = {"model_name": model, "gpu": -1, "num_cores": 1}
    pred_images(from_mapping(PredictSettings, {"dataset": data, **common}), run)
    compute_metrics(from_mapping(MetricsSettings, {"dataset": data, **common}), run)
    compute_logit_statistics(from_mapping(LogitStatisticsSettings, {"dataset": data, **common}), run)
    train_novelty(from_mapping(TrainNoveltySettings, {"dataset": data, **common}), run)
    catalogue = f"objects_without_{drive}"
    if not (run.workspace.path / "catalogues" / catalogue).is_dir():
        settings = {"dataset": (data,), "candidates": OBJECTS, "save_file": catalogue, **common}
        compute_embeddings(from_mapping(EmbedSettings, settings), run)
    recipe = {
        "dataset": data, "dataset_val": f"{data}_check", "crop_height": 256, "crop_width": 352, "batch_size": 8,
        "scale_min": 0.9, "scale_max": 2.2,
    }  # fmt: skip
    kinds = tuple(chosen.kinds or ("pedestrian", "bicyclist"))
    others = run.dataset(f"camvid_{drive}_12")
    return Loop(model, run.workspace.path, catalogue, run.dataset(data), others, kinds, recipe)


def main() -> None:
    """Do it and print."""
    parser = command_line(__doc__)
    parser.add_argument("scenes", choices=("streets", "camvid"))
    parser.add_argument("--workspace", type=Path, help="in which the demo has run, for streets")
    parser.add_argument("--folder", type=Path, required=True, help="for everything else")
    parser.add_argument(
        "--weights", type=Path, default=ROOT / "pretrained", help="of CamVid's three networks"
    )
    parser.add_argument("--drives", nargs="+", choices=DRIVES, default=DRIVES)
    parser.add_argument("--kinds", nargs="+", help="cones and wheelie bins; pedestrians and bicyclists")
    parser.add_argument("--looks", type=int, default=180)
    parser.add_argument("--epochs", type=int, default=3)
    chosen = parser.parse_args()
    note_progress()
    if chosen.scenes == "streets" and chosen.workspace is None:
        parser.error("streets needs --workspace")
    run = Run(load_configuration(), Workspace(chosen.folder))
    if chosen.scenes == "streets":
        print(markdown_table(close(streets(chosen, run), chosen, run, chosen.folder)))
        return
    tables = {}
    for drive in chosen.drives:
        own = with_drive(drive, chosen.weights, run)
        tables[drive.upper()] = close(camvid(drive, chosen, own), chosen, own, chosen.folder / drive)
    joined = pd.concat(tables, axis=1)
    joined.columns = [f"{drive} {when}" for drive, when in joined.columns]
    print(markdown_table(joined))


def with_drive(drive: str, weights: Path, run: Run) -> Run:
    """The run with the network of a drive of CamVid, and every 16th of its images to check the training by."""
    model, data = f"deeplabv3plus_without_{drive}", f"camvid_without_{drive}"
    configuration = run.configuration
    entry = replace(configuration.model(model), weights=weights.resolve() / f"{model}.safetensors")
    check = DatasetEntry(
        "oodretrieval.datasets.subset",
        "subset_by_index",
        {"dataset": configuration.dataset(data), "indices": range(0, len(run.dataset(data)), CHECK)},
    )
    models = {**configuration.models, model: entry}
    datasets = {**configuration.datasets, f"{data}_check": check}
    return replace(run, configuration=replace(configuration, models=models, datasets=datasets))


def close(loop: Loop, chosen: argparse.Namespace, run: Run, folder: Path) -> pd.DataFrame:
    """Name, export, train, measure; returns the table."""
    export = folder / "exports" / "named"
    if not (folder / "named.json").is_file():
        copy = folder / "catalogues" / loop.catalogue  # the original stays without names
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(loop.candidates / "catalogues" / loop.catalogue, copy)
        catalogue = Catalogue.open(copy)
        named = name_kinds(catalogue, loop, chosen.looks)
        rows = np.ones(len(catalogue), np.bool_)
        export_candidates(catalogue, Workspace(loop.candidates), rows, ["coco", "labels"], loop.kinds, export)
        (folder / "named.json").write_text(json.dumps(named))
    weights = folder / "further.safetensors"
    settings = {
        "model_name": loop.model, "exports": [str(export)], "save_file": str(weights), "epochs": chosen.epochs,
        "gpu": -1, "num_cores": 0, "learning_rate": 1e-4, "encoder_factor": 0.1, "average_decay": 0.9, **loop.recipe,
    }  # fmt: skip
    train_segmentation(from_mapping(TrainSegmentationSettings, settings), run)
    return report(loop, run, folder, weights, export)


def name_kinds(catalogue: Catalogue, loop: Loop, looks: int) -> dict[str, Any]:
    """Review page by page, as a person would who knows the kinds; returns how many were named after how many looks."""
    state = State(catalogue, ExplorerSettings())
    places = places_of(loop.named.ids)
    rows = np.flatnonzero(catalogue.segments["image_id"].isin(list(places)))
    if state.ranking is not None:
        rows = rows[state.ranking.first[rows] == rows]
    review = Review(state.tags, RelevanceFeedback(state.vectors[rows], state.segments.scores[rows]), rows)
    while review.looks < looks and (page := review.ranked_again()):
        review.show(page)
        for row in page:
            name = shown_kind(catalogue, row, loop.named, places)
            review.answer(name if name in loop.kinds else name != "")
    counts = {kind: state.tags.count(kind) for kind in loop.kinds}
    print(f"{review.progress} of {len(rows)} candidates; named: {counts}", flush=True)
    return {"candidates": len(rows), "progress": review.progress, **counts}


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


def report(loop: Loop, run: Run, folder: Path, weights: Path, export: Path) -> pd.DataFrame:
    """Measure both networks in the other images."""
    entry = run.configuration.model(loop.model)
    new = ExportedLabels(export).new_classes
    others = with_new_classes(loop.others, new)
    classes = others.label_set
    assert classes is not None, "of the tags, at least"
    further = replace(entry, kwargs={**entry.kwargs, "num_classes": classes.num_classes}, weights=weights)
    quality = {name: iou_of(each, others) for name, each in (("before", entry), ("after", further))}
    names = classes.class_names
    table = pd.DataFrame(
        {f"IoU {when}": [iou.get(name) or 0.0 for name in names] for when, iou in quality.items()},
        index=pd.Index([f"**{name}** (new)" if name in new else name for name in names], name="class"),
    )
    is_new = np.array([name in new for name in names])
    old_mean, new_mean = table[~is_new].mean(), table[is_new].mean()
    table.loc["mean of the old classes"], table.loc["mean of the new classes"] = old_mean, new_mean
    print(f"{folder}: {(folder / 'named.json').read_text()}")
    print(f"{len(ExportedLabels(export))} images exported, measured in {len(others)}\n{table}\n", flush=True)
    return table


def iou_of(entry: ModelEntry, others: SegmentationDataset) -> dict[str, float | None]:
    """IoU of every class that the images show."""
    device = choose_device(-1)
    data = TrainingTensors(others, entry.mean, entry.std)
    measures = evaluate_network(load_model(entry).to(device), data, device, background=False).measures()
    found: dict[str, float | None] = measures["iou"]
    return found


if __name__ == "__main__":
    main()
