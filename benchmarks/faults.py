"""Kills and full disks at random moments of all stages, each followed by the same command again.

    python benchmarks/faults.py --faults 500 --seed 0 --log faults.jsonl

A parent that has imported everything forks a run of all stages on a miniature of a few images. A fault hits it: SIGKILL
or SIGTERM at a random time, SIGKILL in the middle of a random file operation, a disk that is full from a random file
operation on, or a limit on the size of files. Then every file with a final name must be whole, a second run without
faults must end well, and what it leaves must be that of an undisturbed run: every file byte for byte, but catalogues,
whose parts may be cut in another way, row for row and vector for vector. Prints the summary of docs/trust.md.
"""

import argparse
import errno
import json
import logging
import mmap
import os
import random
import resource
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # a forked process has the parent's memory, but none of its threads
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

import miniature  # noqa: E402
import pyarrow as pa  # noqa: E402
import torch  # noqa: E402
from safetensors import safe_open  # noqa: E402
from steps import CPU, META, NETWORK, embed_settings  # noqa: E402

import oodretrieval.files  # noqa: E402
from oodretrieval.errors import ChecksumError  # noqa: E402
from oodretrieval.experiment.configuration import Configuration  # noqa: E402
from oodretrieval.experiment.run import Run  # noqa: E402
from oodretrieval.experiment.script import report_error  # noqa: E402
from oodretrieval.experiment.settings import from_mapping  # noqa: E402
from oodretrieval.stages.evaluate.eval_iou import eval_iou  # noqa: E402
from oodretrieval.stages.evaluate.settings import IouSettings  # noqa: E402
from oodretrieval.stages.fit.compute_logit_statistics import compute_logit_statistics  # noqa: E402
from oodretrieval.stages.fit.settings import (  # noqa: E402
    LogitStatisticsSettings,
    TrainMetaSettings,
    TrainNoveltySettings,
)
from oodretrieval.stages.fit.train_meta_nn import train_meta_nn  # noqa: E402
from oodretrieval.stages.fit.train_novelty import train_novelty  # noqa: E402
from oodretrieval.stages.measure.compute_metrics import compute_metrics  # noqa: E402
from oodretrieval.stages.measure.settings import MetricsSettings  # noqa: E402
from oodretrieval.stages.predict.pred_images import pred_images  # noqa: E402
from oodretrieval.stages.predict.settings import PredictSettings  # noqa: E402
from oodretrieval.stages.select.compute_embeddings import compute_embeddings  # noqa: E402
from oodretrieval.stores import Catalogue, Workspace, blocks  # noqa: E402

Stages = dict[str, Callable[[Run], Any]]
KINDS = ("SIGKILL", "SIGTERM", "killed in a file operation", "disk full", "file too large")
DONE, FAILED, INTERRUPTED, UNEXPECTED = 0, 1, 130, 99
OPERATIONS = ("fsync", "replace")
"""What is counted, of the module os: each file is flushed and renamed once, and its folder flushed."""


def stages(keep: str, *, thorough: bool) -> Stages:
    """The stages that run, in order.

    Args:
        keep: What predictions keep.
        thorough: With the novelty model and the catalogue, which need the ImageNet network.
    """

    def predict(dataset: str) -> Callable[[Run], Any]:
        settings = from_mapping(PredictSettings, {"dataset": dataset, "keep": keep, **NETWORK, **CPU})
        return lambda run: pred_images(settings, run)

    def measure(dataset: str) -> Callable[[Run], Any]:
        settings = from_mapping(MetricsSettings, {"dataset": dataset, **NETWORK})
        return lambda run: compute_metrics(settings, run)

    named = {"dataset": "train", **NETWORK, **CPU}
    meta = from_mapping(
        TrainMetaSettings, {**named, **META, "dataset_val": "val", "repetitions": 2, "num_cores": 0}
    )
    found: Stages = {"pred_images train": predict("train"), "pred_images val": predict("val")}
    if keep == "logits":
        found |= {"compute_metrics train": measure("train"), "compute_metrics val": measure("val")}
    found["train_meta_nn"] = lambda run: train_meta_nn(meta, run)
    found["eval_iou"] = lambda run: eval_iou(
        from_mapping(IouSettings, {"dataset": "val", **NETWORK, "repetitions": 2}), run
    )
    if thorough:
        if keep == "logits":
            statistics = from_mapping(LogitStatisticsSettings, named)
            found["compute_logit_statistics"] = lambda run: compute_logit_statistics(statistics, run)
        novelty = from_mapping(TrainNoveltySettings, named)
        found["train_novelty"] = lambda run: train_novelty(novelty, run)
        found["compute_embeddings"] = lambda run: compute_embeddings(embed_settings(), run)
    return found


