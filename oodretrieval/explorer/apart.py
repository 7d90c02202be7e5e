"""Projections and clusters in a process of their own.

Much of their work holds Python's global lock, so that a thread would freeze the window. The process is started
by name (``python -m oodretrieval.explorer.apart``) and not forked or spawned: those would copy the window, or run
the caller's script again.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import oodretrieval
from oodretrieval.errors import OODRetrievalError, SettingsError
from oodretrieval.search import cluster, elbow_curve, project

FUNCTIONS: dict[str, Callable[..., NDArray[Any]]] = {
    "project": project,
    "cluster": cluster,
    "elbow_curve": elbow_curve,
}
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


def call_apart(
    cancelled: threading.Event, name: str, vectors: NDArray[np.floating], **options: Any
) -> NDArray[Any]:
    """Do it in a process of its own, and wait; the process is ended when it is no longer wanted.

    Args:
        cancelled: Set when the result is no longer wanted.
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
        command = [sys.executable, "-m", __name__, name, str(source), str(target), json.dumps(options)]
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=_environment()
        )
        try:
            error = _wait(process, cancelled)
        finally:
            process.kill()
            process.communicate()  # takes what is left in the pipe, closes it, and waits
        if cancelled.is_set():
            return np.zeros(0)
        if process.returncode != 0 or not target.is_file():
            last = (error.strip().splitlines() or ["it ended without a word; is there enough memory?"])[-1]
            raise SettingsError(f"{name} failed: {last}")
        result: NDArray[Any] = np.load(target, allow_pickle=False)
        return result


def _wait(process: "subprocess.Popen[str]", cancelled: threading.Event) -> str:
    while not cancelled.is_set():
        try:
            return process.communicate(timeout=_LOOK)[1]
        except subprocess.TimeoutExpired:
            continue
    return ""


def _environment() -> dict[str, str]:
    """This process's, from which the package is found wherever that one starts."""
    root = str(Path(oodretrieval.__file__).parents[1])
    paths = filter(None, (root, os.environ.get("PYTHONPATH")))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def main(name: str, source: str, target: str, options: str) -> int:
    """What the process of its own does; returns its exit code."""
    if hasattr(os, "nice"):
        os.nice(_POLITE)  # the window goes first
    vectors = np.load(source, mmap_mode="r", allow_pickle=False)
    try:
        np.save(target, call(name, vectors, **json.loads(options)), allow_pickle=False)
    except (OODRetrievalError, MemoryError) as error:
        sys.stderr.write(f"{error or 'not enough memory'}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
