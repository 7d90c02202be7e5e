"""Images that failed: ``failures.parquet`` next to what a stage leaves of the others.

It holds nothing of when it was written: the same images failing for the same reasons give the same bytes.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from oodretrieval.errors import StoreError
from oodretrieval.files import file_stamp
from oodretrieval.stores.made_alike import differing_settings
from oodretrieval.stores.segments import read_table_metadata, read_tables, write_table

logger = logging.getLogger(__name__)
FAILURES = "failures.parquet"
"""Name of the file."""


class Failure(NamedTuple):
    """One image that a stage could not work on.

    Attributes:
        dataset: Name of its dataset.
        image_id: Id of the image.
        path: File that was read of it; empty where that is not known.
        stage: Name of the stage.
        reason: Why it failed.
        files: Hash of the files that were read, which is another when one was mended; empty where they are not known.
    """

    dataset: str
    image_id: str
    path: str
    stage: str
    reason: str
    files: str = ""


def files_hash(paths: Iterable[Path]) -> str:
    """What shows whether files are still those that failed.

    Args:
        paths: The files that a stage reads of an image.

    Returns:
        Hashes of their contents, one a file, empty for one that is not there.
    """
    return "+".join(str((file_stamp(path) or {}).get("hash", "")) for path in paths)


class FailedImages:
    """The images of a stage that failed, on disk.

    Args:
        folder: Where the results of the stage lie.
        stage: Its name.
        made_by: Settings that its results depend on: failures of others are forgotten.
    """

    def __init__(self, folder: Path, stage: str, made_by: Mapping[str, Any]) -> None:
        self.path, self.stage, self.made_by = folder / FAILURES, stage, made_by

    def known(
        self, dataset: str, images: Iterable[str], files_of: Callable[[str], Sequence[Path]]
    ) -> dict[str, Failure]:
        """The images of a dataset that failed before and would fail again: nothing that they are read from changed.

        Args:
            dataset: Its name.
            images: Ids of the images that it has now.
            files_of: Image id → files that the stage reads of it.

        Returns:
            Image id → failure, in the order of ``images``. Where the list is damaged nothing is known, which is said.
        """
        try:
            there = {failure.image_id: failure for failure in self._read() if failure.dataset == dataset}
        except StoreError as error:
            logger.warning("%s; images that failed are tried again", error)
            return {}
        return {
            image: there[image]
            for image in images
            if image in there and there[image].files == files_hash(files_of(image))
        }

    def _read(self) -> list[Failure]:
        if not self.path.is_file():
            return []
        if differing_settings(read_table_metadata(self.path, whole=True)["settings"], self.made_by):
            return []
        return read_failures(self.path.parent)

    def save(self, failures: Iterable[Failure]) -> None:
        """Replace the list; it is removed where nothing failed.

        Args:
            failures: All images that fail now, in the order of the dataset.

        Raises:
            StoreError: If it cannot be written.
        """
        table = pd.DataFrame(failures, columns=list(Failure._fields), dtype=str)
        if len(table):
            write_table(self.path, table, {"settings": self.made_by})
        else:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)


def read_failures(folder: Path) -> list[Failure]:
    """The images that failed, next to the results of a stage.

    Args:
        folder: Where the results lie.

    Returns:
        The failures; none where there is no list.

    Raises:
        StoreError: If the list is damaged.
        TableError: If it lacks a column.
    """
    path = folder / FAILURES
    if not path.is_file():
        return []
    table = read_tables([path], Failure._fields)
    return [Failure(*map(str, row)) for row in table.itertuples(index=False)]
