"""Predictions on disk: bytes, time to write and read, and from file to segment table.

    python benchmarks/prediction_store.py --repetitions 7
    python benchmarks/prediction_store.py --predictions workspace/predictions/<model>/<dataset>

The first uses a calm and a ragged pretended 1024×2048×19 image, the second files with logits of a workspace. Medians
of repetitions in turn, one thread, also as multiples of a read pass (``probabilities.max()``) in the same run; memory
is the peak of a fresh process beyond its imports. The error is the largest difference of a column from the table of
the float32 softmax, ``|a - b| / max(1, |b|)``. Next to it stands the plain reference of the tests, from a file with the
softmax.
"""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd
from command_line import command_line
from measuring import alternate, load, only_what_is_kept, peak_memory, pretended_prediction, scene
from plain_metrics import plain_metrics

from oodretrieval.results.tables import markdown_head, markdown_row
from oodretrieval.segments import segment_table, segment_table_from_logits
from oodretrieval.stores import Prediction, write_prediction
from oodretrieval.stores.predictions import KEEP, read_prediction_file

_SETUP = """
from pathlib import Path
from oodretrieval.stores.predictions import read_prediction_file
"""


def main() -> None:
    """Measure and print."""
    parser = command_line(__doc__)
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--predictions", type=Path, help="folder of prediction files to use instead")
    parser.add_argument("--images", type=int, default=8, help="how many of these files")
    parser.add_argument("--no-plain", action="store_true", help="leave the slow reference out")
    arguments = parser.parse_args()
    options = arguments.repetitions, not arguments.no_plain
    if arguments.predictions is None:
        for roughness in (0.3, 0.5):
            logits, probabilities, _, truth = scene(roughness)
            _report([pretended_prediction(logits, probabilities, truth)], *options)
    else:
        paths = sorted(arguments.predictions.rglob("*.h5"))[: arguments.images]
        _report([read_prediction_file(path) for path in paths], *options)


def _report(predictions: list[Prediction], repetitions: int, plain: bool) -> None:
    """Times, memory and bytes per image, the mean over the images of the medians."""
    size = " by ".join(map(str, predictions[0].prediction.shape))
    print(f"\n{len(predictions)} image(s) of {size}, {predictions[0].num_classes} classes, load {load()}")
    softmaxes = [prediction.probabilities() for prediction in predictions]
    cases: dict[str, Callable[[], Any]] = {"one read pass": lambda: [p.max() for p in softmaxes]}
    memory: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for keep in KEEP:
            paths = [Path(folder) / f"{keep}{i}.h5" for i in range(len(predictions))]
            kept = [only_what_is_kept(prediction, keep) for prediction in predictions]
            cases[f"write, keep={keep}"] = partial(_each, partial(write_prediction, keep=keep), paths, kept)
            cases[f"read, keep={keep}"] = partial(_each, read_prediction_file, paths)
            _each(partial(write_prediction, keep=keep), paths, kept)
            if keep != "nothing":
                table = f"file to table, keep={keep}"
                cases[table] = partial(_each, _table, paths)
                memory[table] = peak_memory(
                    _SETUP, f"read_prediction_file(Path({str(paths[0])!r})).segment_table()"
                )
        seconds = alternate(cases, repetitions)
        if plain:
            published = [Path(folder) / f"softmax{i}.h5" for i in range(len(predictions))]
            name = "plain reference, keep=softmax"
            seconds |= alternate({name: partial(_each, _plain, published[:1])}, 1)
            seconds[name] *= len(predictions)
        print("\n" + markdown_head("what", "s / image", "read passes", "peak, MB"))
        for name, value in seconds.items():
            peak = f"{memory[name]:.0f}" if name in memory else "-"
            passes = value / seconds["one read pass"]
            each = value / len(predictions)
            print(markdown_row(name, f"{each:.4f}", f"{passes:.1f}", peak), flush=True)
        print()
        for keep in KEEP:
            sizes = [path.stat().st_size for path in Path(folder).glob(f"{keep}*.h5")]
            print(f"bytes on disk per image, keep={keep}: {sum(sizes) / len(sizes):,.0f}")
    errors = [_error(prediction) for prediction in predictions]
    print(f"error of the tables from logits against those of their softmax: {max(errors):.1e}", flush=True)


def _each(function: Callable[..., Any], *arguments: list[Any]) -> None:
    for case in zip(*arguments, strict=True):
        function(*case)


def _table(path: Path) -> pd.DataFrame:
    return read_prediction_file(path).segment_table()


def _plain(path: Path) -> Any:
    prediction = read_prediction_file(path)
    return plain_metrics(prediction.probabilities(), prediction.truth())


def _error(prediction: Prediction) -> float:
    classes, logits = prediction.prediction, prediction.logits
    assert logits is not None, "kept by this benchmark"
    wanted, _ = segment_table(prediction.probabilities(), prediction=classes, threads=1)
    ours, _ = segment_table_from_logits(logits, classes, align_corners=prediction.align_corners, threads=1)
    differences = (ours[wanted.columns] - wanted).abs() / wanted.abs().clip(lower=1)
    return float(differences.to_numpy().max())


if __name__ == "__main__":
    main()
