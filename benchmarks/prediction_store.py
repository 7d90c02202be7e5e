"""Predictions on disk: bytes, time to write and read, and from file to segment table.

    python benchmarks/prediction_store.py --repetitions 7
    python benchmarks/prediction_store.py --predictions workspace/predictions/<model>/<dataset>

The first uses a pretended 1024×2048×19 image, the second files of a workspace. Medians of repetitions in turn,
one thread. The error is the largest difference of a column from the table of the float32 softmax,
``|a - b| / max(1, |b|)``.
"""

import argparse
import dataclasses
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from measuring import CLASSES, alternate, load, peak_memory, scene

from oodretrieval.segments import entropy, segment_table, segment_table_from_logits
from oodretrieval.stages.segment_blocks import image_table
from oodretrieval.stores import Prediction, write_prediction
from oodretrieval.stores.predictions import KEEP, Keep, read_prediction_file

_SETUP = """
from pathlib import Path
from oodretrieval.stages.segment_blocks import image_table
from oodretrieval.stores.predictions import read_prediction_file
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--predictions", type=Path, help="folder of prediction files to use instead")
    parser.add_argument("--images", type=int, default=8, help="how many of these files")
    arguments = parser.parse_args()
    print(f"load {load()}")
    if arguments.predictions is None:
        for roughness in (0.3, 0.5):
            _report_synthetic(roughness, arguments.repetitions)
    else:
        _report_real(sorted(arguments.predictions.glob("*.h5"))[: arguments.images], arguments.repetitions)


def _report_synthetic(roughness: float, repetitions: int) -> None:
    logits, probabilities, classes, truth = scene(roughness)
    prediction = Prediction(
        prediction=classes,
        labels=truth,
        image_id="pretended",
        logits=logits,
        num_classes=CLASSES,
    )
    more: dict[str, dict[str, Any]] = {
        "softmax": {"softmax": probabilities},
        "nothing": {"entropy": np.round(entropy(probabilities) * 255).clip(0, 255).astype(np.uint8)},
    }
    print("\n| keep | MB | write, s | read, s | file to table, s | peak, MB |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for keep in KEEP:
            kept = dataclasses.replace(prediction, **more.get(keep, {}))
            _report_file(Path(folder) / f"{keep}.h5", kept, keep, repetitions)
    wanted, _ = segment_table(probabilities, truth, prediction=classes, threads=1)
    ours, _ = segment_table_from_logits(logits, classes, truth, threads=1)
    print(f"\n{len(wanted)} segments, error of the float16 logits' table: {_error(ours, wanted):.1e}")


def _report_file(path: Path, prediction: Prediction, keep: Keep, repetitions: int) -> None:
    cases = {
        "write": partial(write_prediction, path, prediction, keep),
        "read": partial(read_prediction_file, path),
    }
    measured = keep != "nothing"
    if measured:
        cases["table"] = lambda: image_table(read_prediction_file(path))
    seconds = alternate(cases, repetitions)
    peak = "-"
    if measured:
        peak = f"{peak_memory(_SETUP, f'image_table(read_prediction_file(Path({str(path)!r})))'):.0f}"
    table = f"{seconds['table']:.3f}" if measured else "-"
    size = path.stat().st_size / 1e6
    print(
        f"| {keep} | {size:.2f} | {seconds['write']:.3f} | {seconds['read']:.3f} | {table} | {peak} |",
        flush=True,
    )


def _report_real(paths: list[Path], repetitions: int) -> None:
    seconds = alternate(
        {path.stem: lambda p=path: image_table(read_prediction_file(p)) for path in paths}, repetitions
    )
    errors = []
    for path in paths:
        prediction = read_prediction_file(path)
        wanted, _ = segment_table(prediction.probabilities(), prediction=prediction.prediction, threads=1)
        ours, _ = segment_table_from_logits(
            prediction.logits, prediction.prediction, align_corners=prediction.align_corners, threads=1
        )
        errors.append(_error(ours, wanted))
    size = np.mean([path.stat().st_size for path in paths]) / 1e6
    shape = " by ".join(str(n) for n in prediction.prediction.shape)
    print(f"{len(paths)} images of {shape}, {prediction.num_classes} classes: {size:.3f} MB and ", end="")
    print(f"{np.median(list(seconds.values())) * 1000:.1f} ms from file to table each")
    print(f"error against the softmax of the same logits: {max(errors):.1e}")


def _error(ours: pd.DataFrame, wanted: pd.DataFrame) -> float:
    differences = (ours[wanted.columns] - wanted).abs() / wanted.abs().clip(lower=1)
    return float(differences.to_numpy().max())


if __name__ == "__main__":
    main()
