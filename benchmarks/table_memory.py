"""Memory of the stages that read segment tables, on few images and on many: what does an image more cost?

    python benchmarks/table_memory.py --images 400 1600 --folder memory_out

Predicts and measures small scenes with truth by a network that only compares colours, and runs each stage on the first
images of them (``args.limit``) with tables read 64 images at a time, so that what grows with the images is not what
is read at once; ``train_novelty`` learns from a thousand segments at most. Memory is what Python and NumPy have
allocated at the most (tracemalloc), without imports. Goes on where it broke off. Prints the table of docs/scale.md.
"""

import gc
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from command_line import command_line
from evaluation_costs import TRAINED_ON, predicted
from steps import META, NETWORK, embed, fit_novelty

from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import CommonSettings, from_mapping
from oodretrieval.results.tables import markdown_lines
from oodretrieval.stages.discover.discover_classes import discover_classes
from oodretrieval.stages.discover.settings import DiscoverClassesSettings
from oodretrieval.stages.fit import train_novelty
from oodretrieval.stages.report.report import report
from oodretrieval.stages.report.settings import ReportSettings
from oodretrieval.stores import current_segments


def stages(run: Run, limit: int) -> dict[str, Callable[[], Any]]:
    """Name → call on the first images."""
    images = {"limit": limit, "overwrite": True}
    name = f"first {limit}"
    few = {"iou_threshold": 1.0, "select_number": 20, "save_file": name}
    classes = {"embeddings_file": name, "clusters": 2, "classes": 1, "gpu": -1, "limit": limit}
    page = {
        "dataset": "val",
        "limit": limit,
        "embeddings_file": name,
        "segments": 4,
        "min_pixels": 20,
        **META,
    }
    return {
        "where segments are": lambda: run.stored(
            NETWORK["model_name"], "val", CommonSettings(limit=limit)
        ).segments(),
        "compute_embeddings": lambda: embed(run, **images, **few),
        "train_novelty": lambda: fit_novelty(run, dataset="val", **images),
        "discover_classes": lambda: discover_classes(from_mapping(DiscoverClassesSettings, classes), run),
        "report": lambda: report(from_mapping(ReportSettings, page), run),
    }


def peak(call: Callable[[], Any]) -> int:
    """Bytes allocated at the most, of those that a call allocates."""
    gc.collect()
    tracemalloc.start(1)
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def main() -> None:
    """Do it and print."""
    parser = command_line(__doc__)
    parser.add_argument("--images", type=int, nargs=2, default=[400, 1600])
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    current_segments.IMAGES_AT_ONCE = 64
    train_novelty.MOST_SEGMENTS = 1000
    few, many = options.images
    run = predicted(options.folder / "camvid", options.folder, many, TRAINED_ON)
    for call in stages(run, few).values():
        call()  # what is imported, compiled and computed once
    peaks = [{name: peak(call) for name, call in stages(run, limit).items()} for limit in (few, many)]
    rows = []
    for name in peaks[0]:
        low, high = (found[name] for found in peaks)
        rows.append((name, f"{low / 1e6:.1f}", f"{high / 1e6:.1f}", f"{(high - low) / (many - few):.0f}"))
    print(markdown_lines(["stage", f"MB, {few} images", f"MB, {many} images", "bytes an image more"], rows))


if __name__ == "__main__":
    main()
