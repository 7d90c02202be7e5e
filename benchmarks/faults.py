"""Kills, full disks and exhausted memory at random moments of all stages, each followed by the same command again.

    python benchmarks/faults.py --faults 500 --seed 0 --log faults.jsonl

A parent that has imported everything forks one stage after another on a miniature of a few images, in turn, on what an
undisturbed run of the stages before it left. A fault hits it: SIGKILL or SIGTERM at a random time, SIGKILL in the
middle of a random file operation, a disk that is full from a random file operation on, a limit on the size of files, or
no memory for more arrays. Then every file with a final name must be whole, the same stage without a fault must end
well, and what it leaves must be what it leaves undisturbed: every file byte for byte, but catalogues, whose parts may
be cut in another way, row for row and vector for vector. Prints the summary of docs/trust.md.
"""

import errno
import gc
import importlib
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
import time
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")  # a forked process has the parent's memory, but none of its threads

import miniature  # noqa: E402
import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import pyarrow as pa  # noqa: E402
import torch  # noqa: E402
from command_line import command_line  # noqa: E402
from fault_stages import (  # noqa: E402
    Stages,
    first_stages,
    further_stages,
    with_trained_network,
    without_logits,
)
from safetensors import safe_open  # noqa: E402

import oodretrieval.files  # noqa: E402
from oodretrieval.errors import ChecksumError  # noqa: E402
from oodretrieval.experiment.run import Run  # noqa: E402
from oodretrieval.experiment.script import report_error  # noqa: E402
from oodretrieval.results.tables import markdown_lines  # noqa: E402
from oodretrieval.stores import Catalogue, Workspace, blocks  # noqa: E402

KINDS = (
    "SIGKILL",
    "SIGTERM",
    "killed in a file operation",
    "disk full",
    "file too large",
    "out of memory",
)
QUICK = ("compute_logit_statistics", "compute_embeddings", "eval_segmentation", "search_classes")
"""What runs with ``--quick`` after the first stages: one of each kind of file, and the cheapest of the evaluations."""
DONE, FAILED, INTERRUPTED, UNEXPECTED = 0, 1, 130, 99
OPERATIONS = ("fsync", "replace")
"""What is counted, of the module os: each file is flushed and renamed once, and its folder flushed."""
SEALED = (".h5", ".parquet", ".safetensors", ".json")
"""What carries a checksum."""
ALLOCATIONS = ("array", "concatenate", "empty", "full", "ones", "stack", "zeros")
"""Of NumPy, likewise. (A real limit on memory makes Python hang where a new thread has none for its first line.)"""


def state_of(path: Path) -> bytes:
    """The values of a training's state, every bit of them."""
    said: list[bytes] = []

    def say(value: Any) -> None:
        if isinstance(value, torch.Tensor):
            said.extend(
                (f"{value.dtype} {tuple(value.shape)}".encode(), value.contiguous().numpy().tobytes())
            )
        elif isinstance(value, (dict, list, tuple)):
            said.append(f"{type(value).__name__} {len(value)}".encode())
            for item in value.items() if isinstance(value, dict) else value:
                say(item)
        else:
            said.append(repr(value).encode())

    say(torch.load(path, weights_only=True))
    return b"\n".join(said)


@dataclass(frozen=True)
class Step:
    """One stage, and what an undisturbed run of it is.

    Attributes:
        name: Of the stage, and what sets it apart from the same stage with other settings.
        stage: What runs.
        before: Copy of the workspace that it finds.
        expected: Contents of the workspace that it leaves.
        seconds: Of CPU that it takes.
        operations: On files.
        allocations: New arrays.
    """

    name: str
    stage: Callable[[Run], Any]
    before: Path
    expected: dict[str, bytes]
    seconds: float
    operations: int
    allocations: int


def fork(
    run: Run, stage: Callable[[Run], Any], fault: Callable[[], None], ended: mmap.mmap, said: Path
) -> int:
    """Run a stage in a child; returns its process. ``ended`` says afterwards whether it got to its end."""
    ended[0] = 0
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
        stage(run)
        ended[0], code = 1, DONE
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as error:
        code = report_error(error)
        if "unexpected" in said.read_text():
            traceback.print_exc()
            code = UNEXPECTED
    finally:
        os._exit(code)


def ended(process: int) -> tuple[int, float]:
    """Wait for a child; its exit code, or minus the signal that ended it, and its seconds of CPU."""
    _, status, used = os.wait4(process, 0)
    return os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime


def kill_after(process: int, seconds: float, sent: signal.Signals) -> None:
    """Send a child a signal when it has used some seconds of CPU: a moment of its work, however busy the machine is."""
    clock = ~process << 3 | 2  # as clock_getcpuclockid of the C library says
    try:
        while time.clock_gettime(clock) < seconds:
            if os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                return
            time.sleep(0.001)
        os.kill(process, sent)
    except OSError:
        return


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

            setattr(os, name, wrapped)

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


