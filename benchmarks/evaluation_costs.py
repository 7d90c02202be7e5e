"""Seconds of CPU of every evaluation on more and more segments: does its cost grow in proportion?

    python benchmarks/evaluation_costs.py --images 600 1200 2400 --folder costs_out
    python benchmarks/evaluation_costs.py --images 40 80 160 --only eval_discovery search_classes --folder costs_out
    python benchmarks/evaluation_costs.py --images 2260 --trained-on 2620 --meta-models --folder meta_out

Predicts and measures small scenes with truth by a network that only compares colours, fits a meta model, fills a
catalogue, and runs each evaluation on the first images of them (``args.limit``); or trains every kind of meta
model and analyses it. Goes on where it broke off. Prints the tables of docs/scale.md.
"""

import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import miniature
import numpy as np
from command_line import command_line
from steps import CPU, META, NETWORK, embed, fit_novelty, predict_and_measure, train_linear

from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import CommonSettings, from_mapping
from oodretrieval.meta_models import KINDS
from oodretrieval.results.tables import markdown_head, markdown_lines, markdown_row
from oodretrieval.stages.discover.search_classes import search_classes
from oodretrieval.stages.discover.settings import SearchSettings
from oodretrieval.stages.evaluate.discovery.eval_discovery import eval_discovery
from oodretrieval.stages.evaluate.discovery.settings import DiscoverySettings
from oodretrieval.stages.evaluate.eval_iou import eval_iou
from oodretrieval.stages.evaluate.eval_retrieval import eval_retrieval
from oodretrieval.stages.evaluate.eval_segmentation import eval_segmentation
from oodretrieval.stages.evaluate.meta.eval_meta import eval_meta
from oodretrieval.stages.evaluate.meta.settings import EvalMetaSettings
from oodretrieval.stages.evaluate.ood.eval_ood import eval_ood
from oodretrieval.stages.evaluate.ood.settings import OodSettings
from oodretrieval.stages.evaluate.selection.eval_selection import eval_selection
from oodretrieval.stages.evaluate.selection.settings import SelectionSettings
from oodretrieval.stages.evaluate.settings import (
    IouSettings,
    RetrievalSettings,
    SegmentationSettings,
)
from oodretrieval.stages.fit.settings import TrainMetaSettings
from oodretrieval.stages.fit.train_meta_nn import train_meta_nn
from oodretrieval.stores import Workspace

TRAINED_ON = 30
"""Images that the meta model learns from."""


def evaluations(limit: int) -> dict[str, Any]:
    """Name → call of each evaluation on the first images."""
    images = {"dataset": "val", "limit": limit}
    own = {**images, **META}
    selected = {"select_by": "predicted_iou", "min_pixels": 20, "min_height": 6, "min_width": 6}
    stages = {
        "eval_segmentation": (eval_segmentation, SegmentationSettings, {**images, **NETWORK}),
        "eval_iou": (eval_iou, IouSettings, own),
        "eval_meta": (eval_meta, EvalMetaSettings, {**own, "pictures": 0}),
        "eval_selection": (eval_selection, SelectionSettings, {**own, **selected}),
        "eval_ood": (eval_ood, OodSettings, {**own, "pictures": 0}),
        "eval_discovery": (
            eval_discovery,
            DiscoverySettings,
            {**images, **NETWORK, **CPU, "dataset": ("val",)},
        ),
        "search_classes": (search_classes, SearchSettings, images),
        "eval_retrieval": (eval_retrieval, RetrievalSettings, {"embeddings_file": f"first {limit}"}),
    }
    return {
        name: lambda run, stage=stage, kind=kind, settings=settings: stage(from_mapping(kind, settings), run)
        for name, (stage, kind, settings) in stages.items()
    }


def predicted(root: Path, folder: Path, val: int, train: int) -> Run:
    """The two splits drawn, predicted and measured, and a linear meta model of ``train``."""
    if not root.is_dir():
        for split, clip, miniature.IMAGES in (("train", "0016E5", train), ("val", "Seq05VD", val)):
            miniature.write_miniature_camvid(root, split, len(split), clip)
    run = Run(miniature.configuration_for(root, folder), Workspace(folder / "workspace"))
    predict_and_measure(run, "train", "val")
    if not run.workspace.meta_model_path("linear").is_file():
        train_linear(run)
    if not run.novelty_model_path(NETWORK["model_name"]).is_file():
        fit_novelty(run)
    return run


def seconds_of(name: str, call: Callable[[], Any]) -> float:
    """Of CPU."""
    begin = time.process_time()
    call()
    seconds = time.process_time() - begin
    print(f"{name}: {seconds:.1f} s", file=sys.stderr, flush=True)
    return seconds


def growth(run: Run, images: list[int], only: list[str]) -> None:
    """Evaluations on more and more images: seconds, and the power of the segments that they grow with."""
    found: dict[str, list[float]] = {}
    segments = []
    for limit in images:
        work = run.stored(NETWORK["model_name"], "val", CommonSettings(limit=limit))
        segments.append(len(work.segments().read(["image_id"])))
        if "eval_retrieval" in only:
            number = max(20, limit // 10)
            embed(run, save_file=f"first {limit}", limit=limit, iou_threshold=1.0, select_number=number)
        for name in only:
            call = partial(evaluations(limit)[name], run)
            found.setdefault(name, []).append(seconds_of(f"{name}, {segments[-1]} segments", call))
    exponents = {name: np.polyfit(np.log(segments), np.log(took), 1)[0] for name, took in found.items()}
    rows = [[name, *(f"{s:.1f}" for s in took), f"{exponents[name]:.2f}"] for name, took in found.items()]
    print(markdown_lines(["segments", *segments, "exponent"], rows))


def meta_models(run: Run) -> None:
    """Training, and eval_meta on ``val`` with the lasso path of ``train``, for every kind of meta model."""
    lengths = [
        len(run.stored(NETWORK["model_name"], name).segments().read(["image_id"]))
        for name in ("train", "val")
    ]
    print(f"{lengths[0]} training segments, {lengths[1]} evaluated\n")
    print(markdown_head("meta model", "train_meta_nn", "eval_meta"))
    for kind in KINDS:
        own = {**NETWORK, "meta_model_name": f"all_{kind}", "overwrite": True}
        training = {**own, "dataset": "train", "dataset_val": "val", "meta_model": kind, "gpu": -1}
        analysis = {**own, "dataset": "val", "dataset_train": "train", "pictures": 0}
        trained = partial(train_meta_nn, from_mapping(TrainMetaSettings, training), run)
        analysed = partial(eval_meta, from_mapping(EvalMetaSettings, analysis), run)
        seconds = [seconds_of(f"train {kind}", trained), seconds_of(f"evaluate {kind}", analysed)]
        print(markdown_row(kind, *(f"{value:.1f}" for value in seconds)), flush=True)


def main() -> None:
    """Do it and print."""
    parser = command_line(__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[600, 1200, 2400])
    parser.add_argument("--only", nargs="+", choices=evaluations(0), default=list(evaluations(0)))
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--trained-on", type=int, default=TRAINED_ON, help="images of train")
    parser.add_argument("--meta-models", action="store_true", help="every kind, instead of every evaluation")
    options = parser.parse_args()
    run = predicted(options.folder / "camvid", options.folder, max(options.images), options.trained_on)
    if options.meta_models:
        meta_models(run)
    else:
        growth(run, options.images, options.only)


if __name__ == "__main__":
    main()
