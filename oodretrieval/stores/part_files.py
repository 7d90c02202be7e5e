"""The files of one part of a catalogue next to its rows: vectors and masks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.errors import StoreError
from oodretrieval.files import atomic_path, checksum_of
from oodretrieval.masks import RunLengthMask
from oodretrieval.stores.masks import write_masks
from oodretrieval.stores.segments import part_name


def checked_vectors(
    vectors: NDArray[np.floating], embedding: str, rows: int, dimensions: int | None = None
) -> NDArray[np.float32]:
    """Vectors as they are stored, ``(rows, D)``.

    Args:
        vectors: ``(n, D)``.
        embedding: Name of the embedding.
        rows: Of the part.
        dimensions: D of the embedding's other vectors; None if there are none.

    Returns:
        The same values, float32.

    Raises:
        StoreError: If they do not fit, or are not finite.
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


def write_part_vectors(
    folder: Path, part: dict[str, Any], number: int, embedding: str, vectors: NDArray[np.float32]
) -> None:
    """Write the vectors of a part, and note their file and its checksum.

    Args:
        folder: Of the catalogue.
        part: What the manifest says of the part.
        number: Of the part.
        embedding: Name of the embedding.
        vectors: ``(n, D)``.

    Raises:
        StoreError: If the embedding cannot name a folder, or the file cannot be written.
    """
    require_name("an embedding", embedding)
    name = f"vectors/{embedding}/{part_name(number, '.npy')}"
    with atomic_path(folder / name) as temporary:
        np.save(temporary, vectors, allow_pickle=False)
        checksum = checksum_of(temporary)
    part["vectors"][embedding], part["checksums"][embedding] = name, checksum


def write_part_masks(
    folder: Path,
    part: dict[str, Any],
    number: int,
    masks: Sequence[RunLengthMask | None],
    settings: Mapping[str, Any],
) -> None:
    """Write the masks of a part, and note their file.

    Args:
        folder: Of the catalogue.
        part: What the manifest says of the part.
        number: Of the part.
        masks: Of its rows.
        settings: What makes the catalogue.

    Raises:
        StoreError: If there is not one for each row, or the file cannot be written.
    """
    if len(masks) != part["rows"]:
        raise StoreError(f"expected one mask for each of the {part['rows']} rows, got {len(masks)}")
    part["masks"] = f"masks/{part_name(number)}"
    write_masks(folder / part["masks"], masks, {"settings": settings})


def require_name(kind: str, name: str) -> None:
    """Refuse a name that cannot be one of a file.

    Args:
        kind: What it names, for people.
        name: The name.

    Raises:
        StoreError: If it is empty or has a slash.
    """
    if name in ("", ".", "..") or "/" in name or "\\" in name:
        raise StoreError(f"{name!r} cannot name {kind}; use a name without slashes")
