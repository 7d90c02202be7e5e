"""Images a second, seconds of CPU, memory over time, files and bytes of all stages on many small images.

    python benchmarks/scale.py --images 100000 --folder scale_out

Draws small scenes with truth (boxes on a road, with noise), predicts them by a network that only compares colours, so
that what is measured is everything but the network, measures their segments, trains a meta model on four fifths of
them and evaluates it on the others, selects the thousandth part, embeds it, and evaluates with a meta
model of thirty other images. Memory is that of this process and of those that it starts, in
each tenth of a stage: where it grows with the number of images, something holds all of them. Goes on where it broke
off; of a stage that ended ``FOLDER/measured.json`` keeps the row. Prints the table of docs/scale.md.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import miniature
import numpy as np
from command_line import command_line
from steps import CPU, META, NETWORK, embed_settings, predict_and_measure, train_linear

from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.results.tables import markdown_head, markdown_row
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
from oodretrieval.stages.fit.settings import TrainMetaSettings
from oodretrieval.stages.fit.train_meta_nn import train_meta_nn
from oodretrieval.stages.measure.compute_metrics import compute_metrics
from oodretrieval.stages.measure.settings import MetricsSettings
from oodretrieval.stages.predict.pred_images import pred_images
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stages.select.compute_embeddings import compute_embeddings
from oodretrieval.stores import Workspace

STAGES: dict[str, tuple[Callable[[Any, Run], Any], Any]] = {
    "pred_images": (pred_images, PredictSettings),
    "compute_metrics": (compute_metrics, MetricsSettings),
    "train_meta_nn": (train_meta_nn, TrainMetaSettings),
    "compute_embeddings": (compute_embeddings, None),
    "eval_segmentation": (eval_segmentation, SegmentationSettings),
    "eval_iou": (eval_iou, IouSettings),
    "eval_meta": (eval_meta, EvalMetaSettings),
    "eval_selection": (eval_selection, SelectionSettings),
    "eval_ood": (eval_ood, OodSettings),
    "eval_retrieval": (eval_retrieval, RetrievalSettings),
}
FOLDERS = {"pred_images": "predictions", "compute_metrics": "segments", "compute_embeddings": "catalogues"}
"""What a stage fills of the workspace."""


def draw(root: Path, count: int) -> None:
    """The first ``count`` scenes, those that are not there yet."""
    for split in ("val", "valannot"):
        (root / split).mkdir(parents=True, exist_ok=True)
    for number in range(count):
        name = f"Seq05VD_{100 * number:08d}.png"
        if (root / "valannot" / name).exists():
            continue
        image, labels = miniature.scene(np.random.default_rng(number))
        image.save(root / "val" / name)
        labels.save(root / "valannot" / name)


def resident(process: int | str = "self") -> float:
    """Memory of a process and of those that it started, MB; pages that they share count for each."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
        tasks = Path(f"/proc/{process}/task").glob("*/children")
        children = [child for task in tasks for child in task.read_text().split()]
    except OSError:  # it has ended
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6 + sum(map(resident, children))


def measured(stage: Callable[[], Any]) -> dict[str, Any]:
    """Seconds, seconds of CPU, and memory over time, MB."""
    seen: list[float] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.5):
            seen.append(resident())

    thread = threading.Thread(target=watch)
    thread.start()
    start, used = time.perf_counter(), sum(os.times()[:4])
    try:
        stage()
    finally:
        ended.set()
        thread.join()
    seconds, cpu = time.perf_counter() - start, sum(os.times()[:4]) - used
    tenths = [part.max() for part in np.array_split(np.array(seen or [resident()]), 10) if len(part)]
    return {"seconds": seconds, "cpu": cpu, "memory": [round(float(peak)) for peak in tenths]}


def below(folder: Path) -> tuple[int, float]:
    """Number of files below a folder, and their MB."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return len(files), sum(path.stat().st_size for path in files) / 1e6


def call_of(name: str, run: Run, images: int, cores: int) -> Callable[[], Any]:
    """One of :data:`STAGES` on the first images of ``val``."""
    own = {"dataset": "val", "limit": images, **NETWORK}
    selected = {"select_by": "predicted_iou", "min_pixels": 20, "min_height": 6, "min_width": 6}
    options: dict[str, dict[str, Any]] = {
        "pred_images": {**own, **CPU, "num_cores": cores},
        "compute_metrics": {**own, "num_cores": cores},
        "train_meta_nn": {
            **own,
            **CPU,
            "dataset_val": "",
            "groups": "image",
            "meta_model": "linear",
            "meta_model_name": "of_all",
        },
        "eval_segmentation": own,
        "eval_iou": {**own, **META},
        "eval_meta": {**own, **META, "pictures": 0},
        "eval_selection": {**own, **META, **selected},
        "eval_ood": {**own, **META, "pictures": 0},
        "eval_retrieval": {"embeddings_file": "many"},
    }
    stage, kind = STAGES[name]
    if kind is None:
        chosen = {"limit": images, "num_cores": cores, "iou_threshold": 1.0}
        settings: Any = embed_settings(**chosen, save_file="many", select_number=max(20, images // 1000))
    else:
        settings = from_mapping(kind, options[name])
    return lambda: stage(settings, run)


def main() -> None:
    """Do it and print."""
    parser = command_line(__doc__)
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--num-cores", type=int, default=2)
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    options = parser.parse_args()
    root = options.folder / "camvid"
    if not (root / "train").is_dir():
        miniature.IMAGES = 30
        miniature.write_miniature_camvid(root, "train", 0)
    draw(root, options.images)
    run = Run(miniature.configuration_for(root, options.folder), Workspace(options.folder / "workspace"))
    predict_and_measure(run, "train")
    if not run.workspace.meta_model_path("linear").is_file():
        train_linear(run, dataset_val="", groups="image")
    kept = options.folder / "measured.json"
    rows: dict[str, Any] = json.loads(kept.read_text()) if kept.exists() else {}
    for name in options.stages:
        if name not in rows:
            row = measured(call_of(name, run, options.images, options.num_cores))
            rows[name] = {**row, "images": options.images, "cores": options.num_cores}
            if name in FOLDERS:
                rows[name]["files"], rows[name]["size"] = below(run.workspace.path / FOLDERS[name])
            kept.write_text(json.dumps(rows, indent=1))
            print(f"{name}: {rows[name]}", file=sys.stderr, flush=True)
    head = ("stage", "images", "images/s", "CPU ms an image", "MB of memory, by tenths of the time")
    print(markdown_head(*head, "files", "MB on disk"))
    for name, row in rows.items():
        count = row["images"]
        ends = (row["files"], f"{row['size']:.1f}") if "files" in row else ("", "")
        each = (f"{count / row['seconds']:.1f}", f"{1000 * row['cpu'] / count:.1f}")
        print(markdown_row(name, count, *each, " ".join(map(str, row["memory"])), *ends))


if __name__ == "__main__":
    main()
