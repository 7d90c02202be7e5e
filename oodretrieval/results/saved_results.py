"""Results as they were saved, read back for a report."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from oodretrieval.errors import StoreError
from oodretrieval.files import CHECKSUM
from oodretrieval.results.tables import NO_VALUE, cell_text, table_texts
from oodretrieval.stores import read_json

_FRACTION = re.compile(r"-?\d+(\.\d+(e-?\d+)?|e-?\d+)")


@dataclass(frozen=True)
class SavedResult:
    """A result as it was saved.

    Attributes:
        stem: File name without suffix.
        title: What was measured.
        context: The rules, see :class:`~oodretrieval.results.result.Context`.
        notes: See :class:`~oodretrieval.results.result.Result`.
        tables: Name → rows of texts, the head first.
        pictures: Caption → file.
        catalogue: :attr:`~oodretrieval.stores.Catalogue.key` of the catalogue that it is of; empty where it is of none,
            or of before this was noted.
    """

    stem: str
    title: str
    context: dict[str, Any]
    notes: tuple[str, ...]
    tables: dict[str, list[list[str]]]
    pictures: dict[str, Path]
    catalogue: str = ""


def read_results(folder: Path, unread: list[str] | None = None) -> list[SavedResult]:
    """All results that were saved into a folder, by name; other files are passed over.

    Args:
        folder: Where :func:`~oodretrieval.results.result.save_result` wrote; need not exist.
        unread: Gets a sentence on each result that is damaged, or names a table or picture that has gone; where it is
            not given, the first of them is an error.

    Returns:
        The others.

    Raises:
        StoreError: If one cannot be read, and ``unread`` is not given.
    """
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            result = _read(path)
        except StoreError as error:
            if unread is None:
                raise
            unread.append(str(error))
        else:
            found += [result] if result is not None else []
    return found


def _read(path: Path) -> SavedResult | None:
    """A result; None for another file."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise StoreError(f"{path} is damaged ({error}); measure it again") from error
    if not isinstance(content, dict) or not {"context", CHECKSUM} & content.keys():
        return None
    return _whole(path, read_json(path, "measure it again"))


def _whole(path: Path, content: Mapping[str, Any]) -> SavedResult:
    named = [path.parent / name for kind in ("tables", "pictures") for name in content[kind].values()]
    gone = [file.name for file in named if not file.is_file()]
    if gone:
        raise StoreError(f"{path} names {', '.join(gone)}, which has gone; measure it again")
    tables = {name: _saved_texts(path.parent / file) for name, file in content["tables"].items()}
    pictures = {caption: path.parent / file for caption, file in content["pictures"].items()}
    notes, catalogue = tuple(content["notes"]), content.get("catalogue", "")
    return SavedResult(path.stem, content["title"], content["context"], notes, tables, pictures, catalogue)


def _saved_texts(path: Path) -> list[list[str]]:
    """A table as it was saved, as texts; cell by cell, as a column can hold counts and means."""
    table = pd.read_csv(path, index_col=0, dtype=str, keep_default_na=False)
    head, *body = table_texts(table)
    return [head, *([name, *map(_saved_cell, row)] for name, *row in body)]


def _saved_cell(text: str) -> str:
    if not text:
        return NO_VALUE
    return cell_text(float(text)) if _FRACTION.fullmatch(text) else text
