"""Stages of a miniature that are hit by faults, one after the other, and what becomes of each."""

import gc
import importlib
import logging
import mmap
import os
import random
import shutil
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import miniature
from fault_kinds import KINDS, counting, fault_of, kill_after
from fault_stages import (
    Stages,
    first_stages,
    further_stages,
    with_trained_network,
    without_logits,
)
from workspace_contents import broken_files, contents

from oodretrieval.experiment.run import Run
from oodretrieval.experiment.script import report_error
from oodretrieval.stores import Workspace

QUICK = ("compute_logit_statistics", "compute_embeddings", "eval_segmentation", "search_classes")
"""What runs with ``--quick`` after the first stages: one of each kind of file, and the cheapest of the evaluations."""
DONE, INTERRUPTED, UNEXPECTED = 0, 130, 99


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
            took = self._require_done(fork(self.run, stage, counting(counted), self.ended, self.said))
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
            fault_of(kind, self.rng, step.operations, step.allocations),
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
