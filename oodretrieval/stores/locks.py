"""Work on a folder alone, and what a writer that was killed left there.

The lock is the system's own (``flock``): it ends with the process that holds it, however that ends. Next to it lies
who holds it, for people: a file that is still there when the lock is free was left by a run that was killed.
"""

import json
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from oodretrieval.errors import StoreError
from oodretrieval.files import TEMPORARY, is_running
from oodretrieval.remote_paths import RemotePath

logger = logging.getLogger(__name__)
_LOCK, _OWNER = ".lock", ".lock-owner"


@contextmanager
def lock_folder(folder: Path, timeout: float = 0, *, tidy: bool = True) -> Iterator[None]:
    """Keep other processes from working on a folder; it is created where missing.

    A process that dies lets go of its lock. What a killed writer left half-written below the folder is
    removed, since nobody else can be at work there; folders below that have a lock of their own are left alone.

    Args:
        folder: The folder.
        timeout: Seconds to wait for another process that holds the lock.
        tidy: Look for what killed writers left, in all files below the folder.

    Yields:
        Nothing.

    Raises:
        StoreError: If another process holds the lock all the time, or the folder cannot be written to.
    """
    if isinstance(folder, RemotePath):
        with _remote_lock(folder, timeout, tidy=tidy):
            yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / _LOCK, timeout=timeout, is_singleton=False)
        lock.acquire()
    except Timeout:
        raise StoreError(f"{folder} is in use by another run{_holder(folder)}") from None
    except (OSError, NotImplementedError) as error:
        raise StoreError(
            f"cannot lock {folder} ({error}); make it writable, or choose another args.workspace"
        ) from error
    owner = folder / _OWNER
    try:
        if owner.exists():
            logger.info(
                "the last run on %s ended in the middle%s; going on from what it left",
                folder,
                _left_by(owner),
            )
        with suppress(OSError):  # who holds it is only said, and a full disk shows soon enough
            owner.write_text(json.dumps({"host": socket.gethostname(), "pid": os.getpid()}), encoding="utf-8")
        if tidy:
            _remove_leftovers(folder)
        yield
    finally:
        with suppress(OSError):
            owner.unlink(missing_ok=True)
        lock.release()


@contextmanager
def _remote_lock(folder: RemotePath, timeout: float, *, tidy: bool) -> Iterator[None]:
    """A lock by an object that one of several can make; it outlives whoever is killed, and says who that was."""
    owner, own = folder / _OWNER, json.dumps({"host": socket.gethostname(), "pid": os.getpid()}).encode()
    assert isinstance(owner, RemotePath)
    try:
        _make(owner, own, timeout)
        for path in folder.rglob(".tmp-*") if tidy else ():
            path.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"cannot lock {folder} ({error}); run again when the store answers") from error
    try:
        yield
    finally:
        with suppress(OSError):
            owner.unlink(missing_ok=True)


def _make(owner: RemotePath, content: bytes, timeout: float) -> None:
    """Make the object that is the lock; that of a process of this machine which has ended is taken away."""
    end = time.monotonic() + timeout
    while not owner.create(content):
        held = _owner(owner)
        if held is not None and held[0] == socket.gethostname() and not is_running(held[1]):
            left = _left_by(owner)
            logger.info(
                "the last run on %s ended in the middle%s; going on from what it left", owner.parent, left
            )
            owner.unlink(missing_ok=True)
        elif time.monotonic() >= end:
            raise StoreError(
                f"{owner.parent} is in use by another run{_left_by(owner)}; wait until it is done; if it was killed, "
                f"remove {owner}"
            )
        else:
            time.sleep(max(0.01, min(1, end - time.monotonic())))


def _owner(path: Path) -> tuple[str, int] | None:
    """Host and process that hold a lock, or held it last; None where that cannot be read."""
    try:
        noted = json.loads(path.read_text(encoding="utf-8"))
        return str(noted["host"]), int(noted["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _left_by(path: Path) -> str:
    owner = _owner(path)
    return "" if owner is None else f" (process {owner[1]} on {owner[0]})"


def _holder(folder: Path) -> str:
    """Who holds the lock of a folder, and what to do."""
    owner = _owner(folder / _OWNER)
    wait = "wait until it is done, or choose another args.workspace"
    if owner is None:
        return f"; {wait}"
    host, process = owner
    said = f", process {process} on {host}; "
    if host != socket.gethostname():
        return f"{said}{wait}; if {host} is switched off, remove {folder / _LOCK}"
    if not is_running(process):
        return f"{said}it has ended, but a process that it started still holds the lock: end that one"
    return said + wait


def _remove_leftovers(folder: Path) -> None:
    for here, folders, files in os.walk(folder):
        # Whoever works in a folder with a lock of its own does not ask for ours.
        folders[:] = [name for name in folders if not Path(here, name, _LOCK).exists()]
        for name in filter(TEMPORARY.fullmatch, files):
            Path(here, name).unlink(missing_ok=True)
