"""The files of a catalogue's parts: the rows of a part, their vectors of each embedding, and their masks."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.errors import StoreError
from oodretrieval.masks import RunLengthMask
from oodretrieval.stores.json_files import plain
from oodretrieval.stores.masks import read_masks, write_masks
from oodretrieval.stores.segments import part_name, read_tables, write_table
from oodretrieval.stores.vectors import read_lengths, read_vectors, write_vectors

LENGTHS = "lengths/"
"""Folder of the vectors' lengths, a folder for each embedding as for the vectors."""
Part = dict[str, Any]
"""What the manifest says of a part: its files, its number of rows, and which source it finishes."""


class PartFiles:
    """Writes the files of parts; a part is described by plain values that the manifest lists.

    Args:
        folder: Of the catalogue.
        settings: What makes it; noted in every table.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.folder, self._noted = folder, {"settings": settings}

    def next_number(self) -> int:
        """A number that no part has, listed or not.

        Returns:
            From 0.
        """
        return 1 + max((_number(path.name) for path in self._tables()), default=-1)

    def write(self, number: int, rows: pd.DataFrame, done: Any = None) -> Part:
        """Write the rows of a part.

        Args:
            number: Of the part.
            rows: One row per segment.
            done: Key of the source that it finishes.

        Returns:
            The part, without vectors.

        Raises:
            StoreError: If the file cannot be written.
        """
        table = part_name(number)
        write_table(self.folder / table, rows, self._noted)
        return {"table": table, "rows": len(rows), "done": plain(done), "vectors": {}, "checksums": {}}

    def write_vectors(self, part: Part, embedding: str, vectors: NDArray[np.float32]) -> None:
        """Write the vectors of a part and their lengths, and note the files and their checksums.

        Args:
            part: Its rows are written.
            embedding: Name of the embedding.
            vectors: ``(n, D)``.

        Raises:
            StoreError: If the name cannot be one of a file, or the file cannot be written.
        """
        require_name("an embedding", embedding)
        name = f"vectors/{embedding}/{part_name(_number(part['table']), '.npy')}"
        part["checksums"][embedding] = write_vectors(self.folder / name, vectors)
        part["vectors"][embedding] = name
        name = f"{LENGTHS}{embedding}/of-{part_name(_number(part['table']), '.npy')}"
        lengths = np.sqrt(np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64))
        part["checksums"][f"{LENGTHS}{embedding}"] = write_vectors(self.folder / name, lengths)
        part.setdefault("lengths", {})[embedding] = name

    def write_masks(self, part: Part, masks: Sequence[RunLengthMask | None]) -> None:
        """Write the masks of a part, and note their file.

        Args:
            part: Its rows are written.
            masks: One for each of them; None where it is not known.

        Raises:
            StoreError: If there are fewer or more, or the file cannot be written.
        """
        if len(masks) != part["rows"]:
            raise StoreError(f"expected one mask for each of the {part['rows']} rows, got {len(masks)}")
        part["masks"] = f"masks/{part['table']}"
        write_masks(self.folder / part["masks"], masks, self._noted)

    def read(self, part: Part) -> pd.DataFrame:
        """The rows of a part.

        Args:
            part: One that is listed.

        Returns:
            The rows, in order.

        Raises:
            StoreError: If its file is missing or damaged.
        """
        return read_tables([self.folder / part["table"]])

    def read_whole(self, part: Part) -> pd.DataFrame:
        """The rows of a part, if all of its files are whole.

        Args:
            part: One that is listed.

        Returns:
            The rows, in order.

        Raises:
            StoreError: If a file is missing or damaged; vectors that are large are not compared with their checksum.
        """
        rows = self.read(part)
        for name, file in part["vectors"].items():
            vectors = read_vectors(self.folder / file, part["checksums"].get(name), whole=False)
            if len(vectors) != len(rows):
                raise StoreError(f"{self.folder / file} holds {len(vectors)} rows, not {len(rows)}")
        for name, file in part.get("lengths", {}).items():
            read_lengths(self.folder / file, part["checksums"].get(f"{LENGTHS}{name}"), len(rows))
        if part.get("masks"):
            read_masks(self.folder / part["masks"], part["rows"])
        return rows

    def write_changed(self, number: int, part: Part, rows: pd.DataFrame) -> Part:
        """Write changed values of the rows of a part, whose vectors and masks stay.

        Args:
            number: Of the new part.
            part: The old one.
            rows: The same rows, in order.

        Returns:
            The new part; its other files are those of the old one.

        Raises:
            StoreError: If the file cannot be written.
        """
        return {**part, "table": self.write(number, rows)["table"]}

    def write_some(self, number: int, part: Part, rows: pd.DataFrame, stay: NDArray[np.bool_]) -> Part:
        """Write some rows of a part, with their vectors and masks, as a part of their own.

        Args:
            number: Of the new part.
            part: The old one.
            rows: Its rows, ``n``.
            stay: Which are written, ``(n,)``.

        Returns:
            The new part.

        Raises:
            StoreError: If a file is damaged, or cannot be written.
        """
        left = self.write(number, rows[stay], part["done"])
        if part.get("masks"):
            masks = read_masks(self.folder / part["masks"], part["rows"])
            self.write_masks(left, [masks[row] for row in np.flatnonzero(stay)])
        for name, file in part["vectors"].items():
            vectors = read_vectors(self.folder / file, part["checksums"].get(name))
            self.write_vectors(left, name, np.asarray(vectors[stay]))
        return left

    def remove_unlisted(self, state: Mapping[str, Any]) -> None:
        """Remove the files that a manifest does not list.

        Args:
            state: The manifest.
        """
        listed = {part["table"] for part in state["parts"]}
        listed |= {part["masks"] for part in state["parts"] if part.get("masks")}
        listed |= {name for part in state["parts"] for name in part["vectors"].values()}
        listed |= {name for part in state["parts"] for name in part.get("lengths", {}).values()}
        listed |= set(state["tables"].values())
        others = (
            path
            for pattern in (
                "vectors/*/part-*.npy",
                "lengths/*/of-part-*.npy",
                "tables/*/part-*",
                "masks/part-*",
            )
            for path in self.folder.glob(pattern)
        )
        for path in [*self._tables(), *others]:
            if path.relative_to(self.folder).as_posix() not in listed:
                path.unlink(missing_ok=True)

    def _tables(self) -> list[Path]:
        return [path for path in self.folder.glob("part-*.parquet") if path.stem[5:].isdigit()]


def require_name(kind: str, name: str) -> None:
    """Refuse a name that cannot be one of a file.

    Args:
        kind: What is named, for the message.
        name: Its name.

    Raises:
        StoreError: If it is empty or has slashes.
    """
    if name in ("", ".", "..") or "/" in name or "\\" in name:
        raise StoreError(f"{name!r} cannot name {kind}; use a name without slashes")


def _number(table: str) -> int:
    return int(Path(table).stem.removeprefix("part-"))
