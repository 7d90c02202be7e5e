"""Seconds of CPU of every evaluation on more and more segments: does its cost grow in proportion?

    python benchmarks/evaluation_costs.py --images 400 800 1600 --folder costs_out

Predicts and measures small scenes with truth by a network that only compares colours, fits a meta model, fills a
catalogue, and runs each evaluation on the first images of them (``args.limit``). Goes on where it broke off. Prints the
table of docs/scale.md.
"""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import miniature
from steps import META, NETWORK, embed, predict_and_measure, train_linear

from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import CommonSettings, from_mapping
from oodretrieval.results.tables import markdown_lines
from oodretrieval.stages.evaluate.eval_iou import eval_iou
from oodretrieval.stages.evaluate.eval_retrieval import eval_retrieval
from oodretrieval.stages.evaluate.eval_segmentation import eval_segmentation
from oodretrieval.stages.evaluate.meta.eval_meta import eval_meta
from oodretrieval.stages.evaluate.meta.settings import EvalMetaSettings
from oodretrieval.stages.evaluate.ood.eval_ood import eval_ood
from oodretrieval.stages.evaluate.ood.settings import OodSettings
from oodretrieval.stages.evaluate.selection.eval_selection import eval_selection
from oodretrieval.stages.evaluate.selection.settings import SelectionSettings
from oodretrieval.stages.evaluate.settings import IouSettings, RetrievalSettings, SegmentationSettings
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
        "eval_retrieval": (eval_retrieval, RetrievalSettings, {"embeddings_file": f"first {limit}"}),
    }
    return {
        name: lambda run, stage=stage, kind=kind, settings=settings: stage(from_mapping(kind, settings), run)
        for name, (stage, kind, settings) in stages.items()
    }


def main() -> None:
    """Do it and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, nargs="+", default=[400, 800, 1600])
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    root = options.folder / "camvid"
    if not root.is_dir():
        for split, miniature.IMAGES in (("train", TRAINED_ON), ("val", max(options.images))):
            miniature.write_miniature_camvid(root, split, len(split))
    run = Run(miniature.configuration_for(root, options.folder), Workspace(options.folder / "workspace"))
    predict_and_measure(run, "train", "val")
    if not run.workspace.meta_model_path("linear").is_file():
        train_linear(run)
    found: dict[str, list[str]] = {}
    segments = []
    for limit in options.images:
        work = run.stored(NETWORK["model_name"], "val", CommonSettings(limit=limit))
        segments.append(len(work.segments().read(["image_id"])))
        number = max(20, limit // 10)
        embed(run, save_file=f"first {limit}", limit=limit, iou_threshold=1.0, select_number=number)
        for name, evaluation in evaluations(limit).items():
            begin = time.process_time()
            evaluation(run)
            found.setdefault(name, []).append(f"{time.process_time() - begin:.1f}")
            print(f"{name}, {segments[-1]} segments: {found[name][-1]} s", file=sys.stderr, flush=True)
    print(markdown_lines(["segments", *segments], [[name, *seconds] for name, seconds in found.items()]))


if __name__ == "__main__":
    main()
