"""What every evaluation leaves behind: figures with the rules they were measured by, as JSON, Markdown and CSV."""

import json
import logging
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from oodretrieval import __version__
from oodretrieval.errors import StoreError
from oodretrieval.files import CHECKSUM, atomic_path
from oodretrieval.stores import FORMAT_VERSION, plain, read_json, write_json

logger = logging.getLogger(__name__)
output = logging.getLogger("oodretrieval.output")  # what a script was run for: standard output
NO_VALUE = "–"
_FRACTION = re.compile(r"-?\d+(\.\d+(e-?\d+)?|e-?\d+)")


@dataclass(frozen=True)
class Context:
    """The rules that figures were measured by; part of every result.

    Attributes:
        dataset: Name of the dataset.
        split: Its split, as its entry names it.
        images: Number of images judged.
        void_rule: What happens to void, and what counts as unknown.
        resolution: At which size pixels are compared.
        threshold: How thresholds were chosen, and on which data; empty where there is none.
        intervals: How confidence intervals were made; empty where there are none.
        model: Name of the segmentation network; empty where none took part.
        weights: Hash of its weights.
        meta_model: Name of the meta model; empty where none took part.
        version: Of this package and of its file formats.
    """

    dataset: str
    split: str
    images: int
    void_rule: str
    resolution: str
    threshold: str = ""
    intervals: str = ""
    model: str = ""
    weights: str = ""
    meta_model: str = ""
    version: str = f"oodretrieval {__version__}, file format {FORMAT_VERSION}"

    def lines(self) -> dict[str, str]:
        """Name → value of everything that is set, in words."""
        return {key.replace("_", " "): str(value) for key, value in vars(self).items() if value != ""}


@dataclass(frozen=True)
class Result:
    """One evaluation.

    Attributes:
        title: What was measured, in a few words.
        stem: File name without suffix.
        context: The rules.
        settings: Settings of the script.
        figures: Everything measured, as JSON can hold it.
        tables: Name → table for people; its index is the first column.
        notes: Sentences that a reader of the figures must know, e.g. "one scene".
        pictures: Caption → file of a chart or picture, saved beside; ``report.py`` shows them.
    """

    title: str
    stem: str
    context: Context
    settings: Mapping[str, Any]
    figures: Mapping[str, Any]
    tables: Mapping[str, pd.DataFrame]
    notes: tuple[str, ...] = ()
    pictures: Mapping[str, Path] = field(default_factory=dict)


def save_result(folder: Path, result: Result) -> list[Path]:
    """Write ``<stem>.json``, ``<stem>.md`` and one ``<stem>_<table>.csv`` for each table, and log them.

    Args:
        folder: Where to write; made if need be. The pictures lie in it already, or below it.
        result: The evaluation.

    Returns:
        The files written, pictures included.
    """
    folder.mkdir(parents=True, exist_ok=True)
    json_path = folder / f"{result.stem}.json"
    content: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "title": result.title,
        "context": vars(result.context),
        "notes": list(result.notes),
        "settings": dict(result.settings),
        "figures": _defined(plain(result.figures)),
        "tables": {name: f"{result.stem}_{_slug(name)}.csv" for name in result.tables},
        "pictures": {name: path.relative_to(folder).as_posix() for name, path in result.pictures.items()},
    }
    write_json(json_path, content)
    files = [json_path, _write(folder / f"{result.stem}.md", as_markdown(result))]
    for name, table in result.tables.items():
        files.append(_write(folder / content["tables"][name], table.to_csv()))
    files += result.pictures.values()
    _log(result, files)
    return files


