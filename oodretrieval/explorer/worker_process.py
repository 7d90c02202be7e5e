"""Projections and clusters in a process of their own.

Much of their work holds Python's global lock, so that a thread would freeze the window. The process is started
by name (``python -m oodretrieval.explorer.worker_process``) and not forked or spawned: those would copy the window, or
run the caller's script again.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

import oodretrieval
from oodretrieval.errors import OODRetrievalError, SettingsError
from oodretrieval.execution import end_after
from oodretrieval.search import cluster, elbow_curve, project

FUNCTIONS: dict[str, Callable[..., NDArray[Any]]] = {
    "project": project,
    "cluster": cluster,
    "elbow_curve": elbow_curve,
}
_PROGRESS = re.compile(r"(Iteration|cluster) (\d+(?: of \d+)?)")
"""What scikit-learn's t-SNE says of itself, and what we let the elbow say."""

_LOOK = 0.05
_POLITE = 5


def call(name: str, vectors: NDArray[np.floating], **options: Any) -> NDArray[Any]:
    """Do it here.

    Args:
        name: Of :data:`FUNCTIONS`.
        vectors: ``(n, D)``.
        **options: Plain values.

    Returns:
        What the function returns.

    Raises:
        SettingsError: If an option is out of range.
    """
    try:
        return FUNCTIONS[name](vectors, **options)
    except ValueError as error:
        raise SettingsError(str(error)) from error


def call_in_process(
    cancelled: threading.Event,
    report: Callable[[str], None],
    name: str,
    vectors: NDArray[np.floating],
    **options: Any,
) -> NDArray[Any]:
    """Do it in a process of its own, and wait; the process is ended when it is no longer wanted.

    Args:
        cancelled: Set when the result is no longer wanted.
        report: Takes how far it is, where that is known.
        name: Of :data:`FUNCTIONS`.
        vectors: ``(n, D)``.
        **options: Plain values.

    Returns:
        What the function returns; empty if it was cancelled.

    Raises:
        SettingsError: If the process fails; with its last line.
    """
    with tempfile.TemporaryDirectory(prefix="oodretrieval-") as folder:
        source, target = Path(folder) / "vectors.npy", Path(folder) / "result.npy"
        np.save(source, np.asarray(vectors), allow_pickle=False)
        said = _run([name, str(source), str(target), json.dumps(options)], cancelled, report)
        if cancelled.is_set():
            return np.zeros(0)
        if not target.is_file():
            raise SettingsError(
                f"{name} failed: {said or 'it ended without a word; is there enough memory?'}"
            )
        result: NDArray[Any] = np.load(target, allow_pickle=False)
        return result


def _run(arguments: list[str], cancelled: threading.Event, report: Callable[[str], None]) -> str:
    """Run :func:`main` in a process; returns the last line that it said and that was no progress."""
    command = [sys.executable, "-u", "-m", __name__, *arguments]
    last = ""

    def listen(lines: IO[str]) -> None:
        nonlocal last
        for line in lines:
            progress = _PROGRESS.search(line)
            if progress:
                report(f"{progress.group(1).lower()} {progress.group(2)}")
            elif line.strip():
                last = line.strip()

    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,  # by its end the process learns of ours
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=_environment(),
    ) as process:
        listener = threading.Thread(target=listen, args=(process.stdout,), daemon=True)
        listener.start()
        while process.poll() is None and not cancelled.wait(_LOOK):
            pass
        process.kill()
        listener.join()
    return last


def _environment() -> dict[str, str]:
    """This process's, from which the package is found wherever that one starts."""
    root = str(Path(oodretrieval.__file__).parents[1])
    paths = filter(None, (root, os.environ.get("PYTHONPATH")))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def main(name: str, source: str, target: str, options: str) -> int:
    """What the process of its own does.

    Args:
        name: Of :data:`FUNCTIONS`.
        source: File of the vectors.
        target: File of the result.
        options: Plain values as JSON.

    Returns:
        Its exit code.
    """
    if hasattr(os, "nice"):
        os.nice(_POLITE)  # the window goes first
    vectors = np.load(source, mmap_mode="r", allow_pickle=False)
    try:
        np.save(
            target, call(name, vectors, **json.loads(options), **_talking(name, options)), allow_pickle=False
        )
    except (OODRetrievalError, MemoryError) as error:
        sys.stderr.write(f"{error or 'not enough memory'}\n")
        return 1
    return 0


def _talking(name: str, options: str) -> dict[str, Any]:
    """Options that let a function say how far it is."""
    if name == "elbow_curve":
        return {"progress": lambda done, total: sys.stdout.write(f"cluster {done} of {total}\n")}
    return {"verbose": 2} if '"tsne"' in options else {}


if __name__ == "__main__":
    # not the read of sys.stdin itself: the interpreter wants its lock when it ends
    end_after(partial(os.read, sys.stdin.fileno(), 1))
    sys.exit(main(*sys.argv[1:]))
