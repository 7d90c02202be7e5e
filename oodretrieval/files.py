"""Files that are whole under their final name, or absent, or still the old ones; and whether one was replaced."""

import hashlib
import os
import re
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from oodretrieval.errors import StoreError

TEMPORARY = re.compile(r"\.tmp-[0-9a-f]{12}(\.\w+)?")
"""Names of files that are being written; what a killed writer left can be told by them."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Write a file so that it is whole under its final name, or absent, or still the old one.

    Args:
        path: Final name; its folder is created where missing.

    Yields:
        A hidden name in the same folder with the same suffix, to write to. It is flushed to disk and renamed
        when the block ends, and removed when the block fails.

    Raises:
        StoreError: If the file cannot be written: no space, no permission, nothing written.
    """
    temporary = path.with_name(f".tmp-{secrets.token_hex(6)}{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105 – the same call as in every description of this idiom
        _flush_folder(path.parent)
    except OSError as error:
        raise StoreError(
            f"cannot write {path} ({error}); make room or make the folder writable, then run again"
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def file_stamp(path: str | Path) -> dict[str, int | str] | None:
    """What tells whether a file is still the one that it was: size, time of change, hash of its content.

    Args:
        path: The file.

    Returns:
        Plain values; None if there is no such file, or it cannot be read.
    """
    try:
        with Path(path).open("rb") as file:
            status = os.fstat(file.fileno())
            content = hashlib.file_digest(file, "sha256").hexdigest()[:16]
    except (OSError, ValueError):  # ValueError: a name that no file can have
        return None
    return {"size": status.st_size, "modified_ns": status.st_mtime_ns, "hash": content}


def was_replaced(path: str | Path, stamp: Mapping[str, int | str]) -> bool:
    """Whether a file has another content than when it was stamped; one that is not there was not replaced.

    It is read only if its size is the same, but its time is not: copied or touched files are still the same.

    Args:
        path: The file.
        stamp: What :func:`file_stamp` said of it.
    """
    try:
        status = Path(path).stat()
    except (OSError, ValueError):
        return False
    if status.st_size != stamp["size"]:
        return True
    if status.st_mtime_ns == stamp["modified_ns"]:
        return False
    current = file_stamp(path)
    return current is not None and current["hash"] != stamp["hash"]


def _flush_folder(folder: Path) -> None:
    # Not every system can open a folder; the file itself is flushed by then.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
