"""Time and disk of every stage, per image.

    python benchmarks/pipeline.py --dataset streets_test --model deeplabv3plus_streets --images 20

Runs prediction (once for each way of keeping it) and segment metrics on the first images of a dataset, three
times in turn, on one process and the CPU threads that torch takes by itself, and prints medians. The first
repetition includes loading the network; the median does not.
"""

import argparse
import logging
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from command_line import command_line

from oodretrieval.experiment.configuration import load_configuration
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.results.tables import markdown_head, markdown_row
from oodretrieval.stages.measure.compute_metrics import compute_metrics
from oodretrieval.stages.measure.settings import MetricsSettings
from oodretrieval.stages.predict.pred_images import pred_images
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stores import Workspace, read_segments

KEEP = ("logits", "softmax", "nothing")


def main() -> None:
    """Measure and print."""
    parser = command_line(__doc__)
    parser.add_argument("--dataset", default="streets_test")
    parser.add_argument("--model", default="deeplabv3plus_streets")
    parser.add_argument("--images", type=int, default=20)
    parser.add_argument("--repetitions", type=int, default=3)
    arguments = parser.parse_args()
    logging.disable(logging.INFO)
    seconds: dict[str, list[float]] = {}
    disk: dict[str, float] = {}
    segments = 0
    for _ in range(arguments.repetitions):
        for keep in KEEP:
            with tempfile.TemporaryDirectory() as folder:
                segments = _run(Workspace(folder), arguments, keep, seconds, disk)
    print(
        f"{arguments.images} images of {arguments.dataset}, {arguments.model}, CPU, {torch.get_num_threads()} threads"
    )
    print(f"{segments / arguments.images:.0f} segments an image\n")
    print(markdown_head("stage", "s / image", "MB / image"))
    for name, values in seconds.items():
        each = (statistics.median(values), disk[name])
        print(markdown_row(name, *(f"{value / arguments.images:.3f}" for value in each)))


def _run(
    workspace: Workspace,
    arguments: argparse.Namespace,
    keep: str,
    seconds: dict[str, list[float]],
    disk: dict[str, float],
) -> int:
    configuration = load_configuration()
    names = {
        "dataset": arguments.dataset,
        "model_name": arguments.model,
        "limit": arguments.images,
        "gpu": -1,
    }
    stage = f"pred_images, keep={keep}" + (" (with metrics)" if keep == "nothing" else "")
    stages: dict[str, tuple[Callable[[Run], object], str]] = {
        stage: (partial(pred_images, from_mapping(PredictSettings, {**names, "keep": keep})), "predictions")
    }
    if keep != "nothing":
        measure = partial(compute_metrics, from_mapping(MetricsSettings, names))
        stages[f"compute_metrics, from {keep}"] = measure, "segments"
    for name, (run, folder) in stages.items():
        start = time.perf_counter()
        run(Run(configuration, workspace))
        seconds.setdefault(name, []).append(time.perf_counter() - start)
        disk[name] = _megabytes(workspace.path / folder)
    return len(read_segments(workspace, arguments.model, arguments.dataset))


def _megabytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


if __name__ == "__main__":
    main()