def in_allocation(number: int) -> Callable[[], None]:
    """No memory for the ``number``-th new array of NumPy, and none after it."""

    def arm() -> None:
        count = [0]
        for name in ALLOCATIONS:
            real = getattr(np, name)

            def wrapped(*given: Any, _real: Any = real, **named: Any) -> Any:
                count[0] += 1
                if count[0] >= number:
                    raise MemoryError("Unable to allocate an array")
                return _real(*given, **named)

            setattr(np, name, wrapped)

    return arm


def chosen(kind: str, rng: random.Random, operations: int, allocations: int) -> Callable[[], None]:
    """What a child does to itself; nothing where the parent kills it."""
    operations, allocations = max(1, operations), max(1, allocations)
    if kind == "killed in a file operation":
        return in_operation(rng.randint(1, operations), kill_self)
    if kind == "disk full":
        return in_operation(rng.randint(1, operations), no_space)
    if kind == "file too large":
        return limited(int(2 ** rng.uniform(8, 16)))
    if kind == "out of memory":
        return in_allocation(rng.randint(1, allocations))
    return lambda: None


def broken_files(folder: Path) -> list[str]:
    """Files with a final name that are not what was written; exports are for others, and carry no checksum of ours."""
    broken = []
    for path in sorted(folder.glob("exports/*/[!.]*")):
        try:
            EXPORTED.get(path.suffix, Path.stat)(path)
        except (ValueError, OSError) as error:
            broken.append(f"{path.name}: {error}")
    for path in sorted(folder.rglob("*")):
        if path.suffix in SEALED and not path.name.startswith(".") and "exports" not in path.parts:
            try:
                if not oodretrieval.files.verify(path):
                    broken.append(f"{path.name} carries no checksum")
            except (ChecksumError, OSError) as error:
                broken.append(f"{path.name}: {error}")
    return broken


def contents(workspace: Workspace) -> dict[str, bytes]:
    """What a workspace holds, by name: files, catalogues as tables, weights and states as their values.

    The safetensors library writes metadata in another order in every process, and torch the same values, once they
    were read from a file, as another pickle.
    """
    found = {}
    for path in sorted(workspace.path.rglob("*")):
        name = path.relative_to(workspace.path).as_posix()
        if (
            path.is_file()
            and not path.name.startswith(".lock")
            and not name.startswith(("catalogues/", "runs/"))
        ):
            found[name] = COMPARED.get(path.suffix, Path.read_bytes)(path)
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


EXPORTED: dict[str, Callable[[Path], Any]] = {
    ".json": lambda path: json.loads(path.read_text()),
    ".parquet": pd.read_parquet,
}
"""How it is seen that a file which others read is whole."""
COMPARED = {".safetensors": tensors_of, ".pt": state_of}


