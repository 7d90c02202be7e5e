"""Work on a folder alone, and what a writer that was killed left there."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from oodretrieval.errors import StoreError
from oodretrieval.files import TEMPORARY

_LOCK = ".lock"


@contextmanager
def lock_folder(folder: Path, timeout: float = 0) -> Iterator[None]:
    """Keep other processes from working on a folder; it is created where missing.

    A process that dies lets go of its lock. What a killed writer left half-written below the folder is
    removed, since nobody else can be at work there; folders below that have a lock of their own are left alone.

    Args:
        folder: The folder.
        timeout: Seconds to wait for another process that holds the lock.

    Yields:
        Nothing.

    Raises:
        StoreError: If another process holds the lock all the time, or the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / _LOCK, timeout=timeout, is_singleton=False)
        lock.acquire()
    except Timeout:
        raise StoreError(
            f"{folder} is in use by another run; wait until it is done, or choose another args.workspace"
        ) from None
    except (OSError, NotImplementedError) as error:
        raise StoreError(
            f"cannot lock {folder} ({error}); make it writable, or choose another args.workspace"
        ) from error
    try:
        _remove_leftovers(folder)
        yield
    finally:
        lock.release()


def _remove_leftovers(folder: Path) -> None:
    for here, folders, files in os.walk(folder):
        # Whoever works in a folder with a lock of its own does not ask for ours.
        folders[:] = [name for name in folders if not Path(here, name, _LOCK).exists()]
        for name in filter(TEMPORARY.fullmatch, files):
            Path(here, name).unlink(missing_ok=True)
