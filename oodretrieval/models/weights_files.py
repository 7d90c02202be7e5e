"""Which files a network is made of, and what tells their content apart."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import suppress
from mmap import ACCESS_READ, mmap
from pathlib import Path

from oodretrieval.entries import ModelEntry, factory_of
from oodretrieval.errors import ConfigurationError

IN_A_FOLDER = {".bin", ".json", ".safetensors", ".txt"}
"""Suffixes of what counts in a folder: description, tensors and vocabulary of a network."""
LOCATION = re.compile(rb"\n\x08location\x12([\x01-\x7f]|[\x80-\xff][\x01-\x7f])", re.DOTALL)
"""How an ONNX file (a protocol buffer) begins the name of a file beside it that holds tensors; its length last."""


def weights_hash(path: str | Path) -> str:
    """First 16 hexadecimal digits of the SHA-256 of a file, or of the files of a folder with their names.

    To an ONNX file belong the files beside it that hold its tensors.
    """
    files = sorted(files_of(Path(path)))
    if files == [Path(path)]:
        return _digest(files[0])[:16]
    listed = "\n".join(f"{_digest(file)} {file.name}" for file in files)
    return hashlib.sha256(listed.encode()).hexdigest()[:16]


def weights_in_use(entry: ModelEntry) -> Path | None:
    """The file or folder that an entry's network is made of, as far as it is on this computer.

    It is the entry's ``weights``, or what the class's ``cached_weights(**kwargs)`` finds in a cache of downloads.

    Returns:
        The path; None if there is none, or it is not there (yet).
    """
    if entry.weights is not None:
        return Path(entry.weights) if Path(entry.weights).exists() else None
    try:
        find = getattr(factory_of(entry), "cached_weights", None)
        found: Path | None = None if find is None else find(**entry.kwargs)
    except (ConfigurationError, TypeError):  # building the network says what is wrong with the entry
        return None
    return found


def files_of(path: Path) -> Iterator[Path]:
    """The files that weights consist of: the file itself, those that it names, or those of a folder."""
    if path.is_dir():
        yield from (file for file in path.iterdir() if file.suffix in IN_A_FOLDER)
        return
    yield path
    if path.suffix == ".onnx":
        yield from {path.parent / name for name in _locations(path)}


def _locations(path: Path) -> Iterator[str]:
    with suppress(ValueError), path.open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as content:
        for found in LOCATION.finditer(content):
            first, *rest = found[1]
            length = (first & 0x7F) + (rest[0] << 7 if rest else 0)
            name = content[found.end() : found.end() + length].decode(errors="replace")
            with suppress(OSError, ValueError):
                if (path.parent / name).is_file():
                    yield name


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
