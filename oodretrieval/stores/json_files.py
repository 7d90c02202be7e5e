"""Plain values, and JSON files of them with a checksum and a format version."""

import json
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from oodretrieval.errors import ChecksumError, StoreError
from oodretrieval.files import CHECKSUM, UNSEALED, atomic_path, require_checksum, sealed_path, verify

FORMAT_VERSION = 1
"""Version of every file that the stores write; files of another one are refused."""


def write_json(path: Path, content: Any) -> None:
    """Write a value as JSON, atomically; an object gets a checksum.

    Args:
        path: The file.
        content: What :func:`plain` accepts.

    Raises:
        StoreError: If JSON cannot hold the value, or the file cannot be written.
    """
    value = plain(content)
    described = isinstance(value, dict)
    if described:
        value = {**{key: item for key, item in value.items() if key != CHECKSUM}, CHECKSUM: UNSEALED}
    text = json.dumps(value, indent=1, ensure_ascii=False)
    with (sealed_path if described else atomic_path)(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path, remedy: str) -> dict[str, Any]:
    """Read a JSON object that this format version wrote.

    Args:
        path: The file.
        remedy: What to do when it is missing or damaged; ends the message.

    Returns:
        The object, without its checksum.

    Raises:
        StoreError: If the file is missing, damaged, or of another format version.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("no JSON object")
        require_checksum(verify(path), content.pop(CHECKSUM, None))
    except FileNotFoundError as error:
        raise StoreError(f"no file {str(path)!r}; {remedy}") from error
    except (OSError, ValueError, ChecksumError) as error:
        raise StoreError(f"{path} is damaged ({error}); {remedy}") from error
    require_format(path, content.get("format_version"))
    return content


def require_format(path: Path, version: object) -> None:
    """Refuse a file of another format version.

    Args:
        path: The file, for the message.
        version: What it says of itself.

    Raises:
        StoreError: If ``version`` is not :data:`FORMAT_VERSION`.
    """
    if version != FORMAT_VERSION:
        raise StoreError(
            f"{path} has format version {version}, this version reads {FORMAT_VERSION}; "
            "make it again by the stage that writes it, with args.overwrite=True, or use the version that wrote it"
        )


def plain(content: Any) -> Any:
    """A value as JSON gives it back: tuples become lists, paths texts, sets sorted lists, keys texts.

    Args:
        content: The value.

    Returns:
        Its plain form.

    Raises:
        StoreError: If JSON cannot hold it.

    Example:
        >>> plain({"size": (1, 2), 7: Path("a/b")})
        {'size': [1, 2], '7': 'a/b'}
    """
    try:
        return json.loads(json.dumps(content, default=_plain_value))
    except (TypeError, ValueError) as error:
        raise StoreError(
            f"cannot record {content!r} ({error}); use numbers, texts, lists and dicts"
        ) from error


def _plain_value(value: Any) -> Any:
    if isinstance(value, PurePath):
        return value.as_posix()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is no plain value")