def fork(run: Run, todo: Stages, fault: Callable[[], None], at: mmap.mmap, said: Path) -> int:
    """Run the stages in a child; returns its process."""
    process = os.fork()
    if process:
        return process
    code = UNEXPECTED
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        with said.open("a") as out:
            os.dup2(out.fileno(), 1)
            os.dup2(out.fileno(), 2)
        logging.basicConfig(format="%(message)s", level=logging.WARNING, force=True)
        fault()
        for number, stage in enumerate(todo.values()):
            at[0] = number
            stage(run)
        at[0], code = len(todo), DONE
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as error:
        code = report_error(error)
        if code != FAILED or "unexpected" in said.read_text():
            traceback.print_exc()
            code = UNEXPECTED
    finally:
        os._exit(code)


def in_operation(number: int, hit: Callable[[], None]) -> Callable[[], None]:
    """A fault from the ``number``-th file operation on; half of them after the operation is done."""

    def arm() -> None:
        count = [0]
        for name in OPERATIONS:
            real = getattr(os, name)

            def wrapped(*given: Any, _real: Any = real) -> Any:
                count[0] += 1
                if count[0] >= number and number % 2:
                    hit()
                result = _real(*given)
                if count[0] >= number:
                    hit()
                return result

            setattr(oodretrieval.files.os, name, wrapped)

    return arm


def kill_self() -> None:
    """SIGKILL."""
    os.kill(os.getpid(), signal.SIGKILL)


