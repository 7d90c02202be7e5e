"""HDF5 as the prediction files use it. Importing this module registers hdf5plugin's compressors."""

import json
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
from numpy.typing import NDArray

from oodretrieval.errors import ChecksumError, StoreError
from oodretrieval.files import CHECKSUM, require_checksum, verify
from oodretrieval.stores.json_files import require_format

CHUNK_BYTES = 1 << 20


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


def read_hdf5(
    path: Path, names: tuple[str, ...], *, whole: bool = True
) -> tuple[dict[str, NDArray[Any]], dict[str, Any] | None]:
    """Read datasets of an HDF5 file and our metadata, if it carries them.

    Args:
        path: The file.
        names: Datasets to read where they exist.
        whole: Compare the file with its checksum first, which reads it whole.

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
            wanted = [key for key in names if key in file and isinstance(file[key], h5py.Dataset)]
            return {key: np.asarray(file[key][()]) for key in wanted}, metadata
    except FileNotFoundError as error:
        raise StoreError(f"no file {str(path)!r}; predict this image first") from error
    except (OSError, KeyError, ValueError, RuntimeError, TypeError, AttributeError, ChecksumError) as error:
        raise StoreError(f"{path} is damaged ({error}); remove it and predict again") from error


def decode(image_path: NDArray[Any]) -> str:
    """The text of the dataset ``image_path``, of shape (1,) or ()."""
    value = image_path.ravel()[0]
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)
