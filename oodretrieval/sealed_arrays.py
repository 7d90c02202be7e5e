"""Arrays and a description of them in one safetensors file, whose checksum stands in the description."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from oodretrieval.errors import ChecksumError, WeightsError
from oodretrieval.files import CHECKSUM, UNSEALED, require_checksum, sealed_path, verify

UNREADABLE = (SafetensorError, OSError, ChecksumError)
"""What :func:`read_arrays` may raise; without a file it is FileNotFoundError."""


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], description: Mapping[str, str]) -> None:
    """Write arrays atomically.

    Args:
        path: Where to; missing folders are made.
        arrays: Name → contiguous array.
        description: Text to travel with them.

    Raises:
        StoreError: If the file cannot be written.
    """
    content = save(dict(arrays), {**description, CHECKSUM: UNSEALED})
    with sealed_path(path) as temporary:
        temporary.write_bytes(content)


def read_arrays(path: Path) -> tuple[dict[str, str], dict[str, NDArray[Any]]]:
    """Read what :func:`write_arrays` wrote, with the checksum verified.

    Args:
        path: The file.

    Returns:
        The description and the arrays.

    Raises:
        SafetensorError: If it is damaged; so are OSError and ChecksumError.
    """
    with safe_open(path, framework="numpy") as file:
        description: dict[str, str] = file.metadata() or {}
        require_checksum(verify(path), description.get(CHECKSUM))
        return description, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def read_model_arrays(path: Path, what: str, remedy: str) -> tuple[dict[str, str], dict[str, NDArray[Any]]]:
    """:func:`read_arrays` of a file that a model is made of.

    Args:
        path: The file.
        what: What it is, for people.
        remedy: What to do where it cannot be read.

    Returns:
        The description and the arrays.

    Raises:
        WeightsError: If it is missing or damaged.
    """
    try:
        return read_arrays(path)
    except FileNotFoundError as error:
        raise WeightsError(f"no {what} {str(path)!r}; {remedy}") from error
    except UNREADABLE as error:
        raise WeightsError(f"the {what} {str(path)!r} is damaged ({error}); {remedy}") from error
