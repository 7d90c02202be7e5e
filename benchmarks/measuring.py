"""What the benchmarks of segments share: scenes, alternating repetitions, memory of a fresh process."""

import dataclasses
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pretended_predictions import street_logits, street_truth

from oodretrieval.bilinear import resize_bilinear
from oodretrieval.choices import Keep
from oodretrieval.segments import entropy_levels
from oodretrieval.stores import Prediction, write_prediction
from oodretrieval.uncertainty import softmax

HEIGHT, WIDTH, CLASSES, STRIDE = 1024, 2048, 19, 4


def scene(
    roughness: float,
) -> tuple[NDArray[np.float16], NDArray[np.float32], NDArray[np.uint8], NDArray[np.uint8]]:
    """A pretended Cityscapes image.

    Args:
        roughness: How ragged: 0.3 makes some 600 segments, 0.5 some 2000.

    Returns:
        Logits ``(19, 256, 512)``, softmax ``(1024, 2048, 19)``, predicted classes and truth.
    """
    logits = street_logits(HEIGHT // STRIDE, WIDTH // STRIDE, CLASSES, detail=4, roughness=roughness).astype(
        np.float16
    )
    probabilities = softmax(resize_bilinear(logits, (HEIGHT, WIDTH)))
    prediction = probabilities.argmax(axis=2).astype(np.uint8)
    return logits, probabilities, prediction, street_truth(prediction, CLASSES)


def pretended_prediction(
    logits: NDArray[np.float16], probabilities: NDArray[np.float32], truth: NDArray[np.uint8]
) -> Prediction:
    """What :func:`scene` shows as a prediction with everything that can be kept."""
    return Prediction(
        prediction=probabilities.argmax(axis=2).astype(np.uint8),
        labels=truth,
        image_id="pretended",
        logits=logits,
        num_classes=CLASSES,
        softmax=probabilities,
        entropy=entropy_levels(probabilities),
    )


def only_what_is_kept(prediction: Prediction, keep: Keep) -> Prediction:
    """The prediction as stage 1 hands it to the store."""
    entropy = prediction.entropy_levels() if keep == "nothing" else None
    softmax = prediction.probabilities() if keep == "softmax" else None
    return dataclasses.replace(prediction, entropy=entropy, softmax=softmax)


def bytes_on_disk(prediction: Prediction, keeps: tuple[Keep, ...] = ("logits", "nothing")) -> str:
    """Size of the prediction's file for each way of keeping it, in words."""
    sizes = []
    with tempfile.TemporaryDirectory() as folder:
        for keep in keeps:
            path = Path(folder) / "x.h5"
            write_prediction(path, only_what_is_kept(prediction, keep), keep)
            sizes.append(f"keep={keep} {path.stat().st_size:,}")
    return "bytes on disk: " + ", ".join(sizes)


def alternate(
    cases: Mapping[str, Callable[[], Any]], repetitions: int, clock: Callable[[], float] = time.perf_counter
) -> dict[str, float]:
    """Seconds of every case, the median of repetitions in turn, after one that does not count.

    In another order each time: threads of a library may go on spinning for a while, and slow what comes next.
    """
    random = np.random.default_rng(0)
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for repetition in range(repetitions + 1):
        for name in random.permutation(list(cases)).tolist():
            start = clock()
            cases[name]()
            if repetition:
                seconds[name].append(clock() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


@contextmanager
def busy_process() -> Iterator[None]:
    """Another process that keeps one core busy meanwhile."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            time.sleep(0.5)
            yield
        finally:
            process.kill()


def peak_memory(setup: str, work: str) -> float:
    """Megabytes that a fresh process takes for ``work`` at most, beyond its peak in ``setup``; Linux only."""
    code = (
        "import re, pathlib\n"
        "def peak(): return int(re.search(r'VmHWM:\\s*(\\d+)', pathlib.Path('/proc/self/status').read_text())[1])\n"
        f"{setup}\nbefore = peak()\n{work}\nprint((peak() - before) / 1024)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    return float(result.stdout.split()[-1])


def load() -> str:
    """The machine's load average over one minute, where it has one."""
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
