"""Files that are whole under their final name, or absent, or still the old ones; whether one rotted or was replaced.

A file of ours carries a checksum of all its other bytes: in the text that describes it (the metadata of Parquet,
safetensors and HDF5, a key of JSON) or, where it has no such text, in that of the file which lists it. The key that
holds it says that there is one, so a file that lost it is not taken for an older one, which never had one.
"""

import hashlib
import os
import re
import secrets
import socket
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from mmap import ACCESS_READ, mmap
from pathlib import Path

from oodretrieval.errors import ChecksumError, StoreError
from oodretrieval.local_copies import file_to_put
from oodretrieval.remote_paths import RemotePath

TEMPORARY = re.compile(r"\.tmp-(?:([0-9a-f]{8}|[0-9a-f]{4})([0-9a-f]{8}))?[0-9a-f]{12}(\.\w+)?")
"""Names of files that are being written, by which machine and process: so is recognised what a killed writer left."""

CHECKSUM = "checksum"
"""Key of the checksum in the text that describes a file."""

UNSEALED = "crc32:????????"
"""Value of that key in a file that :func:`sealed_path` is about to complete: CRC-32, as in zip and PNG files."""

_NO_PART_OF_A_NAME = re.compile(r"[^\w.+-]+")
_tidied: set[Path] = set()
"""Folders in which this process has looked for what killed ones left; once each, for folders can be large."""

_PREFIX, _DIGITS = UNSEALED.encode()[:-8], 8
_READ_AT_ONCE = 1 << 22


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Write a file so that it is whole under its final name, or absent, or still the old one.

    What processes that were killed left half-written in its folder is removed on the way, so that no stage has to.

    Args:
        path: Final name; its folder is created where missing.

    Yields:
        A hidden name in the same folder with the same suffix, to write to. It is flushed to disk and renamed
        when the block ends, and removed when the block fails.

    Raises:
        StoreError: If the file cannot be written: no space, no permission, nothing written.
    """
    name = f".tmp-{_machine()}{os.getpid():08x}{secrets.token_hex(6)}{path.suffix}"
    if isinstance(path, RemotePath):
        try:
            with file_to_put(name, path.put) as temporary:
                _remove_abandoned(temporary.parent)
                yield temporary
        except OSError as error:
            raise StoreError(f"cannot write {path} ({error}); run again when the store answers") from error
        return
    temporary = path.with_name(name)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path.parent)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)  # noqa: PTH105 – the same call as in every description of this idiom
        _flush_folder(path.parent)
    except OSError as error:
        raise StoreError(
            f"cannot write {path} ({error}); make room or make the folder writable, or choose another "
            "args.workspace (args.save_dir where a script has it), then run again"
        ) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def is_running(process: int) -> bool:
    """Whether a process of this machine, perhaps another user's, is there.

    Args:
        process: Its number.

    Returns:
        False where it has ended.
    """
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _remove_abandoned(folder: Path) -> None:
    """Remove what killed processes of this machine left in a folder, the first time that this process writes there."""
    if folder in _tidied:
        return
    _tidied.add(folder)
    with suppress(OSError):
        for path in folder.glob(".tmp-*"):
            writer = TEMPORARY.fullmatch(path.name)
            if writer and writer[1] == _machine() and not is_running(int(writer[2], 16)):
                path.unlink(missing_ok=True)


@cache
def _machine() -> str:
    """Eight digits for whatever numbers processes by itself: a machine, or a container whose host name others have."""
    name = socket.gethostname()
    with suppress(OSError):
        name += f" {Path('/proc/self/ns/pid').readlink()}"
    return f"{zlib.crc32(name.encode()):08x}"


@contextmanager
def sealed_path(path: Path) -> Iterator[Path]:
    """Like :func:`atomic_path`, for a file whose description says :data:`UNSEALED`; fills in its checksum.

    Args:
        path: Final name of the file.

    Yields:
        A temporary name in the same folder, to write to.

    Raises:
        StoreError: If the file cannot be written.
    """
    with atomic_path(path) as temporary:
        yield temporary
        with temporary.open("rb+") as file:
            with mmap(file.fileno(), 0, access=ACCESS_READ) as content:
                place = _place(content)
                digits = _checksum(content, place)
            file.seek(place)
            file.write(digits)


def verify(path: Path) -> bool:
    """Compare a file with the checksum that it carries; reads it whole.

    Args:
        path: The file.

    Returns:
        True if its bytes are those that were written; False if it carries no checksum.

    Raises:
        ChecksumError: If they are others.
        OSError: If it cannot be read.
    """
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            return False
        with mmap(file.fileno(), 0, access=ACCESS_READ) as content:
            place = _place(content)
            if place < 0:
                return False
            written, now = content[place : place + _DIGITS], _checksum(content, place)
    if written != now:
        raise ChecksumError(f"its checksum is {now.decode()}, written was {written.decode(errors='replace')}")
    return True


def require_checksum(found: bool, noted: object) -> None:
    """Refuse a file that says it carries a checksum, but where there is none.

    Args:
        found: What :func:`verify` returned.
        noted: Value of the key :data:`CHECKSUM` of its description; None where it has no such key.

    Raises:
        ChecksumError: If it was there once.
    """
    if noted is not None and not found:
        raise ChecksumError(f"its checksum, now {noted!r}, is damaged itself")


def checksum_of(path: Path) -> str:
    """Checksum of a whole file, for the text that lists it.

    Args:
        path: The file.

    Returns:
        Eight hexadecimal digits.

    Raises:
        OSError: If it cannot be read.
    """
    value = 0
    with path.open("rb") as file:
        while block := file.read(_READ_AT_ONCE):
            value = zlib.crc32(block, value)
    return f"{value:08x}"


def file_stamp(path: str | Path) -> dict[str, int | str] | None:
    """What shows whether a file is still the one that it was: size, time of change, hash of its content.

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

    Returns:
        True where the content differs.
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


def file_name(text: str) -> str:
    """A text, such as the id of an image, as part of a file's name: whatever a name may not hold becomes ``_``.

    Args:
        text: Any text.

    Returns:
        Letters and digits, ``_``, ``.``, ``+`` and ``-``. Those of every language stay: names that differ only in them
        are not one file.

    Example:
        >>> file_name("rating of aachen/0001")
        'rating_of_aachen_0001'
    """
    return _NO_PART_OF_A_NAME.sub("_", text)


def _place(content: mmap) -> int:
    """Where the digits stand; -1 where there are none."""
    described = 8 + int.from_bytes(content[:8], "little")
    if content[8:9] == b"{" and described <= len(content):  # safetensors: length, description, tensors
        found = content.find(_PREFIX, 0, described)
    else:  # what describes a file is written last
        found = content.rfind(_PREFIX)
    return -1 if found < 0 else found + len(_PREFIX)


def _checksum(content: mmap, place: int) -> bytes:
    """Checksum of all bytes but the eight digits that hold it."""
    value = 0
    with memoryview(content) as view:
        for part in (view[:place], view[place + _DIGITS :]):
            with part:
                value = zlib.crc32(part, value)
    return f"{value:08x}".encode()


def _flush_folder(folder: Path) -> None:
    # Not every system can open a folder; the file itself is flushed by then.
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
