"""The faults that hit a stage, and its file operations and new arrays, which they hit or which are counted."""

import errno
import os
import random
import resource
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

KINDS = (
    "SIGKILL",
    "SIGTERM",
    "killed in a file operation",
    "disk full",
    "file too large",
    "out of memory",
)
OPERATIONS = ("fsync", "replace")
"""What is counted, of the module os: each file is flushed and renamed once, and its folder flushed."""
ALLOCATIONS = ("array", "concatenate", "empty", "full", "ones", "stack", "zeros")
"""Of NumPy, likewise. (A real limit on memory makes Python hang where a new thread has none for its first line.)"""


def fault_of(kind: str, rng: random.Random, operations: int, allocations: int) -> Callable[[], None]:
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


def counting(path: Path) -> Callable[[], None]:
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
