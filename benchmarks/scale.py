"""Images a second, memory over time, files and bytes of the stages on many small images.

    python benchmarks/scale.py --images 100000 --folder scale_out

Draws small scenes (boxes on a road, with noise), predicts them by a network that only compares colours, so that what is
measured is everything but the network, measures their segments, selects the thousandth part and embeds it. Memory is
that of this process, in each tenth of a stage: where it grows with the number of images, something holds all of them.
Goes on where it broke off; run it again to see what it costs to find that all is done. Prints the table of
docs/scale.md.
"""

import argparse
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import miniature  # noqa: E402
import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402
from steps import CPU, META, NETWORK, embed_settings  # noqa: E402

from oodretrieval.experiment.run import Run  # noqa: E402
from oodretrieval.experiment.settings import from_mapping  # noqa: E402
from oodretrieval.results.tables import markdown_head, markdown_row  # noqa: E402
from oodretrieval.stages.fit.settings import TrainMetaSettings  # noqa: E402
from oodretrieval.stages.fit.train_meta_nn import train_meta_nn  # noqa: E402
from oodretrieval.stages.measure.compute_metrics import compute_metrics  # noqa: E402
from oodretrieval.stages.measure.settings import MetricsSettings  # noqa: E402
from oodretrieval.stages.predict.pred_images import pred_images  # noqa: E402
from oodretrieval.stages.predict.settings import PredictSettings  # noqa: E402
from oodretrieval.stages.select.compute_embeddings import compute_embeddings  # noqa: E402
from oodretrieval.stores import Workspace  # noqa: E402

FOLDER = 1000
"""Images in one folder."""


def draw(root: Path, count: int) -> None:
    """Small scenes of a handful of segments, those that are not there yet."""
    for number in range(count):
        path = root / f"{number // FOLDER:05d}" / f"{number:09d}.png"
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(number)
        image = np.empty((48, 64, 3), np.float32)
        image[:24], image[24:] = miniature.COLOURS[0], miniature.COLOURS[3]
        for label in (1, 8, 9):
            y, x = rng.integers(8, 30), rng.integers(0, 48)
            image[y : y + rng.integers(8, 18), x : x + rng.integers(8, 16)] = miniature.COLOURS[label]
        noisy = (image + rng.normal(0, 8, image.shape)).clip(0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(path)


def resident() -> float:
    """Memory of this process, MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def measured(stage: Callable[[], Any]) -> tuple[float, list[float]]:
    """Seconds, and memory over time, MB."""
    seen: list[float] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.05):
            seen.append(resident())

    thread = threading.Thread(target=watch)
    thread.start()
    start = time.perf_counter()
    try:
        stage()
    finally:
        ended.set()
        thread.join()
    seconds = time.perf_counter() - start
    tenths = [part.max() for part in np.array_split(np.array(seen or [resident()]), 10) if len(part)]
    return seconds, [float(peak) for peak in tenths]


def below(folder: Path) -> tuple[int, float]:
    """Number of files below a folder, and their MB."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return len(files), sum(path.stat().st_size for path in files) / 1e6


def main() -> None:
    """Do it and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--num-cores", type=int, default=2)
    options = parser.parse_args()
    root = options.folder / "camvid"
    if not root.is_dir():
        miniature.write_miniature_camvid(root, "train", 0)
        miniature.write_miniature_camvid(root, "val", 1)
    draw(options.folder / "images", options.images)
    run = Run(miniature.configuration_for(root, options.folder), Workspace(options.folder / "workspace"))
    cores = {"num_cores": options.num_cores}
    for dataset in ("train", "val"):
        pred_images(from_mapping(PredictSettings, {"dataset": dataset, **NETWORK, **CPU}), run)
        compute_metrics(from_mapping(MetricsSettings, {"dataset": dataset, **NETWORK}), run)
    if not run.workspace.meta_model_path("linear").is_file():
        meta = {"dataset": "train", "dataset_val": "val", "repetitions": 2, **META, **CPU}
        train_meta_nn(from_mapping(TrainMetaSettings, meta), run)
    own = {
        "dataset": "images",
        "root": str(options.folder / "images"),
        "limit": options.images,
        **NETWORK,
        **cores,
    }
    number = max(1, options.images // 1000)
    chosen = {**own, "dataset": ("images",), "save_file": "many", "select_number": number}
    embed = embed_settings(**chosen)
    rows = (
        (
            "pred_images",
            lambda: pred_images(from_mapping(PredictSettings, {**own, **CPU}), run),
            "predictions",
        ),
        ("compute_metrics", lambda: compute_metrics(from_mapping(MetricsSettings, own), run), "segments"),
        ("compute_embeddings", lambda: compute_embeddings(embed, run), "catalogues"),
    )
    print(f"{options.images} images of 64×48, {options.num_cores} processes\n")
    print(markdown_head("stage", "images/s", "MB of memory, by tenths of the time", "files", "MB on disk"))
    for name, stage, folder in rows:
        seconds, memory = measured(stage)
        files, size = below(run.workspace.path / folder)
        peaks = " ".join(f"{peak:.0f}" for peak in memory)
        each = f"{options.images / seconds:.1f}"
        print(markdown_row(name, each, peaks, files, f"{size:.1f}"), flush=True)


if __name__ == "__main__":
    main()
