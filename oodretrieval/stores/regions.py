"""Regions of images on disk: the tree and what is known of each region, one file for each image."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.errors import StoreError
from oodretrieval.files import CHECKSUM, UNSEALED
from oodretrieval.regions.tree import RegionTree
from oodretrieval.stores.hdf5 import create_array, new_hdf5, read_hdf5
from oodretrieval.stores.json_files import FORMAT_VERSION, plain
from oodretrieval.stores.stored import Stored
from oodretrieval.stores.workspace import Workspace, nested_path

_ARRAYS = ("superpixels", "members", "spans", "parent", "source")
_COLUMN = "column_"
_MADE_BY = "run compute_embeddings.py with args.candidates=objects"
_SEEN = ("classes", "features")


@dataclass(frozen=True, eq=False)
class StoredRegions:
    """The regions of an image.

    Attributes:
        tree: The regions.
        columns: Name → what is known of each region, ``(m,)``.
        classes: Share of each superpixel that is predicted as each class, ``(n, C)``; None where that was not kept.
        features: What each superpixel looks like to another network, ``(n, k)``; None likewise. Both float16 on disk.
    """

    tree: RegionTree
    columns: Mapping[str, NDArray[np.float64]]
    classes: NDArray[np.floating] | None = None
    features: NDArray[np.floating] | None = None


def regions_folder(workspace: Workspace, stored: Stored, proposals: str) -> Path:
    """Folder of the regions of a network on a dataset.

    Args:
        workspace: Where it lies.
        stored: Of which network on which dataset.
        proposals: What proposes them.

    Returns:
        The folder.

    Raises:
        StoreError: If a name cannot be one of a folder.
    """
    return workspace.regions_folder(stored) / proposals


def regions_path(workspace: Workspace, stored: Stored, proposals: str, image_id: str) -> Path:
    """File of the regions of one image; an id with ``/`` lies in nested folders.

    Args:
        workspace: Where it lies.
        stored: Of which network on which dataset.
        proposals: What proposes them.
        image_id: Id of the image.

    Returns:
        The file.
    """
    return nested_path(regions_folder(workspace, stored, proposals), image_id, ".h5")


def write_regions(path: Path, regions: StoredRegions, made_by: Mapping[str, Any]) -> None:
    """Write the regions of an image, atomically, numbers of the columns as float32.

    Args:
        path: The file.
        regions: What to write.
        made_by: What they were made of, plain values: reading asks for the same.

    Raises:
        StoreError: If the file cannot be written.
    """
    tree = regions.tree
    names, source = np.unique(tree.source, return_inverse=True)
    arrays: dict[str, NDArray[Any]] = {
        "superpixels": _small(tree.superpixels),
        "members": _small(tree.members),
        "spans": _small(tree.spans),
        "parent": _small(tree.parent + 1),
        "source": source.astype(np.uint8),
    }
    arrays |= {f"{_COLUMN}{name}": values.astype(np.float32) for name, values in regions.columns.items()}
    seen = {"classes": regions.classes, "features": regions.features}
    arrays |= {name: values.astype(np.float16) for name, values in seen.items() if values is not None}
    metadata = {
        "format_version": FORMAT_VERSION,
        "made_by": plain(dict(made_by)),
        "step": tree.step,
        "size": list(tree.size),
        "sources": names.tolist(),
        "columns": list(regions.columns),
        CHECKSUM: UNSEALED,
    }
    with new_hdf5(path) as file:
        for name, values in arrays.items():
            if len(values):
                create_array(file, name, values, readable_anywhere=False)
            else:
                file.create_dataset(name, data=values)
        file.create_dataset("metadata", data=np.bytes_(json.dumps(metadata)))


def has_regions(path: Path, made_by: Mapping[str, Any]) -> bool:
    """Whether the regions of an image are there, undamaged, and were made of the same.

    Args:
        path: Their file.
        made_by: What they shall be made of.

    Returns:
        False, too, where the file is damaged.
    """
    if not path.is_file():
        return False
    try:
        _, metadata = read_hdf5(path, (), made_by=_MADE_BY)
    except StoreError:
        return False
    return metadata is not None and metadata.get("made_by") == plain(dict(made_by))


def read_regions(path: Path) -> StoredRegions:
    """Read what :func:`write_regions` wrote.

    Args:
        path: The file.

    Returns:
        The regions.

    Raises:
        StoreError: If the file is missing or damaged.
    """
    remedy = "remove it and run scripts/compute_embeddings.py again, which makes it again"
    _, metadata = read_hdf5(path, (), whole=False, made_by=_MADE_BY)
    if metadata is None or "columns" not in metadata:
        raise StoreError(f"{path} holds no regions; {remedy}")
    wanted = tuple(f"{_COLUMN}{name}" for name in metadata["columns"])
    content, _ = read_hdf5(path, (*_ARRAYS, *wanted, *_SEEN), made_by=_MADE_BY)
    try:
        spans = content["spans"].astype(np.int64).reshape(-1, 2)
        tree = RegionTree(
            superpixels=content["superpixels"].astype(np.int32),
            step=int(metadata["step"]),
            size=(int(metadata["size"][0]), int(metadata["size"][1])),
            members=content["members"].astype(np.int32),
            spans=spans,
            parent=content["parent"].astype(np.int64) - 1,
            source=np.array(metadata["sources"], np.str_)[content["source"]],
        )
        columns = {name: content[f"{_COLUMN}{name}"].astype(np.float64) for name in metadata["columns"]}
    except (KeyError, ValueError, IndexError, TypeError) as error:
        raise StoreError(f"{path} is damaged ({error}); {remedy}") from error
    seen = {name: content[name].astype(np.float32) for name in _SEEN if name in content}
    return StoredRegions(tree, columns, **seen)


def _small(values: NDArray[np.integer]) -> NDArray[np.unsignedinteger]:
    """Whole numbers from 0 in the smallest type of 16 or 32 bits that holds them."""
    return values.astype(np.uint16 if values.max(initial=0) < 2**16 else np.uint32)
