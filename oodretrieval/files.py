"""Files that are whole under their final name, or absent, or still the old ones."""

import os
import re
import secrets
from collections.abc import Iterator
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


def _flush_folder(folder: Path) -> None:
    # Not every system can open a folder; the file itself is flushed by then.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
