"""What every evaluation leaves behind: measures with the rules that they follow, as JSON, Markdown and CSV."""

import logging
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from oodretrieval import __version__
from oodretrieval.errors import StoreError
from oodretrieval.files import atomic_path
from oodretrieval.results.tables import markdown_table, table_texts
from oodretrieval.stores import FORMAT_VERSION, Catalogue, plain, read_json, write_json
from oodretrieval.stores.catalogue import MANIFEST

logger = logging.getLogger(__name__)
output = logging.getLogger("oodretrieval.output")  # what a script was run for: standard output


@dataclass(frozen=True)
class Context:
    """The rules that an evaluation follows; part of every result.

    Attributes:
        dataset: Name of the dataset.
        split: Its split, as its entry names it.
        images: Number of images evaluated.
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
        """Everything that is set, in words.

        Returns:
            Name → value.
        """
        return {key.replace("_", " "): str(value) for key, value in vars(self).items() if value != ""}


@dataclass(frozen=True)
class Result:
    """One evaluation.

    Attributes:
        title: What was measured, in a few words.
        stem: File name without suffix.
        context: The rules.
        settings: Settings of the script.
        measures: Everything measured, as JSON can hold it.
        tables: Name → table for people; its index is the first column.
        notes: Sentences that a reader of the measures must know, e.g. "one scene".
        pictures: Caption → file of a chart or picture, saved next to it; ``report.py`` shows them.
    """

    title: str
    stem: str
    context: Context
    settings: Mapping[str, Any]
    measures: Mapping[str, Any]
    tables: Mapping[str, pd.DataFrame]
    notes: tuple[str, ...] = ()
    pictures: Mapping[str, Path] = field(default_factory=dict)


def result_folder(place: Path, save_dir: str = "") -> Path:
    """Where a result lies: where it is wanted, else in ``evaluation`` of what was evaluated.

    Args:
        place: A workspace, or the folder of a catalogue.
        save_dir: ``args.save_dir``; empty for the default.

    Returns:
        The folder, which need not exist.

    Example:
        >>> result_folder(Path("workspace")).as_posix(), result_folder(Path("workspace"), "here").as_posix()
        ('workspace/evaluation', 'here')
    """
    return Path(save_dir).expanduser() if save_dir else place / "evaluation"


def save_result(folder: Path, result: Result) -> list[Path]:
    """Write ``<stem>.json``, ``<stem>.md`` and one ``<stem>_<table>.csv`` for each table, and log them.

    Tables and pictures of the result that this one replaces, which it does not have, are removed.

    Args:
        folder: Where to write; made if need be. The pictures lie in it already, or below it.
        result: The evaluation.

    Returns:
        The files written, pictures included.

    Raises:
        StoreError: If a file cannot be written.
    """
    json_path = folder / f"{result.stem}.json"
    replaced = _listed_by(json_path)
    content: dict[str, Any] = {
        "format_version": FORMAT_VERSION,
        "title": result.title,
        "context": vars(result.context),
        "notes": list(result.notes),
        "settings": dict(result.settings),
        "figures": _defined(plain(result.measures)),
        "tables": {name: f"{result.stem}_{_slug(name)}.csv" for name in result.tables},
        "pictures": {name: path.relative_to(folder).as_posix() for name, path in result.pictures.items()},
        **_catalogue_of(folder),
    }
    write_json(json_path, content)
    files = [json_path, _write(folder / f"{result.stem}.md", as_markdown(result))]
    for name, table in result.tables.items():
        files.append(_write(folder / content["tables"][name], table.to_csv()))
    files += result.pictures.values()
    for path in replaced - set(files):
        path.unlink(missing_ok=True)
    _log(result)
    logger.info("saved in %s: %s", folder, ", ".join(path.name for path in files))
    return files


def _catalogue_of(folder: Path) -> dict[str, str]:
    """What a result in the folder of a catalogue notes of the rows that it is of."""
    place = folder.parent
    return {"catalogue": Catalogue.open(place).key} if (place / MANIFEST).is_file() else {}


def _listed_by(json_path: Path) -> set[Path]:
    """Tables and pictures of a result that was saved before; nothing of what is none, or damaged."""
    try:
        content = read_json(json_path, "measure it again")
        names = [name for kind in ("tables", "pictures") for name in content[kind].values()]
    except (OSError, StoreError, KeyError, AttributeError):
        return set()
    return {json_path.parent / name for name in names if Path(name).name.startswith(json_path.stem)}


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
    """A result as a page of Markdown: title, rules, notes, tables.

    Args:
        result: An evaluation.

    Returns:
        The page.
    """
    rules = "\n".join(f"- {key}: {value}" for key, value in result.context.lines().items())
    parts = [f"# {result.title}", rules, *result.notes]
    for name, table in result.tables.items():
        parts += [f"## {name}", markdown_table(table)]
    parts += [f"![{name}]({path.name})" for name, path in result.pictures.items()]
    return "\n\n".join(part for part in parts if part) + "\n"


def _log(result: Result) -> None:
    output.info("%s", result.title)
    for key, value in result.context.lines().items():
        output.info("  %s: %s", key, value)
    for note in result.notes:
        output.info("  %s", note)
    for name, table in result.tables.items():
        output.info("%s", name)
        text = table_texts(table)
        widths = [max(map(len, column)) for column in zip(*text, strict=True)]
        for first, *rest in text:
            cells = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
            output.info("  %s", "  ".join([first.ljust(widths[0]), *cells]).rstrip())
