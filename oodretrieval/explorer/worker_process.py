"""Projections and clusters in processes of their own, which stay and wait for the next call.

Much of their work holds Python's global lock, so that a thread would freeze the window; and a process takes seconds to
import what it works with, so that it is kept when it is done. It is started by name
(``python -m oodretrieval.explorer.worker_process``) and not forked or spawned: those would copy the window, or run the
caller's script again.
"""

import atexit
import json
import os
import queue
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import oodretrieval
from oodretrieval.errors import OODRetrievalError, SettingsError
from oodretrieval.search import cluster, elbow_curve, project, silhouette_curve
from oodretrieval.search.projection import METHODS as PROJECTIONS

FUNCTIONS: dict[str, Callable[..., NDArray[Any]]] = {
    "project": project,
    "cluster": cluster,
    "elbow_curve": elbow_curve,
    "silhouette_curve": silhouette_curve,
}
KEPT = 2
"""Processes that wait for a next call; a projection and clusters may be asked for at the same time."""
_PROGRESS = re.compile(r"(Iteration|cluster) +(\d+(?: of \d+)?)")
"""What t-SNE says of itself, and what we let the elbow say."""
_ANSWER = "\x02answer "
"""What the line of an answer begins with; all else that a process says is progress, or why it ended."""

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
        process = _POOL.take()
        problem = process.ask([name, str(source), str(target), json.dumps(options)], cancelled, report)
        if cancelled.is_set():
            process.end()
            warm()
            return np.zeros(0)
        _POOL.give_back(process)
        if problem or not target.is_file():
            raise SettingsError(
                f"{name} failed: {problem or 'it ended without a word; is there enough memory?'}"
            )
        result: NDArray[Any] = np.load(target, allow_pickle=False)
        return result


def warm() -> None:
    """Have a process waiting, so that the next call finds one that has imported what it needs."""
    _POOL.warm()


def end_waiting() -> None:
    """End the processes that wait for a next call."""
    _POOL.end()


class _Process:
    """A process that answers one call after the other."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-u", "-m", "oodretrieval.explorer.worker_process"],
            stdin=subprocess.PIPE,  # by its end the process learns of ours
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=_environment(),
        )
        self._answered, self._problem, self._last = threading.Event(), "", ""
        self._report: Callable[[str], None] = lambda said: None
        self._listener = threading.Thread(target=self._listen, name="listen to a worker", daemon=True)
        self._listener.start()

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def ask(self, request: list[str], cancelled: threading.Event, report: Callable[[str], None]) -> str:
        """Have it do something, and wait; returns what went wrong."""
        self._answered.clear()
        self._problem, self._last, self._report = "", "", report
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except OSError:  # it has ended, and the listener has heard its last line
            self._listener.join()
            self._answered.set()
        while not self._answered.wait(_LOOK) and not cancelled.is_set():
            pass
        self._report = lambda said: None
        return self._problem

    def end(self) -> None:
        """End it, whatever it is at."""
        self._process.kill()
        self._process.wait()
        self._listener.join()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(OSError):  # what it did not read any more
                pipe.close()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            progress = _PROGRESS.search(line)
            if line.startswith(_ANSWER):
                self._problem = str(json.loads(line[len(_ANSWER) :]))
                self._answered.set()
            elif progress:
                self._report(f"{progress.group(1).lower()} {progress.group(2)}")
            elif line.strip():
                self._last = line.strip()
        self._problem = self._last
        self._answered.set()


class _Pool:
    """Processes that wait to be asked."""

    def __init__(self) -> None:
        self._waiting: list[_Process] = []
        self._lock = threading.Lock()

    def take(self) -> _Process:
        """One that waits, else a new one."""
        with self._lock:
            while self._waiting:
                process = self._waiting.pop()
                if process.alive:
                    return process
                process.end()
        return _Process()

    def give_back(self, process: _Process) -> None:
        """Keep one for the next call, unless enough are waiting or it has ended."""
        with self._lock:
            if process.alive and len(self._waiting) < KEPT:
                self._waiting.append(process)
                return
        process.end()

    def warm(self) -> None:
        """Start one where none is waiting."""
        with self._lock:
            if not self._waiting:
                self._waiting.append(_Process())

    def end(self) -> None:
        """End all that wait."""
        with self._lock:
            while self._waiting:
                self._waiting.pop().end()


_POOL = _Pool()
atexit.register(end_waiting)


def _environment() -> dict[str, str]:
    """This process's, from which the package is found wherever that one starts."""
    root = str(Path(oodretrieval.__file__).parents[1])
    paths = filter(None, (root, os.environ.get("PYTHONPATH")))
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def serve(requests: Iterator[str], answer: Callable[[str], object]) -> None:
    """What a process of its own does: answer one request after the other.

    Args:
        requests: Lines of JSON: name of a function, file of the vectors, file of the result, options as JSON.
        answer: Takes a line: what went wrong, or nothing.
    """
    for line in requests:
        problem = ""
        try:
            name, source, target, options = json.loads(line)
            vectors = np.load(source, mmap_mode="r", allow_pickle=False)
            result = call(name, vectors, **json.loads(options), **_talking(name, options))
            np.save(target, result, allow_pickle=False)
        except (OODRetrievalError, MemoryError, OSError) as error:
            problem = str(error) or "not enough memory"
        answer(f"{_ANSWER}{json.dumps(problem)}\n")


def _talking(name: str, options: str) -> dict[str, Any]:
    """Options that let a function say how far it is."""
    if name in ("elbow_curve", "silhouette_curve"):
        return {"progress": lambda done, total: sys.stdout.write(f"cluster {done} of {total}\n")}
    return {"verbose": 2} if "verbose" in PROJECTIONS.get(json.loads(options).get("method"), {}) else {}


def _lines_of_stdin() -> Iterator[str]:
    """Lines that the parent writes, read in a thread that ends the process with the parent, whatever it is at."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        rest = b""
        # not the read of sys.stdin itself: the interpreter wants its lock when it ends
        while content := os.read(sys.stdin.fileno(), 65536):
            *whole, rest = (rest + content).split(b"\n")
            for line in whole:
                lines.put(line.decode())
        os._exit(0)

    threading.Thread(target=read, name="end with the parent", daemon=True).start()
    while True:
        yield lines.get()


if __name__ == "__main__":
    if hasattr(os, "nice"):
        os.nice(_POLITE)  # the window goes first
    serve(_lines_of_stdin(), sys.stdout.write)
