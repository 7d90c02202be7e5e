"""Files of embedding vectors: one for each part of a catalogue and each embedding, and one of their lengths."""

from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from oodretrieval.errors import ChecksumError, StoreError
from oodretrieval.files import atomic_path, checksum_of

REMEDY = "run scripts/compute_embeddings.py"
SMALL = 1 << 26
"""Vectors up to this size, bytes, are always compared with their checksums (some 20 ms), and one array in memory."""


def fitting_vectors(
    vectors: NDArray[np.floating], embedding: str, rows: int, dimensions: int | None
) -> NDArray[np.float32]:
    """Vectors as they are written; others than a catalogue can hold are refused.

    Args:
        vectors: ``(n, D)``.
        embedding: Its name, for messages.
        rows: ``n``.
        dimensions: ``D`` of the vectors before; None where these are the first.

    Returns:
        The same, contiguous.

    Raises:
        StoreError: If the shape is another, or a value is not finite.
    """
    values = np.ascontiguousarray(vectors, np.float32)
    if values.ndim != 2 or len(values) != rows:
        raise StoreError(
            f"vectors {values.shape} of {embedding!r} must be (n = {rows}, D), one for each segment"
        )
    if dimensions is not None and values.shape[1] != dimensions:
        raise StoreError(
            f"vectors of {embedding!r} have {values.shape[1]} dimensions, those before had {dimensions}; "
            "give another network's vectors another name"
        )
    if not np.isfinite(values).all():
        raise StoreError(f"vectors of {embedding!r} hold NaN or infinity; check the embedding network")
    return values


def write_vectors(path: Path, vectors: NDArray[np.floating]) -> str:
    """Write vectors ``(n, D)``, or their lengths ``(n,)``, atomically.

    Args:
        path: The file.
        vectors: What to write.

    Returns:
        The checksum of the file.

    Raises:
        StoreError: If it cannot be written.
    """
    with atomic_path(path) as temporary:
        np.save(temporary, vectors, allow_pickle=False)
        return checksum_of(temporary)


def read_vectors(
    path: Path, checksum: str | None = None, *, whole: bool = True, shape: tuple[int, int] | None = None
) -> NDArray[np.float32]:
    """Map a file of vectors into memory, read-only.

    Args:
        path: The file.
        checksum: What :func:`~oodretrieval.files.checksum_of` said when it was written; None if unknown.
        whole: Compare it even if the file is large.
        shape: ``(n, D)`` that it must have; None for any.

    Returns:
        ``(n, D)``.

    Raises:
        StoreError: If the file is missing, damaged, or holds something else.
    """
    vectors = _mapped(path, checksum, whole)
    if vectors.ndim != 2 or vectors.dtype != np.float32:
        raise StoreError(f"{path} holds {vectors.dtype} {vectors.shape}, not float32 (n, D); {REMEDY}")
    if shape is not None and vectors.shape != shape:
        raise StoreError(f"{path} holds {vectors.shape} rows, but the manifest says {shape}; {REMEDY}")
    return cast(NDArray[np.float32], vectors)


def read_lengths(path: Path, checksum: str, rows: int) -> NDArray[np.float64]:
    """Read the file of the vectors' lengths.

    Args:
        path: The file.
        checksum: What :func:`~oodretrieval.files.checksum_of` said when it was written.
        rows: How many there must be.

    Returns:
        ``(rows,)``.

    Raises:
        StoreError: If the file is missing, damaged, or holds something else.
    """
    found = _mapped(path, checksum, True)
    if found.shape != (rows,) or found.dtype != np.float64:
        raise StoreError(f"{path} holds {found.dtype} {found.shape}, not float64 ({rows},); {REMEDY}")
    return np.asarray(found)


def _mapped(path: Path, checksum: str | None, whole: bool) -> NDArray[Any]:
    try:
        if checksum is not None and (whole or path.stat().st_size <= SMALL):
            now = checksum_of(path)
            if now != checksum:
                raise ChecksumError(f"its checksum is {now}, the manifest says {checksum}")
        mapped: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError as error:
        raise StoreError(f"no file {str(path)!r}; {REMEDY}") from error
    except (OSError, ValueError, EOFError, ChecksumError) as error:
        raise StoreError(f"{path} is damaged ({error}); {REMEDY}") from error
    return mapped
