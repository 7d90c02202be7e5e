"""Pooled feature vectors of segments: one file for each image, computed once and kept."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from oodretrieval.errors import ChecksumError
from oodretrieval.files import CHECKSUM, UNSEALED, require_checksum, sealed_path, verify
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
    description = {"format": FORMAT, "key": _key(made_by), CHECKSUM: UNSEALED}
    content = save({"vectors": vectors.astype(np.float16)}, description)
    with sealed_path(path) as temporary:
        temporary.write_bytes(content)


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
        with safe_open(path, framework="numpy") as file:
            description = file.metadata() or {}
            if description.get("key") != _key(made_by):
                return None
            require_checksum(verify(path), description.get(CHECKSUM))
            vectors: NDArray[np.float16] = file.get_tensor("vectors")
    except (OSError, SafetensorError, ChecksumError):
        return None
    return vectors if vectors.ndim == 2 and len(vectors) == rows else None


def _key(made_by: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(plain(dict(made_by)), sort_keys=True).encode()).hexdigest()
