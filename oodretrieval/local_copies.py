"""Copies of remote files on this machine, shared by its processes.

They lie in one folder, ``OODRETRIEVAL_CACHE`` or the user's cache; the oldest of them go where they are more than
``OODRETRIEVAL_CACHE_GB`` (20).
"""

import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

COUNTED_EVERY = 10**8
"""Bytes that are fetched until copies are counted."""
_fetched = 0


def cache_folder() -> Path:
    """Where copies of remote files lie on this machine; made where missing.

    Returns:
        The folder.

    Raises:
        OSError: If it cannot be made.
    """
    named = os.environ.get("OODRETRIEVAL_CACHE")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "oodretrieval" / "remote"
    folder = Path(named).expanduser() if named else base
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


@contextmanager
def file_to_put(name: str, put: Callable[[Path], None]) -> Iterator[Path]:
    """Write a file that is then put elsewhere, and is gone from here.

    Args:
        name: Of the file, which no other has.
        put: Called with the file when the block has ended well.

    Yields:
        Where to write it.

    Raises:
        OSError: If it cannot be put.
    """
    temporary = cache_folder() / name
    try:
        yield temporary
        put(temporary)
    finally:
        temporary.unlink(missing_ok=True)


def copy_of(state: str, suffix: str, size: int, fetch: Callable[[Path], object]) -> Path:
    """The copy of a remote file; fetched where there is none.

    Args:
        state: Names the file, and what distinguishes it from all that had this name before.
        suffix: Of the copy.
        size: Of the file, bytes.
        fetch: Writes it to a path.

    Returns:
        The copy, which is whole.

    Raises:
        OSError: If it cannot be written.
    """
    copy = cache_folder() / f"{hashlib.sha256(state.encode()).hexdigest()[:32]}{suffix}"
    if not copy.is_file():
        _make_room(size)
        temporary = copy.with_name(f".tmp-{secrets.token_hex(6)}{suffix}")
        try:
            fetch(temporary)
            temporary.replace(copy)
        finally:
            temporary.unlink(missing_ok=True)
    return copy


def _make_room(size: int) -> None:
    """Remove the oldest copies where there are too many."""
    global _fetched
    before, _fetched = _fetched, _fetched + size
    if _fetched // COUNTED_EVERY == before // COUNTED_EVERY:
        return
    allowed = float(os.environ.get("OODRETRIEVAL_CACHE_GB", "20")) * 1e9
    copies = []
    for copy in cache_folder().iterdir():
        with suppress(OSError):  # another process was faster
            state = copy.stat()
            copies.append((state.st_atime, state.st_size, copy))
    total = sum(size for _, size, _ in copies)
    for _, length, copy in sorted(copies):
        if total <= allowed:
            break
        total -= length
        with suppress(OSError):  # whoever has it open keeps it
            copy.unlink()
