"""Masks of candidates on disk: one file for each part of a catalogue, row i of row i."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oodretrieval.errors import StoreError
from oodretrieval.masks import RunLengthMask
from oodretrieval.stores.segments import read_tables, write_table

_REMEDY = "make the catalogue again by scripts/compute_embeddings.py with args.overwrite=True"
_NONE = np.zeros(0, np.uint32)


def write_masks(path: Path, masks: Sequence[RunLengthMask | None], metadata: Mapping[str, Any]) -> None:
    """Write masks as Parquet, atomically, with a checksum: height, width, and the lengths of the runs.

    Args:
        path: The file.
        masks: None for one that is not known.
        metadata: Plain values to note in it.

    Raises:
        StoreError: If the file cannot be written.
    """
    table = pd.DataFrame(
        {
            "height": np.array([mask.size[0] if mask else 0 for mask in masks], np.int32),
            "width": np.array([mask.size[1] if mask else 0 for mask in masks], np.int32),
            "counts": pd.Series([mask.counts if mask else _NONE for mask in masks], dtype=object),
        }
    )
    write_table(path, table, metadata)


def read_masks(path: Path, rows: int) -> list[RunLengthMask | None]:
    """Read what :func:`write_masks` wrote.

    Args:
        path: The file.
        rows: How many there must be.

    Returns:
        The masks; None for one that is not known.

    Raises:
        StoreError: If it is missing or damaged, holds another number, or something that is no mask.
    """
    table = read_tables([path])
    if len(table) != rows or not {"height", "width", "counts"} <= set(table.columns):
        raise StoreError(f"{path} holds {len(table)} masks, but the manifest says {rows}; {_REMEDY}")
    try:
        return [
            RunLengthMask((int(height), int(width)), np.asarray(counts, np.uint32)) if height else None
            for height, width, counts in zip(table["height"], table["width"], table["counts"], strict=True)
        ]
    except (TypeError, ValueError) as error:
        raise StoreError(f"{path} is damaged ({error}); {_REMEDY}") from error
