"""Writing a catalogue part by part, so that a run that breaks off goes on where it stopped."""

import logging
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.errors import StoreError
from oodretrieval.masks import RunLengthMask
from oodretrieval.remote_paths import path_of
from oodretrieval.stores.catalogue import MANIFEST, PENDING
from oodretrieval.stores.json_files import FORMAT_VERSION, plain, write_json
from oodretrieval.stores.locks import lock_folder
from oodretrieval.stores.made_alike import require_same_settings
from oodretrieval.stores.manifests import read_manifest
from oodretrieval.stores.part_files import PartFiles, require_name
from oodretrieval.stores.segments import part_name, read_tables, write_table
from oodretrieval.stores.vectors import fitting_vectors

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
        self.path = path_of(path)
        self._settings = plain(dict(settings))
        self._files = PartFiles(self.path, self._settings)
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
        vectors = fitting_vectors(vectors, embedding, len(segments), self._state["embeddings"].get(embedding))
        part = self._files.write(self._next_part, segments, done)
        if masks is not None:
            self._files.write_masks(part, masks)
        self._files.write_vectors(part, embedding, vectors)
        self._state["parts"].append(part)
        self._state["embeddings"].setdefault(embedding, vectors.shape[1])
        self._state["default_embedding"] = self._state["default_embedding"] or embedding
        self._next_part += 1
        write_json(self.path / PENDING, self._state)

    def retain(
        self,
        wanted: Callable[[pd.DataFrame], NDArray[np.bool_]],
        current: Callable[[pd.DataFrame], pd.DataFrame] = lambda rows: rows,
    ) -> None:
        """Leave out the rows that do not belong any more; those that stay keep all their vectors.

        A part of which a file is damaged is left out whole, which is said: its rows are to be added again.

        Args:
            wanted: Rows of a part, ``n`` → which of them stay, ``(n,)``.
            current: Rows of a part → the same rows with values as they are now.

        Raises:
            StoreError: If a part cannot be written without those rows.
        """
        parts = []
        for part in self._state["parts"]:
            try:
                rows = self._files.read_whole(part)
            except StoreError as error:
                logger.warning("%s; what it was part of is made again", error)
                continue
            stay = np.asarray(wanted(rows), bool)
            if not stay.any():
                continue
            now = current(rows)
            if stay.all():
                parts.append(
                    part if now.equals(rows) else self._files.write_changed(self._number(), part, now)
                )
            else:
                parts.append(self._files.write_some(self._number(), part, now, stay))
        if parts != self._state["parts"]:
            self._state["parts"] = parts
            write_json(self.path / PENDING, self._state)

    def _number(self) -> int:
        number, self._next_part = self._next_part, self._next_part + 1
        return number

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
        vectors = fitting_vectors(vectors, embedding, part["rows"], self._state["embeddings"].get(embedding))
        self._files.write_vectors(part, embedding, vectors)
        self._state["embeddings"][embedding] = vectors.shape[1]
        self._state["default_embedding"] = self._state["default_embedding"] or embedding
        write_json(self.path / PENDING, self._state)

    def add_table(self, name: str, table: pd.DataFrame | Iterable[pd.DataFrame]) -> None:
        """Add a table with rows of its own next to the segments, or replace it.

        Args:
            name: Its name.
            table: Any rows; or block by block, as :func:`~oodretrieval.stores.segments.write_table` takes them.

        Raises:
            StoreError: If the name cannot be one of a file, or the file cannot be written.
        """
        require_name("a table", name)
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
            self._files.remove_unlisted(state)

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
                "scripts/compute_embeddings.py with %s",
                *(name, self.path, shlex.join((f"args.load_file={self.path.name}", f"args.net={name}"))),
            )
        state["embeddings"] = complete
        if state["default_embedding"] not in complete:
            state["default_embedding"] = next(iter(complete))

    def _resume(self) -> dict[str, Any]:
        self._next_part = self._files.next_number()
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


def _key(value: Any) -> Any:
    return tuple(_key(item) for item in value) if isinstance(value, list) else value
