"""The catalogue: one row and one vector for every selected segment.

A folder holds immutable parts and ``manifest.json``, which lists the parts that make up the catalogue and
is replaced as the last step. Parts that were added, but not committed, are listed in ``pending.json``: a run
that broke off finds them there.
"""

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.errors import StoreError, UnknownNameError
from oodretrieval.masks import RunLengthMask
from oodretrieval.parted_arrays import PartedArray
from oodretrieval.remote_paths import path_of
from oodretrieval.stores import vectors as vector_files
from oodretrieval.stores.manifests import read_manifest
from oodretrieval.stores.masks import read_masks
from oodretrieval.stores.part_files import LENGTHS
from oodretrieval.stores.segments import read_tables, table_length
from oodretrieval.stores.vectors import REMEDY
from oodretrieval.stores.workspace import Workspace

MANIFEST = "manifest.json"
PENDING = "pending.json"

PREDICTED_IOU = "predicted_iou"
"""Column of segments: their predicted IoU, where a meta model was at hand; and name of the table next to the segments
that holds **every** segment of the images, also those that were not selected: dataset, image_id, segment_id,
select_score and, where it is known, predicted_iou."""

SELECT_SCORE = "select_score"
"""Column of segments: the score that they were selected by, higher where more unknown."""

OWN_SCORE = "own_score"
"""Column of objects: the score of each by itself, before it shares that of others, which says who comes first."""

CANDIDATES = "candidates"
"""Setting of a catalogue: what its rows are, ``segments`` (also where it says nothing) or ``objects``."""