def no_space() -> None:
    """What the system says on a full disk."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def limited(size: int) -> Callable[[], None]:
    """No file may grow beyond some bytes: writes really fail half-way."""

    def arm() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))

    return arm


def chosen(kind: str, rng: random.Random, operations: int) -> Callable[[], None]:
    """What a child does to itself; nothing where the parent kills it."""
    if kind == "killed in a file operation":
        return in_operation(rng.randint(1, operations), kill_self)
    if kind == "disk full":
        return in_operation(rng.randint(1, operations), no_space)
    if kind == "file too large":
        return limited(int(2 ** rng.uniform(8, 16)))
    return lambda: None


def broken_files(folder: Path) -> list[str]:
    """Files with a final name that are not what was written."""
    broken = []
    for path in sorted(folder.rglob("*")):
        if path.suffix in (".h5", ".parquet", ".safetensors", ".json") and not path.name.startswith("."):
            try:
                if not oodretrieval.files.verify(path):
                    broken.append(f"{path.name} carries no checksum")
            except (ChecksumError, OSError) as error:
                broken.append(f"{path.name}: {error}")
    return broken


def contents(workspace: Workspace) -> dict[str, bytes]:
    """What a workspace holds, by name: files, catalogues as tables, safetensors as tensors and sorted metadata.

    The safetensors library writes metadata in another order in every process.
    """
    found = {}
    for path in sorted(workspace.path.rglob("*")):
        name = path.relative_to(workspace.path).as_posix()
        if (
            path.is_file()
            and not path.name.startswith(".lock")
            and not name.startswith(("catalogues/", "runs/"))
        ):
            found[name] = tensors_of(path) if path.suffix == ".safetensors" else path.read_bytes()
    for folder in sorted(workspace.path.glob("catalogues/*")):
        catalogue = Catalogue.open(folder)
        rows = catalogue.segments.assign(row=range(len(catalogue)))
        rows = rows.sort_values(["dataset", "image_id", "segment_id"], ignore_index=True)
        order = rows.pop("row").to_numpy()
        found[f"{folder.name}: rows"] = pa.Table.from_pandas(rows).to_pandas().to_csv().encode()
        found[f"{folder.name}: vectors"] = catalogue.vectors[order].tobytes()
        for table in catalogue.table_names:
            found[f"{folder.name}: {table}"] = catalogue.table(table).to_csv().encode()
    return found


def tensors_of(path: Path) -> bytes:
    """What a safetensors file says, in one order, without the checksum, which is of the order, too."""
    with safe_open(path, framework="numpy") as content:
        metadata = {key: text for key, text in (content.metadata() or {}).items() if "checksum" not in key}
        said = [json.dumps(metadata, sort_keys=True).encode()]
        for name in sorted(content.keys()):
            tensor = content.get_tensor(name)
            said += [f"{name} {tensor.dtype} {tensor.shape}".encode(), tensor.tobytes()]
    return b"\n".join(said)


class Trial:
    """Undisturbed runs to compare with, and faults one after the other.

    Args:
        folder: For everything.
        thorough: All stages.
        seed: Of the faults.
    """

    def __init__(self, folder: Path, *, thorough: bool, seed: int) -> None:
        self.folder, self.rng = folder, random.Random(seed)
        for number, split in enumerate(("train", "val")):
            miniature.write_miniature_camvid(folder / "camvid", split, number)
        self.configuration: Configuration = miniature.configuration_for(folder / "camvid", folder)
        self.run = Run(self.configuration, Workspace(folder / "workspace"))
        self.at = mmap.mmap(-1, 1)
        self.said = folder / "said.txt"
        self.todo = {keep: stages(keep, thorough=thorough) for keep in ("logits", "nothing")}
        self.expected = {keep: self._undisturbed(keep) for keep in self.todo}

    def _undisturbed(self, keep: str) -> tuple[dict[str, bytes], float, int]:
        """What a run leaves, how long it takes, and its number of file operations."""
        counted = self.folder / "operations"
        for _ in range(2):  # the first one compiles what is compiled
            shutil.rmtree(self.run.workspace.path, ignore_errors=True)
            counted.write_bytes(b"")
            start = time.monotonic()
            code = self._ended(fork(self.run, self.todo[keep], _noting(counted), self.at, self.said))
            took = time.monotonic() - start
            if code != DONE:
                sys.exit(f"an undisturbed run ends with {code}:\n{self.said.read_text()}")
        return contents(self.run.workspace), took, len(counted.read_bytes())

    @staticmethod
    def _ended(process: int) -> int:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])

    def fault(self) -> dict[str, Any]:
        """One fault and what became of it."""
        keep, kind = self.rng.choice(list(self.todo)), self.rng.choice(KINDS)
        expected, took, operations = self.expected[keep]
        shutil.rmtree(self.run.workspace.path, ignore_errors=True)
        self.said.write_text("")
        moment = self.rng.uniform(0, took)
        process = fork(self.run, self.todo[keep], chosen(kind, self.rng, operations), self.at, self.said)
        if kind in ("SIGKILL", "SIGTERM"):
            timer = threading.Timer(moment, os.kill, (process, getattr(signal, kind)))
            timer.start()
            code = self._ended(process)
            timer.cancel()
            timer.join()
        else:
            code = self._ended(process)
        names = [*self.todo[keep], "after the last"]
        noted = {"kind": kind, "keep": keep, "in": names[self.at[0]], "code": code}
        problems = broken_files(self.run.workspace.path)
        if code == UNEXPECTED:
            problems.append(f"unexpected: {self.said.read_text()[-2000:]}")
        code = self._ended(fork(self.run, self.todo[keep], lambda: None, self.at, self.said))
        if code == DONE:
            there = contents(self.run.workspace)
            other = [name for name in expected.keys() | there.keys() if expected.get(name) != there.get(name)]
            problems += [f"{name} differs" for name in sorted(other)]
        else:
            problems.append(f"the run after it ends with {code}: {self.said.read_text()[-2000:]}")
        return noted | {"problems": problems}


def _noting(path: Path) -> Callable[[], None]:
    """Counts file operations, a byte each."""

    def arm() -> None:
        for name in OPERATIONS:
            real = getattr(os, name)

            def wrapped(*given: Any, _real: Any = real) -> Any:
                with path.open("ab") as file:
                    file.write(b".")
                return _real(*given)

            setattr(oodretrieval.files.os, name, wrapped)

    return arm


def summary(faults: list[dict[str, Any]]) -> str:
    """Markdown: how many hit, by kind and stage, and how many were not survived."""
    hit = [fault for fault in faults if fault["in"] != "after the last"]
    lines = ["| fault | hit | of these not survived |", "|---|---:|---:|"]
    for kind in KINDS:
        own = [fault for fault in hit if fault["kind"] == kind]
        lines.append(f"| {kind} | {len(own)} | {sum(bool(fault['problems']) for fault in own)} |")
    lines.append(f"| all | {len(hit)} | {sum(bool(fault['problems']) for fault in hit)} |")
    counts = Counter(fault["in"].split()[0] for fault in hit)
    lines += ["", "Hit in: " + ", ".join(f"{stage} {count}" for stage, count in counts.most_common()) + "."]
    lines.append(f"Too late to hit: {len(faults) - len(hit)}.")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Do it and print; returns the number of faults that were not survived."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--faults", type=int, default=500, help="that hit")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path, help="one line of JSON a fault; goes on with what it holds")
    parser.add_argument("--quick", action="store_true", help="without novelty model and catalogue")
    parser.add_argument("--images", type=int, default=8, help="of each split")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    blocks.BLOCK, miniature.IMAGES = 2, options.images
    faults: list[dict[str, Any]] = []
    if options.log and options.log.is_file():
        faults = [json.loads(line) for line in options.log.read_text().splitlines()]
    with tempfile.TemporaryDirectory(prefix="faults ") as folder:
        trial = Trial(Path(folder), thorough=not options.quick, seed=options.seed + len(faults))
        print(
            {
                keep: f"{took:.2f} s, {count} file operations"
                for keep, (_, took, count) in trial.expected.items()
            }
        )
        while sum(fault["in"] != "after the last" for fault in faults) < options.faults:
            faults.append(trial.fault())
            if options.log:
                with options.log.open("a") as log:
                    log.write(json.dumps(faults[-1]) + "\n")
            if faults[-1]["problems"]:
                print(json.dumps(faults[-1], indent=1), flush=True)
    print(summary(faults))
    return sum(bool(fault["problems"]) for fault in faults)


if __name__ == "__main__":
    sys.exit(min(main(), 1))
