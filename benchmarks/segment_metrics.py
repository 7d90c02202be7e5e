"""Segment metrics of a 1024×2048×19 softmax: time, also in read passes over it, memory and bytes on disk.

    python benchmarks/segment_metrics.py --repetitions 7
    python benchmarks/segment_metrics.py --predictions workspace/predictions/<model>/<dataset>

The first uses a calm and a ragged pretended scene, the second the first prediction with logits of a workspace. Prints
medians of repetitions in turn, next to the plain reference. A read pass is the time of
``probabilities.max()`` in the same run.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from command_line import command_line
from measuring import (
    CLASSES,
    HEIGHT,
    WIDTH,
    alternate,
    busy_process,
    bytes_on_disk,
    load,
    peak_memory,
    pretended_prediction,
    scene,
)
from numpy.typing import NDArray
from plain_metrics import plain_metrics

from oodretrieval.results.tables import markdown_head, markdown_row
from oodretrieval.segments import predict_pixels, segment_metrics, segment_table_from_logits
from oodretrieval.stores import Prediction, read_prediction_file

_SETUP = f"""
import numpy as np
from oodretrieval.segments import segment_metrics
p = np.random.default_rng(0).random(({HEIGHT} // 8, {WIDTH} // 8, {CLASSES}), np.float32)
p = (p / p.sum(axis=2, keepdims=True)).repeat(8, 0).repeat(8, 1)
truth = p.argmax(axis=2).astype(np.uint8)
"""


def main() -> None:
    """Measure and print."""
    parser = command_line(__doc__)
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--no-plain", action="store_true", help="leave the slow reference out")
    parser.add_argument(
        "--predictions", type=Path, help="folder of prediction files with logits to use instead"
    )
    arguments = parser.parse_args()
    if arguments.predictions is not None:
        prediction = read_prediction_file(min(arguments.predictions.rglob("*.h5")))
        _report(prediction, prediction.truth(), arguments.repetitions, not arguments.no_plain)
        return
    for roughness in (0.3, 0.5):
        logits, probabilities, _, truth = scene(roughness)
        prediction = pretended_prediction(logits, probabilities, truth)
        _report(prediction, truth, arguments.repetitions, not arguments.no_plain)
    memory = peak_memory(_SETUP, "segment_metrics(p, truth, threads=1)")
    print(f"\npeak memory of segment_metrics beyond its input, kernels included: {memory:.0f} MB")


def _report(prediction: Prediction, truth: NDArray[np.uint8] | None, repetitions: int, plain: bool) -> None:
    probabilities, logits, classes = prediction.probabilities(), prediction.logits, prediction.prediction
    assert logits is not None, "kept by pred_images unless args.keep says otherwise"
    corners = prediction.align_corners
    measure = partial(segment_metrics, probabilities, truth)
    other_order = np.moveaxis(np.ascontiguousarray(np.moveaxis(probabilities, -1, 0)), 0, -1)
    cases: dict[str, Callable[[], Any]] = {
        "one read pass": probabilities.max,
        "softmax, 1 thread": partial(measure, threads=1),
        "softmax, 2 threads": partial(measure, threads=2),
        "softmax and prediction, 1 thread": partial(measure, prediction=classes, threads=1),
        "softmax as (C, H, W), 1 thread": partial(segment_metrics, other_order, truth, threads=1),
        "low-resolution logits, 1 thread": partial(
            segment_table_from_logits, logits, classes, truth, threads=1, align_corners=corners
        ),
        "low-resolution logits, 2 threads": partial(
            segment_table_from_logits, logits, classes, truth, threads=2, align_corners=corners
        ),
    }
    cases["classes and entropy from low-resolution logits, 1 thread"] = partial(
        predict_pixels, logits, classes.shape, threads=1, align_corners=corners
    )
    size = "×".join(map(str, probabilities.shape))
    print(
        f"\n{size}, {len(measure()[0])} segments, load {load()}\n\n{markdown_head('what', 's', 'read passes')}"
    )
    seconds = alternate(cases, repetitions)
    with busy_process():
        names = ("softmax, 1 thread", "softmax, 2 threads")
        busy = alternate({name: cases[name] for name in names}, repetitions)
    seconds |= {f"{name}, another process busy": value for name, value in busy.items()}
    if plain:
        seconds |= alternate({"plain reference": partial(plain_metrics, probabilities, truth)}, 1)
    for name, value in seconds.items():
        passes = value / seconds["one read pass"]
        print(markdown_row(name, f"{value:.4f}", f"{passes:.1f}"), flush=True)
    print(f"\n{bytes_on_disk(prediction)}", flush=True)


if __name__ == "__main__":
    main()