class Trial:
    """Undisturbed runs to compare with, and faults one after the other.

    Args:
        folder: For everything.
        quick: The cheapest stages alone.
        seed: Of the faults.
        known: How many faults of this trial are done already.
    """

    def __init__(self, folder: Path, *, quick: bool, seed: int, known: int = 0) -> None:
        self.folder, self.rng, self.number = folder, random.Random(seed + known), known
        for number, (split, miniature.IMAGES) in enumerate((("train", 6), ("val", 3))):
            miniature.write_miniature_camvid(folder / "camvid", split, number)
        configuration = with_trained_network(miniature.configuration_for(folder / "camvid", folder))
        self.run = Run(configuration, Workspace(folder / "workspace"))
        self.ended = mmap.mmap(-1, 1)
        self.said = folder / "said.txt"
        further = further_stages()
        chain = first_stages() | ({name: further[name] for name in QUICK} if quick else further)
        gc.freeze()  # children copy fewer pages
        self.steps = [*self._undisturbed(without_logits()), *self._undisturbed(chain)]

    def _undisturbed(self, chain: Stages) -> list[Step]:
        """What each stage finds and leaves, how long it takes, and how much it does."""
        shutil.rmtree(self.run.workspace.path, ignore_errors=True)
        self.run.workspace.path.mkdir()
        counted, steps = self.folder / "operations", []
        for name, stage in chain.items():
            before = self.folder / "before" / name
            shutil.copytree(self.run.workspace.path, before)
            self._prepare(stage)
            shutil.rmtree(self.run.workspace.path)
            shutil.copytree(before, self.run.workspace.path)
            counted.write_bytes(b"")
            took = self._require_done(fork(self.run, stage, _noting(counted), self.ended, self.said))
            left, counts = contents(self.run.workspace), Counter(counted.read_text())
            steps.append(Step(name, stage, before, left, took, counts["o"], counts["a"]))
        return steps

    def _prepare(self, stage: Callable[[Run], Any]) -> None:
        """Let a child compile what is compiled, and import what it imported, so that no later child has to."""
        names = self.folder / "modules"

        def and_say_what_is_imported(run: Run) -> None:
            stage(run)
            names.write_text("\n".join(sys.modules))

        self._require_done(fork(self.run, and_say_what_is_imported, lambda: None, self.ended, self.said))
        for name in names.read_text().splitlines():
            if name not in sys.modules:
                with suppress(Exception):
                    importlib.import_module(name)

    def _require_done(self, process: int) -> float:
        code, seconds = ended(process)
        if code != DONE:
            sys.exit(f"an undisturbed run ends with {code}:\n{self.said.read_text()}")
        return seconds

    def fault(self) -> dict[str, Any]:
        """One fault of the next stage, and what became of it."""
        step, kind = self.steps[self.number % len(self.steps)], self.rng.choice(KINDS)
        self.number += 1
        shutil.rmtree(self.run.workspace.path)
        shutil.copytree(step.before, self.run.workspace.path)
        self.said.write_text("")
        moment = self.rng.uniform(0, step.seconds)
        process = fork(
            self.run,
            step.stage,
            chosen(kind, self.rng, step.operations, step.allocations),
            self.ended,
            self.said,
        )
        if kind in ("SIGKILL", "SIGTERM"):
            kill_after(process, moment, getattr(signal, kind))
        code, _ = ended(process)
        noted = {"kind": kind, "in": step.name, "code": code, "hit": not self.ended[0]}
        problems = broken_files(self.run.workspace.path)
        if code == UNEXPECTED:
            problems.append(f"unexpected: {self.said.read_text()[-2000:]}")
        code, _ = ended(fork(self.run, step.stage, lambda: None, self.ended, self.said))
        if code == DONE:
            there = contents(self.run.workspace)
            names = step.expected.keys() | there.keys()
            other = [name for name in names if step.expected.get(name) != there.get(name)]
            problems += [f"{name} differs" for name in sorted(other)]
        else:
            problems.append(f"the run after it ends with {code}: {self.said.read_text()[-2000:]}")
        return noted | {"problems": problems}


def _noting(path: Path) -> Callable[[], None]:
    """Counts file operations and new arrays, a letter each."""

    def arm() -> None:
        file = path.open("ab", buffering=0)
        for module, names, letter in ((os, OPERATIONS, b"o"), (np, ALLOCATIONS, b"a")):
            for name in names:
                real = getattr(module, name)

                def wrapped(*given: Any, _real: Any = real, _letter: bytes = letter, **named: Any) -> Any:
                    file.write(_letter)
                    return _real(*given, **named)

                setattr(module, name, wrapped)

    return arm


def summary(faults: list[dict[str, Any]]) -> str:
    """Markdown: how many hit, by kind and stage, and how many were not survived."""
    hit = [fault for fault in faults if fault["hit"]]
    kinds = {kind: [fault for fault in hit if fault["kind"] == kind] for kind in KINDS} | {"all": hit}
    rows = [(kind, len(own), sum(bool(fault["problems"]) for fault in own)) for kind, own in kinds.items()]
    lines = [markdown_lines(["fault", "hit", "of these not survived"], rows)]
    counts = Counter(fault["in"].split()[0] for fault in hit)
    lines += ["", "Hit in: " + ", ".join(f"{stage} {count}" for stage, count in counts.most_common()) + "."]
    lines.append(f"Too late to hit: {len(faults) - len(hit)}.")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Do it and print; returns the number of faults that were not survived."""
    parser = command_line(__doc__)
    parser.add_argument("--faults", type=int, default=500, help="that hit")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--log", type=Path, help="one line of JSON a fault; goes on with what it holds")
    parser.add_argument("--quick", action="store_true", help="the cheapest stages alone")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    blocks.BLOCK = 2
    faults: list[dict[str, Any]] = []
    if options.log and options.log.is_file():
        faults = [json.loads(line) for line in options.log.read_text().splitlines()]
    with tempfile.TemporaryDirectory(prefix="faults ") as folder:
        trial = Trial(Path(folder), quick=options.quick, seed=options.seed, known=len(faults))
        seconds, operations = (
            sum(getattr(step, name) for step in trial.steps) for name in ("seconds", "operations")
        )
        print(f"{len(trial.steps)} stages, {seconds:.1f} s of CPU, {operations} file operations", flush=True)
        while sum(fault["hit"] for fault in faults) < options.faults:
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
