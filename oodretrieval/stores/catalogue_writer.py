"""Writing a catalogue part by part, so that a run that breaks off goes on where it stopped."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.errors import StoreError
from oodretrieval.files import atomic_path, checksum_of
from oodretrieval.masks import RunLengthMask
from oodretrieval.stores.catalogue import MANIFEST, PENDING, read_manifest, read_vectors
from oodretrieval.stores.masks import read_masks, write_masks
from oodretrieval.stores.segments import part_name, read_tables, write_table
from oodretrieval.stores.workspace import (
    FORMAT_VERSION,
    lock_folder,
    plain,
    require_same_settings,
    write_json,
)

logger = logging.getLogger(__name__)


class CatalogueWriter:
    """Adds parts to a catalogue; readers see them after :meth:`commit` only.

    Args:
        path: Folder of the catalogue.
        settings: What makes it. Parts that are there must have been made with the same.
        overwrite: Start again. The old catalogue stays readable until the commit, which removes its parts.

    Raises:
        SettingsMismatchError: On entering, if existing parts were made with other settings.
        StoreError: On entering, if another process writes the catalogue, or it is damaged.

    Example:
        ::

            with CatalogueWriter(folder, settings) as writer:
                for key in keys:
                    if key not in writer.done:
                        writer.add_part(table, vectors, embedding="densenet201", done=key)
                writer.commit()
    """

    def __init__(self, path: str | Path, settings: Mapping[str, Any], *, overwrite: bool = False) -> None:
        self.path = Path(path)
        self._settings = plain(dict(settings))
        self._overwrite = overwrite
        self._open = ExitStack()
        self._state: dict[str, Any] = {}
        self._next_part = 0

    def __enter__(self) -> "CatalogueWriter":
        self._open.enter_context(lock_folder(self.path))
        try:
            self._state = self._resume()
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.close()

    @property
    def done(self) -> list[Any]:
        """Keys of all finished sources, committed or not; keys that were tuples are tuples again."""
        return [_key(part["done"]) for part in self._state["parts"] if part["done"] is not None]

    def add_part(
        self,
        segments: pd.DataFrame,
        vectors: NDArray[np.floating],
        embedding: str,
        done: Any = None,
        masks: Sequence[RunLengthMask | None] | None = None,
    ) -> None:
        """Add rows and their vectors. They survive a crash, and are seen by readers after the commit.

        Args:
            segments: One row per segment.
            vectors: ``(n, D)``, row i belongs to row i of ``segments``; stored as float32.
            embedding: Name of the embedding, the default one if it is the first.
            done: Key of the source that is hereby finished, e.g. ``(dataset, block of images)``.
            masks: Of the rows, in order; None where they are not known.

        Raises:
            StoreError: If vectors or masks do not fit, or a file cannot be written.
        """
        number = self._next_part
        vectors = self._checked(vectors, embedding, len(segments))
        table = part_name(number)
        write_table(self.path / table, segments, {"settings": self._settings})
        part: dict[str, Any] = {"table": table, "rows": len(segments), "done": plain(done)}
        part |= {"vectors": {}, "checksums": {}}
        if masks is not None:
            self._write_masks(part, number, masks)
        self._write_vectors(part, number, embedding, vectors)
        self._state["parts"].append(part)
        self._state["embeddings"].setdefault(embedding, vectors.shape[1])
        self._state["default_embedding"] = self._state["default_embedding"] or embedding
        self._next_part += 1
        write_json(self.path / PENDING, self._state)

    def retain(self, wanted: Callable[[pd.DataFrame], NDArray[np.bool_]]) -> None:
        """Leave out the rows that do not belong any more; those that stay keep all their vectors.

        Args:
            wanted: Rows of a part, ``n`` → which of them stay, ``(n,)``.

        Raises:
            StoreError: If a part cannot be read, or written without those rows.
        """
        parts = []
        for part in self._state["parts"]:
            rows = read_tables([self.path / part["table"]])
            stay = np.asarray(wanted(rows), bool)
            if stay.any():
                parts.append(part if stay.all() else self._part_of(part, rows, stay))
        if parts != self._state["parts"]:
            self._state["parts"] = parts
            write_json(self.path / PENDING, self._state)

    def _part_of(
        self, part: Mapping[str, Any], rows: pd.DataFrame, stay: NDArray[np.bool_]
    ) -> dict[str, Any]:
        """Write some rows of a part, with their vectors, as a part of their own."""
        number, self._next_part = self._next_part, self._next_part + 1
        table = part_name(number)
        write_table(self.path / table, rows[stay], {"settings": self._settings})
        left: dict[str, Any] = {
            **part,
            "table": table,
            "rows": int(stay.sum()),
            "vectors": {},
            "checksums": {},
        }
        if part.get("masks"):
            masks = read_masks(self.path / part["masks"], part["rows"])
            self._write_masks(left, number, [masks[row] for row in np.flatnonzero(stay)])
        for name, file in part["vectors"].items():
            vectors = read_vectors(self.path / file, part["checksums"].get(name))[stay]
            self._write_vectors(left, number, name, vectors)
        return left

    @property
    def segments(self) -> pd.DataFrame:
        """All rows, committed or not; empty, without columns, where there is no part."""
        paths = [self.path / part["table"] for part in self._state["parts"]]
        return read_tables(paths) if paths else pd.DataFrame()

    @property
    def rows(self) -> list[int]:
        """Number of rows of each part."""
        return [part["rows"] for part in self._state["parts"]]

    def has_vectors(self, index: int, embedding: str) -> bool:
        """Whether a part has vectors of an embedding, committed or not.

        Args:
            index: Number of the part, from 0.
            embedding: Its name.

        Returns:
            True where it has.
        """
        return embedding in self._state["parts"][index]["vectors"]

    def add_vectors(self, index: int, embedding: str, vectors: NDArray[np.floating]) -> None:
        """Add the vectors of one part, or replace them. They survive a crash.

        Args:
            index: Number of the part, in order.
            embedding: Name of the embedding.
            vectors: ``(n, D)`` for the rows of that part; stored as float32.

        Raises:
            StoreError: If the vectors do not fit, or a file cannot be written.
        """
        part = self._state["parts"][index]
        vectors = self._checked(vectors, embedding, part["rows"])
        number = int(Path(part["table"]).stem.removeprefix("part-"))
        self._write_vectors(part, number, embedding, vectors)
        self._state["embeddings"][embedding] = vectors.shape[1]
        self._state["default_embedding"] = self._state["default_embedding"] or embedding
        write_json(self.path / PENDING, self._state)

    def add_table(self, name: str, table: pd.DataFrame) -> None:
        """Add a table with rows of its own next to the segments, or replace it.

        Args:
            name: Its name.
            table: Any rows.

        Raises:
            StoreError: If the name cannot be one of a file, or the file cannot be written.
        """
        _require_name("a table", name)
        numbers = [int(path.stem[5:]) for path in self.path.glob(f"tables/{name}/part-*.parquet")]
        file = f"tables/{name}/{part_name(1 + max(numbers, default=-1))}"
        write_table(self.path / file, table, {"settings": self._settings})
        self._state["tables"][name] = file
        write_json(self.path / PENDING, self._state)

    def commit(self, default_embedding: str | None = None) -> None:
        """Make everything that was added visible, in one step.

        Args:
            default_embedding: Name of the embedding to make the default one; None to leave it.

        Raises:
            StoreError: If nothing was ever added, the embedding does not exist, or a part lacks the vectors
                of one.
        """
        state = self._state
        if not state["parts"]:
            raise StoreError(f"nothing to commit to {self.path}; no segment was selected")
        if default_embedding is not None:
            if default_embedding not in state["embeddings"]:
                raise StoreError(f"no embedding {default_embedding!r} in {self.path}; add it first")
            state["default_embedding"] = default_embedding
        self._leave_out_incomplete()
        write_json(self.path / MANIFEST, state)
        # From here on the catalogue is whole; what is left is tidying up, and may fail.
        with suppress(OSError):
            (self.path / PENDING).unlink(missing_ok=True)
            self._remove_unlisted()

    def _leave_out_incomplete(self) -> None:
        """Show readers only embeddings that every part has; what there is of others stays for later."""
        state = self._state
        complete = {
            name: size
            for name, size in state["embeddings"].items()
            if all(name in part["vectors"] for part in state["parts"])
        }
        incomplete = sorted(state["embeddings"].keys() - complete.keys())
        if not complete:
            raise StoreError(
                f"{self.path}: not every part has vectors of {', '.join(incomplete)}; "
                "give every part the same embeddings"
            )
        for name in incomplete:
            logger.warning(
                "embedding %s of %s lacks the new segments and is left out until it is completed by "
                "scripts/compute_embeddings.py with args.load_file=%s args.net=%s",
                *(name, self.path, self.path.name, name),
            )
        state["embeddings"] = complete
        if state["default_embedding"] not in complete:
            state["default_embedding"] = next(iter(complete))

    def _resume(self) -> dict[str, Any]:
        self._next_part = 1 + max((int(path.stem[5:]) for path in self._part_tables()), default=-1)
        paths = [self.path / name for name in (PENDING, MANIFEST)]
        states = [read_manifest(path) for path in paths if path.is_file() and not self._overwrite]
        # A pending list of other settings is what an overwriting run left that broke off.
        for state in states:
            if state["settings"] == self._settings:
                return state
        if states:
            require_same_settings(self.path, states[-1]["settings"], self._settings, "another args.save_file")
        return {
            "format_version": FORMAT_VERSION,
            "settings": self._settings,
            "default_embedding": "",
            "embeddings": {},
            "tables": {},
            "parts": [],
        }

    def _part_tables(self) -> list[Path]:
        return [path for path in self.path.glob("part-*.parquet") if path.stem[5:].isdigit()]

    def _checked(self, vectors: NDArray[np.floating], embedding: str, rows: int) -> NDArray[np.float32]:
        values = np.ascontiguousarray(vectors, np.float32)
        if values.ndim != 2 or len(values) != rows:
            raise StoreError(
                f"vectors {values.shape} of {embedding!r} must be (n = {rows}, D), one for each segment"
            )
        dimensions = self._state["embeddings"].get(embedding, values.shape[1])
        if values.shape[1] != dimensions:
            raise StoreError(
                f"vectors of {embedding!r} have {values.shape[1]} dimensions, those before had {dimensions}; "
                "give another network's vectors another name"
            )
        if not np.isfinite(values).all():
            raise StoreError(f"vectors of {embedding!r} hold NaN or infinity; check the embedding network")
        return values

    def _write_vectors(
        self, part: dict[str, Any], number: int, embedding: str, vectors: NDArray[np.float32]
    ) -> None:
        """Write the vectors of a part, and note their file and its checksum."""
        _require_name("an embedding", embedding)
        name = f"vectors/{embedding}/{part_name(number, '.npy')}"
        with atomic_path(self.path / name) as temporary:
            np.save(temporary, vectors, allow_pickle=False)
            checksum = checksum_of(temporary)
        part["vectors"][embedding], part["checksums"][embedding] = name, checksum

    def _write_masks(self, part: dict[str, Any], number: int, masks: Sequence[RunLengthMask | None]) -> None:
        """Write the masks of a part, and note their file."""
        if len(masks) != part["rows"]:
            raise StoreError(f"expected one mask for each of the {part['rows']} rows, got {len(masks)}")
        part["masks"] = f"masks/{part_name(number)}"
        write_masks(self.path / part["masks"], masks, {"settings": self._settings})

    def _remove_unlisted(self) -> None:
        listed = {part["table"] for part in self._state["parts"]}
        listed |= {part["masks"] for part in self._state["parts"] if part.get("masks")}
        listed |= {name for part in self._state["parts"] for name in part["vectors"].values()}
        listed |= set(self._state["tables"].values())
        others = (
            path
            for pattern in ("vectors/*/part-*.npy", "tables/*/part-*", "masks/part-*")
            for path in self.path.glob(pattern)
        )
        for path in [*self._part_tables(), *others]:
            if path.relative_to(self.path).as_posix() not in listed:
                path.unlink(missing_ok=True)


def _require_name(kind: str, name: str) -> None:
    if name in ("", ".", "..") or "/" in name or "\\" in name:
        raise StoreError(f"{name!r} cannot name {kind}; use a name without slashes")


def _key(value: Any) -> Any:
    return tuple(_key(item) for item in value) if isinstance(value, list) else value
