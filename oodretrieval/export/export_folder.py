"""The folder of an export: what it holds, and what the export before left there."""

import hashlib
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from oodretrieval.errors import SettingsError, StoreError
from oodretrieval.files import atomic_path
from oodretrieval.stores import read_json, write_json
from oodretrieval.stores.workspace import nested_path

logger = logging.getLogger(__name__)
CONTENTS = "export.json"
"""What an export wrote, so that the next one into the folder can remove what it no longer writes."""


class ExportFolder:
    """A folder that is one export's: the next one replaces what is there, but nothing that somebody else changed.

    Args:
        path: The folder.
        overwrite: Replace what was changed, too.

    Attributes:
        path: As given.
        written: Names of the files that were written, relative to it.

    Raises:
        SettingsError: If it holds an ``export.json`` of something else.
        StoreError: If files were changed since they were written.
    """

    def __init__(self, path: Path, *, overwrite: bool = False) -> None:
        self.path = path
        self.written: list[str] = []
        self._before, complete = _written_before(path / CONTENTS)
        changed = [name for name, known in self._before.items() if _is_changed(path / name, known)]
        if changed and complete and not overwrite:
            raise StoreError(
                f"{len(changed)} file(s) of the export in {path} were changed since it was written, e.g. {changed[0]}; "
                "move them elsewhere, export to another folder (args.save_dir), or replace them by "
                "`scripts/export.py with args.overwrite=True`"
            )

    def begin(self) -> None:
        """Note that files may be half replaced until :meth:`finish`."""
        if self._before:
            write_json(self.path / CONTENTS, {"format_version": 1, "complete": False, "files": self._before})

    def save(self, name: str, write: Callable[[Path], object]) -> None:
        """Write a file atomically.

        Args:
            name: Its name in the folder.
            write: Writes to a path.
        """
        with atomic_path(self.path / name) as temporary:
            write(temporary)
        self.written.append(name)

    def finish(self, described: Mapping[str, Any]) -> None:
        """Remove what the export before wrote and this one did not, and note what there is.

        Args:
            described: Of this export, plain values.
        """
        old = [name for name in self._before if name not in set(self.written)]
        for name in old:
            (self.path / name).unlink(missing_ok=True)
            for parent in list((self.path / name).relative_to(self.path).parents)[:-1]:
                with suppress(OSError):  # it holds something else
                    (self.path / parent).rmdir()
        if old:
            logger.info(
                "%d file(s) of the export before, which this one does not write, are removed", len(old)
            )
        files = {name: _checksum(self.path / name) for name in self.written}
        write_json(self.path / CONTENTS, {"format_version": 1, "complete": True, **described, "files": files})


def _is_changed(path: Path, known: str) -> bool:
    """Whether a file is there and is not the one whose checksum is known; without a checksum nobody knows."""
    return bool(known) and _checksum(path) not in (None, known)


def _checksum(path: Path) -> str | None:
    """SHA-256 of a file; None where there is none."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None


def _written_before(contents: Path) -> tuple[dict[str, str], bool]:
    """Files that an earlier export noted, with checksums where it noted them, and whether it ended."""
    if not contents.is_file():
        return {}, True
    try:
        noted = read_json(contents, "remove it")
        files = noted["files"]
        known = {str(name): str(files[name]) if isinstance(files, dict) else "" for name in files}
        for name in known:  # the note may be from elsewhere, and what it names is removed
            nested_path(contents.parent, name, "")
        return known, bool(noted.get("complete", True))
    except (StoreError, KeyError, TypeError) as error:
        raise SettingsError(
            f"{contents} is of no export ({error}); choose another args.save_dir, or remove it"
        ) from error
