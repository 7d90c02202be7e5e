"""Which files a network is made of, and what distinguishes their content."""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from mmap import ACCESS_READ, mmap
from pathlib import Path

from oodretrieval.colours import numbered_colour
from oodretrieval.entries import ModelEntry, factory_of
from oodretrieval.errors import ConfigurationError
from oodretrieval.remote_paths import path_of

IN_A_FOLDER = {".bin", ".json", ".safetensors", ".txt"}
"""Suffixes of what counts in a folder: description, tensors and vocabulary of a network."""
LOCATION = re.compile(rb"\n\x08location\x12([\x01-\x7f]|[\x80-\xff][\x01-\x7f])", re.DOTALL)
"""How an ONNX file (a protocol buffer) begins the name of a file next to it that holds tensors; its length last."""


def weights_hash(path: str | Path) -> str:
    """Hash of a file, or of the files of a folder with their names.

    To an ONNX file belong the files in its folder that hold its tensors.

    Args:
        path: File or folder of weights.

    Returns:
        First 16 hexadecimal digits of the SHA-256.
    """
    files = sorted(files_of(path_of(path)))
    if files == [path_of(path)]:
        return _digest(files[0])[:16]
    listed = "\n".join(f"{_digest(file)} {file.name}" for file in files)
    return hashlib.sha256(listed.encode()).hexdigest()[:16]


def weights_in_use(entry: ModelEntry) -> Path | None:
    """The file or folder that an entry's network is made of, as far as it is on this computer.

    It is the entry's ``weights``, or what the class's ``cached_weights(**kwargs)`` finds in a cache of downloads.

    Args:
        entry: Of the network.

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
    """The files that weights consist of.

    Args:
        path: File or folder of weights.

    Yields:
        The file itself and those that it names, or those of the folder.
    """
    if path.is_dir():
        yield from (file for file in path.iterdir() if file.suffix in IN_A_FOLDER)
        return
    yield path
    if path.suffix == ".onnx":
        yield from {path.parent / name for name in _locations(path)}


def classes_of_folder(path: Path) -> dict[str, tuple[str, tuple[int, int, int]]]:
    """Names and colours of the classes of a network that ``save_pretrained`` wrote.

    Args:
        path: The folder.

    Returns:
        Class id, as text → (name, colour); empty if unknown.
    """
    try:
        names = json.loads((path / "config.json").read_text(encoding="utf-8"))["id2label"]
        return {str(key): (str(name), numbered_colour(int(key), 0.65, 0.9)) for key, name in names.items()}
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
    ):  # a network that names none, or no network
        return {}


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