def _defined(value: Any) -> Any:
    """A plain value with None in place of NaN, which JSON does not know."""
    if isinstance(value, dict):
        return {key: _defined(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_defined(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def _write(path: Path, text: str) -> Path:
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path


def as_markdown(result: Result) -> str:
    """A result as a page of Markdown: title, rules, notes, tables."""
    rules = "\n".join(f"- {key}: {value}" for key, value in result.context.lines().items())
    parts = [f"# {result.title}", rules, *result.notes]
    for name, table in result.tables.items():
        parts += [f"## {name}", markdown_table(table)]
    parts += [f"![{name}]({path.name})" for name, path in result.pictures.items()]
    return "\n\n".join(part for part in parts if part) + "\n"


def markdown_table(table: pd.DataFrame) -> str:
    """A table as Markdown, index first; fractions with three digits, smaller ones with one, missing values as a dash.

    Example:
        >>> print(markdown_table(pd.DataFrame({"IoU": [0.51239]}, index=pd.Index(["road"], name="class"))))
        | class | IoU |
        | --- | --- |
        | road | 0.512 |
    """
    head, *body = _texts(table)
    return "\n".join("| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *body))


def _texts(table: pd.DataFrame) -> list[list[str]]:
    """Names of the columns, then one row each, all as text; the index comes first."""
    rows = zip(table.index, table.itertuples(index=False, name=None), strict=True)
    head = [str(table.index.name or ""), *map(str, table.columns)]
    return [head, *([_cell(name), *map(_cell, row)] for name, row in rows)]


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float | np.floating) and np.isnan(value)):
        return NO_VALUE
    if not isinstance(value, float | np.floating):
        return str(value)
    size = abs(float(value))
    if size < 1e-6:  # rounding, of either sign
        return "0.000"
    return f"{value:.3f}" if size >= 5e-4 else f"{value:.1g}"


def _log(result: Result, files: list[Path]) -> None:
    output.info("%s", result.title)
    for key, value in result.context.lines().items():
        output.info("  %s: %s", key, value)
    for note in result.notes:
        output.info("  %s", note)
    for name, table in result.tables.items():
        output.info("%s", name)
        text = _texts(table)
        widths = [max(map(len, column)) for column in zip(*text, strict=True)]
        for first, *rest in text:
            cells = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
            output.info("  %s", "  ".join([first.ljust(widths[0]), *cells]).rstrip())
    logger.info("saved %s", ", ".join(map(str, files)))


@dataclass(frozen=True)
class Evaluation:
    """A result as it was saved.

    Attributes:
        stem: File name without suffix.
        title: What was measured.
        context: The rules, see :class:`Context`.
        notes: See :class:`Result`.
        tables: Name → rows of texts, the head first.
        pictures: Caption → file.
    """

    stem: str
    title: str
    context: dict[str, Any]
    notes: tuple[str, ...]
    tables: dict[str, list[list[str]]]
    pictures: dict[str, Path]


def read_results(folder: Path) -> list[Evaluation]:
    """All results that were saved into a folder, by name; other files are passed over.

    Args:
        folder: Where :func:`save_result` wrote; need not exist.

    Raises:
        StoreError: If a result is damaged, or names a table or picture that has gone.
    """
    found = []
    for path in sorted(folder.glob("*.json")):
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise StoreError(f"{path} is damaged ({error}); measure it again") from error
        if isinstance(content, dict) and {"context", CHECKSUM} & content.keys():
            found.append(_evaluation(path, read_json(path, "measure it again")))
    return found


def _evaluation(path: Path, content: Mapping[str, Any]) -> Evaluation:
    named = [path.parent / name for kind in ("tables", "pictures") for name in content[kind].values()]
    gone = [file.name for file in named if not file.is_file()]
    if gone:
        raise StoreError(f"{path} names {', '.join(gone)}, which has gone; measure it again")
    tables = {name: _saved_texts(path.parent / file) for name, file in content["tables"].items()}
    pictures = {caption: path.parent / file for caption, file in content["pictures"].items()}
    return Evaluation(
        path.stem, content["title"], content["context"], tuple(content["notes"]), tables, pictures
    )


def _saved_texts(path: Path) -> list[list[str]]:
    """:func:`_texts` of a table as it was saved; cell by cell, as a column can hold counts beside means."""
    table = pd.read_csv(path, index_col=0, dtype=str, keep_default_na=False)
    head, *body = _texts(table)
    return [head, *([name, *map(_saved_cell, row)] for name, *row in body)]


def _saved_cell(text: str) -> str:
    if not text:
        return NO_VALUE
    return _cell(float(text)) if _FRACTION.fullmatch(text) else text