class Catalogue:
    """A committed catalogue; :meth:`open` makes one.

    Args:
        path: Its folder.
        manifest: Content of its manifest.
        check: Compare large files of vectors with their checksums too.
    """

    def __init__(self, path: Path, manifest: dict[str, Any], *, check: bool = False) -> None:
        self.path = path
        self.manifest = manifest
        self._check = check

    @classmethod
    def open(cls, path: str | Path, *, verify: bool = False) -> "Catalogue":
        """Open a catalogue. Tables and vectors are read when they are asked for.

        What is read whole is compared with its checksum: tables, small vectors, and those of several parts.

        Args:
            path: Its folder.
            verify: Compare large vectors that are memory-mapped as well, which reads them whole.

        Returns:
            The catalogue.

        Raises:
            StoreError: If the manifest is missing, damaged or of another format version.
        """
        path = path_of(path)
        return cls(path, read_manifest(path / MANIFEST), check=verify)

    @classmethod
    def named(cls, workspace: Workspace, name: str, *, verify: bool = False) -> "Catalogue":
        """Open a catalogue of a workspace.

        Args:
            workspace: Where it lies.
            name: Its name.
            verify: Compare large files of vectors with their checksums, too.

        Returns:
            The catalogue.

        Raises:
            UnknownNameError: If there is no such catalogue among those that are there; lists them.
            StoreError: If there is none at all, or it is damaged.
        """
        folder = workspace.catalogue_folder(name)
        if not (folder / MANIFEST).is_file():
            if (folder / PENDING).is_file():
                raise StoreError(
                    f"the run that makes catalogue {name!r} broke off; call scripts/compute_embeddings.py again as "
                    "you did, it goes on where it stopped"
                )
            there = sorted(path.parent.name for path in folder.parent.glob(f"*/{MANIFEST}"))
            if there:
                raise UnknownNameError(
                    "catalogue", name, there, "scripts/compute_embeddings.py makes another"
                )
        return cls.open(folder, verify=verify)

    def __len__(self) -> int:
        return int(sum(part["rows"] for part in self.manifest["parts"]))

    @property
    def name(self) -> str:
        """Name of the catalogue: that of its folder."""
        return self.path.resolve().name

    @property
    def settings(self) -> dict[str, Any]:
        """What made it."""
        return dict(self.manifest["settings"])

    @property
    def candidates(self) -> str:
        """What its rows are: predicted ``segments``, or ``objects``: regions that may be one."""
        return str(self.manifest["settings"].get(CANDIDATES, "segments"))

    @property
    def key(self) -> str:
        """What stands for its rows: another text once rows were selected again, added or left out.

        What is kept of a catalogue and names its rows notes this, and is of no use where it differs.
        """
        parts = [[part["table"], part["rows"]] for part in self.manifest["parts"]]
        text = json.dumps([parts, self.manifest["settings"]], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def default_embedding(self) -> str:
        """Name of the embedding that :attr:`vectors` are of."""
        return str(self.manifest["default_embedding"])

    @property
    def embedding_names(self) -> list[str]:
        """Names of all embeddings."""
        return list(self.manifest["embeddings"])

    @cached_property
    def segments(self) -> pd.DataFrame:
        """One row per segment, all parts in order.

        Raises:
            StoreError: If a part is missing, damaged or of another length than the manifest says.
        """
        paths = [self.path / part["table"] for part in self.manifest["parts"]]
        for path, part in zip(paths, self.manifest["parts"], strict=True):
            if table_length(path) != part["rows"]:
                raise _wrong_length(path, table_length(path), part["rows"])
        return read_tables(paths)

    @cached_property
    def masks(self) -> list[RunLengthMask | None]:
        """The mask of each row; None for rows of before masks were kept.

        Raises:
            StoreError: If a file of masks is missing or damaged.
        """
        found: list[RunLengthMask | None] = []
        for part in self.manifest["parts"]:
            file = part.get("masks")
            found += read_masks(self.path / file, part["rows"]) if file else [None] * part["rows"]
        return found

    @property
    def vectors(self) -> NDArray[np.float32]:
        """Vectors of the default embedding, ``(n, D)``; row i belongs to row i of :attr:`segments`."""
        return self.vectors_of(self.default_embedding)

    @property
    def table_names(self) -> list[str]:
        """Names of the tables next to :attr:`segments`."""
        return list(self.manifest.get("tables", {}))

    def table(self, name: str) -> pd.DataFrame:
        """A table that lies next to :attr:`segments`, with rows of its own.

        Args:
            name: Its name.

        Returns:
            The table.

        Raises:
            UnknownNameError: If there is no such table.
            StoreError: If its file is missing or damaged.
        """
        if name not in self.table_names:
            raise UnknownNameError("table of the catalogue", name, self.table_names)
        return read_tables([self.path / self.manifest["tables"][name]])

    def vectors_of(self, name: str) -> NDArray[np.float32]:
        """Vectors of one embedding.

        Args:
            name: Its name.

        Returns:
            ``(n, D)``, read-only. Memory-mapped where the catalogue has one part; of several parts an array in memory
            up to 64 MB, and above that a :class:`~oodretrieval.parted_arrays.PartedArray` of the mapped ones, which
            acts as an array where rows are read.

        Raises:
            UnknownNameError: If there is no such embedding.
            StoreError: If a file is missing, damaged, or of another length than its part.
        """
        if name not in self.manifest["embeddings"]:
            raise UnknownNameError("embedding", name, self.embedding_names)
        dimensions = int(self.manifest["embeddings"][name])
        in_memory = len(self) * dimensions * 4 <= vector_files.SMALL
        whole = self._check or in_memory
        parts = [self._part_vectors(part, name, dimensions, whole) for part in self.manifest["parts"]]
        if len(parts) == 1:
            return parts[0]
        if not in_memory:
            return cast(NDArray[np.float32], PartedArray(parts))
        vectors = np.concatenate(parts)
        vectors.setflags(write=False)
        return vectors

    def _part_vectors(
        self, part: dict[str, Any], name: str, dimensions: int, whole: bool
    ) -> NDArray[np.float32]:
        if name not in part["vectors"]:
            raise StoreError(f"{self.path / part['table']} has no vectors of embedding {name!r}; {REMEDY}")
        return vector_files.read_vectors(
            self.path / part["vectors"][name],
            # of large ones not even small parts are compared, which together take as long
            part["checksums"].get(name) if whole or len(self.manifest["parts"]) == 1 else None,
            whole=whole,
            shape=(part["rows"], dimensions),
        )

    @property
    def lengths(self) -> NDArray[np.float64]:
        """Length of each vector of the default embedding, ``(n,)``."""
        return self.lengths_of(self.default_embedding)

    def lengths_of(self, name: str) -> NDArray[np.float64]:
        """Length of each vector of one embedding: ``norms`` of :class:`~oodretrieval.search.NearestNeighbours`.

        Args:
            name: Its name.

        Returns:
            ``(n,)``; those of before they were kept are computed from the vectors.

        Raises:
            UnknownNameError: If there is no such embedding.
            StoreError: If a file is missing, damaged, or of another length than its part.
        """
        if name not in self.manifest["embeddings"]:
            raise UnknownNameError("embedding", name, self.embedding_names)
        parts = self.manifest["parts"]
        if all(name in part.get("lengths", {}) for part in parts):
            found = [
                vector_files.read_lengths(
                    self.path / part["lengths"][name], part["checksums"][f"{LENGTHS}{name}"], part["rows"]
                )
                for part in parts
            ]
            return np.concatenate(found)
        from oodretrieval.search.passes import (
            lengths,  # with what it draws in, for catalogues of before alone
        )

        return lengths(self.vectors_of(name))


def _wrong_length(path: Path, got: object, expected: object) -> StoreError:
    return StoreError(f"{path} holds {got} rows, but the manifest says {expected}; {REMEDY}")
