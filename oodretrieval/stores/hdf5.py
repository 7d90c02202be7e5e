"""HDF5 as the prediction files use it. Importing this module registers hdf5plugin's compressors."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
from numpy.typing import NDArray

from oodretrieval.errors import ChecksumError, StoreError
from oodretrieval.files import CHECKSUM, require_checksum, sealed_path, verify
from oodretrieval.stores.json_files import require_format

CHUNK_BYTES = 1 << 20
SMALL, MOST_COMPRESSED = 1 << 30, 1100
"""Arrays of more bytes than these may take at most this multiple of the bytes of their file (gzip: 1032)."""

_TRIPPED_OVER = (OSError, KeyError, ValueError, RuntimeError, TypeError, AttributeError, MemoryError)
"""Errors of h5py on files that are damaged or made to do harm."""


def create_array(file: h5py.File, name: str, values: NDArray[Any], *, readable_anywhere: bool) -> None:
    """Store one array compressed, with a checksum that turns a flipped bit into an error.

    Args:
        file: File open for writing.
        name: Name of the dataset.
        values: The array, one axis at least. ``logits`` are chunked by class, others by rows.
        readable_anywhere: Compress by gzip, which every HDF5 reader knows; else by Zstandard, which is
            several times as fast (maps of integers harder than logits, which it makes little smaller).
    """
    gzip = {"compression": "gzip", "compression_opts": 1}
    options = (
        gzip if readable_anywhere else dict(hdf5plugin.Zstd(clevel=6 if values.dtype.kind == "u" else 3))
    )
    rows = 1 if name == "logits" else CHUNK_BYTES // max(1, values[0].nbytes)
    chunks = (max(1, min(values.shape[0], rows)), *values.shape[1:])
    file.create_dataset(name, data=values, chunks=chunks, shuffle=True, fletcher32=True, **options)


@contextmanager
def new_hdf5(path: Path) -> Iterator[h5py.File]:
    """Write a file, atomically and sealed; the caller adds metadata with a checksum that is still to be set.

    Args:
        path: The file.

    Yields:
        It, open for writing, in memory: HDF5 crashes the process when the disk is full, a plain write does not.

    Raises:
        StoreError: If the file cannot be written.
    """
    with h5py.File(f"memory:{path}", "w", driver="core", backing_store=False) as file:
        yield file
        file.flush()
        content = file.id.get_file_image()
    with sealed_path(path) as temporary:
        temporary.write_bytes(content)


def read_hdf5(
    path: Path, names: tuple[str, ...], *, whole: bool = True, made_by: str = "predict this image"
) -> tuple[dict[str, NDArray[Any]], dict[str, Any] | None]:
    """Read datasets of an HDF5 file and our metadata, if it carries them.

    Args:
        path: The file.
        names: Datasets to read where they exist.
        whole: Compare the file with its checksum first, which reads it whole.
        made_by: What to do to have the file made.

    Returns:
        Name → array, and the metadata or None.

    Raises:
        StoreError: If the file is missing, damaged or of another format version.
    """
    try:
        sealed = verify(path) if whole else True
        with h5py.File(path, "r") as file:
            metadata = json.loads(file["metadata"][()]) if "metadata" in file else None
            if metadata is not None:
                require_checksum(sealed, metadata.pop(CHECKSUM, None))
                require_format(path, metadata["format_version"])
            wanted = [key for key in names if key in file and _is_array(file, key)]
            _require_plausible([file[key] for key in wanted], path)
            return {key: np.asarray(file[key][()]) for key in wanted}, metadata
    except FileNotFoundError as error:
        raise StoreError(f"no file {str(path)!r}; {made_by} first") from error
    except (*_TRIPPED_OVER, ChecksumError) as error:
        raise StoreError(f"{path} is damaged ({error}); remove it and {made_by} again") from error


def _is_array(file: h5py.File, key: str) -> bool:
    """Whether the file holds an array of its own by this name; one that lies in another file is refused.

    Raises:
        ValueError: If it leads out of the file.
    """
    array = file[key] if isinstance(file.get(key, getlink=True), h5py.HardLink) else None
    if array is None or (isinstance(array, h5py.Dataset) and (array.external or array.is_virtual)):
        raise ValueError(f"{key} lies in another file")
    return isinstance(array, h5py.Dataset)


def _require_plausible(arrays: Sequence[h5py.Dataset], path: Path) -> None:
    """Refuse arrays that claim more memory than their file can fill: a few bytes can claim a terabyte.

    Chunks of more axes than their array let the HDF5 library look for values without end.

    Raises:
        ValueError: Saying how much, or of which chunks.
    """
    for array in arrays:
        chunks = array.chunks or ()
        if chunks and len(chunks) != len(array.shape or ()):
            raise ValueError(f"{array.name} of shape {array.shape} lies in chunks of shape {chunks}")
        if int(np.prod(chunks, dtype=object)) * array.dtype.itemsize > SMALL:
            raise ValueError(f"{array.name} lies in chunks of shape {chunks}, of more than {SMALL} bytes")
    claimed = sum(int(np.prod(array.shape or (), dtype=object)) * array.dtype.itemsize for array in arrays)
    if claimed > max(SMALL, MOST_COMPRESSED * path.stat().st_size):
        raise ValueError(f"it claims {claimed} bytes and is of {path.stat().st_size}")


def decode(image_path: NDArray[Any]) -> str:
    """The text of the dataset ``image_path``, of shape (1,) or (); what is no UTF-8 in it is replaced."""
    if not image_path.size:
        return ""
    value = image_path.ravel()[0]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
