"""Pooled feature vectors of segments: one file for each image, computed once and kept."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.sealed_arrays import UNREADABLE, read_arrays, write_arrays
from oodretrieval.stores.json_files import plain
from oodretrieval.stores.stored import Stored
from oodretrieval.stores.workspace import Workspace, nested_path

FORMAT = "oodretrieval segment features"


def features_path(workspace: Workspace, stored: Stored, network: str, image_id: str) -> Path:
    """File of the features of the segments of one image; an id with ``/`` lies in nested folders.

    Args:
        workspace: Where it lies.
        stored: Whose: of which network on which dataset.
        network: Name of the network that gives the features.
        image_id: Id of the image.

    Returns:
        The file.

    Raises:
        StoreError: If a name cannot be one of a folder, or the id leads out of it.
    """
    return nested_path(features_folder(workspace, stored, network), image_id, ".safetensors")


def features_folder(workspace: Workspace, stored: Stored, network: str) -> Path:
    """Folder of the features that a network gives; lock it to write there.

    Args:
        workspace: Where it lies.
        stored: Of which network on which dataset.
        network: Name of the network that gives the features.

    Returns:
        The folder.
    """
    return workspace.segments_folder(stored) / "features" / network


def write_features(path: Path, vectors: NDArray[np.floating], made_by: Mapping[str, Any]) -> None:
    """Write the vectors of an image's segments as float16, atomically.

    Args:
        path: Where to.
        vectors: ``(n, D)``, in the order of the table.
        made_by: What they depend on; :func:`read_features` compares it.

    Raises:
        StoreError: If the file cannot be written.
    """
    write_arrays(path, {"vectors": vectors.astype(np.float16)}, {"format": FORMAT, "key": _key(made_by)})


def read_features(path: Path, rows: int, made_by: Mapping[str, Any]) -> NDArray[np.float16] | None:
    """Read the vectors of an image's segments, if they are there, undamaged, and made of the same.

    Args:
        path: The file.
        rows: Number of segments.
        made_by: What they shall depend on.

    Returns:
        ``(rows, D)``; None where they must be computed.
    """
    try:
        description, arrays = read_arrays(path)
    except UNREADABLE:
        return None
    vectors = arrays.get("vectors", np.zeros(0, np.float16))
    same = description.get("key") == _key(made_by) and vectors.ndim == 2 and len(vectors) == rows
    return vectors if same else None


def _key(made_by: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(plain(dict(made_by)), sort_keys=True).encode()).hexdigest()
