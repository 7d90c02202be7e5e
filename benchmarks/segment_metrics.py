"""Segment metrics of a 1024×2048×19 softmax: time, also in read passes over it, and memory.

    python benchmarks/segment_metrics.py --repetitions 7

Prints medians of repetitions in turn, for a calm and a ragged scene, beside the plain reference of the tests.
A read pass is the time of ``probabilities.max()`` in the same run.
"""

import argparse
from functools import partial

import numpy as np
from measuring import CLASSES, HEIGHT, WIDTH, alternate, busy_process, load, peak_memory, scene
from segments.plain_metrics import plain_metrics

from oodretrieval.segments import segment_metrics, segment_table_from_logits

_SETUP = f"""
import numpy as np
from oodretrieval.segments import segment_metrics
p = np.random.default_rng(0).random(({HEIGHT} // 8, {WIDTH} // 8, {CLASSES}), np.float32)
p = (p / p.sum(axis=2, keepdims=True)).repeat(8, 0).repeat(8, 1)
truth = p.argmax(axis=2).astype(np.uint8)
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--no-plain", action="store_true", help="leave the slow reference out")
    arguments = parser.parse_args()
    for roughness in (0.3, 0.5):
        _report(roughness, arguments.repetitions, not arguments.no_plain)
    memory = peak_memory(_SETUP, "segment_metrics(p, truth, threads=1)")
    print(f"\npeak memory of segment_metrics beyond its input, kernels included: {memory:.0f} MB")


def _report(roughness: float, repetitions: int, plain: bool) -> None:
    logits, probabilities, prediction, truth = scene(roughness)
    measure = partial(segment_metrics, probabilities, truth)
    other_order = np.moveaxis(np.ascontiguousarray(np.moveaxis(probabilities, -1, 0)), 0, -1)
    cases = {
        "one read pass": probabilities.max,
        "softmax, 1 thread": partial(measure, threads=1),
        "softmax, 2 threads": partial(measure, threads=2),
        "softmax and prediction, 1 thread": partial(measure, prediction=prediction, threads=1),
        "softmax as (C, H, W), 1 thread": partial(segment_metrics, other_order, truth, threads=1),
        "logits at stride 4, 1 thread": partial(
            segment_table_from_logits, logits, prediction, truth, threads=1
        ),
        "logits at stride 4, 2 threads": partial(
            segment_table_from_logits, logits, prediction, truth, threads=2
        ),
    }
    print(f"\n{len(measure()[0])} segments, load {load()}\n\n| what | s | read passes |\n|---|---|---|")
    seconds = alternate(cases, repetitions)
    with busy_process():
        names = ("softmax, 1 thread", "softmax, 2 threads")
        busy = alternate({name: cases[name] for name in names}, repetitions)
    seconds |= {f"{name}, another process busy": value for name, value in busy.items()}
    if plain:
        seconds |= alternate({"plain reference": partial(plain_metrics, probabilities, truth)}, 1)
    for name, value in seconds.items():
        print(f"| {name} | {value:.4f} | {value / seconds['one read pass']:.1f} |", flush=True)


if __name__ == "__main__":
    main()
