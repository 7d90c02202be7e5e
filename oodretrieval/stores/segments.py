"""The segment table of a model on a dataset: Parquet parts, each of some images."""

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from oodretrieval.errors import ChecksumError, StoreError, TableError
from oodretrieval.files import CHECKSUM, UNSEALED, require_checksum, sealed_path, verify
from oodretrieval.stores.json_files import FORMAT_VERSION, plain, require_format
from oodretrieval.stores.stored import Stored
from oodretrieval.stores.workspace import Workspace

METADATA_KEY = b"oodretrieval"

ROWS = 1 << 20
"""Rows of a Parquet file that are compressed together."""

_PART = re.compile(r"part-(\d{5,})\.parquet")


@dataclass(frozen=True)
class Part:
    """What one part of a segment table says of itself.

    Attributes:
        path: Its file.
        images: Id of every image that it holds, also of those without a segment → digest of the prediction that its
            segments were computed from; empty in tables of earlier versions.
        settings: What made these predictions.
    """

    path: Path
    images: Mapping[str, str]
    settings: Mapping[str, Any]


def write_segments(
    workspace: Workspace,
    stored: Stored,
    part: int,
    table: pd.DataFrame,
    images: Mapping[str, str],
    settings: Mapping[str, Any],
) -> None:
    """Write one part of a segment table atomically.

    Args:
        workspace: Where to.
        stored: Whose: of which network on which dataset.
        part: Number of the part, 0….
        table: One row per segment, with ``image_id`` and ``segment_id``.
        images: Id of every image of the part, also of those without a segment → digest of its prediction.
        settings: What made these predictions.

    Raises:
        TableError: If a column is missing, or the table has images that the part has not.
        StoreError: If the file cannot be written.
    """
    require_columns(table, ("image_id", "segment_id"))
    strange = sorted(set(table["image_id"]) - set(images))
    if strange:
        raise TableError(f"part {part} has segments of images that are not its own, e.g. {strange[0]!r}")
    metadata = {"images": list(images), "predictions": list(images.values()), "settings": settings}
    write_table(workspace.segments_folder(stored) / part_name(part), table, metadata)


def existing_parts(
    workspace: Workspace, stored: Stored, damaged: Callable[[Path, str], None] | None = None
) -> dict[int, Part]:
    """Which parts are there.

    Args:
        workspace: Where they lie.
        stored: Whose: of which network on which dataset.
        damaged: Gets each part that is damaged, and why, which is left out; by default the first is an error.

    Returns:
        Number of the part → what it says of itself, in order; empty where there is none.

    Raises:
        StoreError: If a part is damaged or of another format version.
    """
    parts = {}
    for number, path in _part_files(workspace.segments_folder(stored)).items():
        try:
            metadata = read_table_metadata(path, whole=True)
        except StoreError as error:
            cause = error.__cause__
            if cause is None or isinstance(cause, PermissionError | IsADirectoryError):
                raise
            if damaged is None:
                raise StoreError(
                    f"{path} is damaged ({cause}); run scripts/compute_metrics.py with {stored.arguments} again, or "
                    "scripts/pred_images.py where that ran with args.keep=nothing: it is replaced"
                ) from cause
            damaged(path, str(cause))
            continue
        images = list(metadata["images"])
        digests = metadata.get("predictions") or [""] * len(images)
        parts[number] = Part(path, dict(zip(images, digests, strict=True)), metadata["settings"])
    return parts


def read_part(workspace: Workspace, stored: Stored, part: int) -> pd.DataFrame:
    """Read one part of a segment table.

    Args:
        workspace: Where it lies.
        stored: Of which network on which dataset.
        part: Its number, from 0.

    Returns:
        The table.

    Raises:
        StoreError: If it is missing or damaged.
    """
    return read_tables([workspace.segments_folder(stored) / part_name(part)])


def remove_parts(workspace: Workspace, stored: Stored, *, but: Collection[int]) -> None:
    """Remove all parts of a segment table but some.

    Args:
        workspace: Where it lies.
        stored: Whose: of which network on which dataset.
        but: Numbers of the parts that stay.

    Raises:
        StoreError: If one cannot be removed.
    """
    for number, path in _part_files(workspace.segments_folder(stored)).items():
        if number not in but:
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise StoreError(f"cannot remove {path} ({error}); make the folder writable") from error


def part_name(part: int, suffix: str = ".parquet") -> str:
    """File name of a part.

    Args:
        part: Its number, from 0.
        suffix: Of the file.

    Returns:
        The name, in numerical order when sorted as text.

    Example:
        >>> part_name(7)
        'part-00007.parquet'
    """
    return f"part-{part:05d}{suffix}"


def write_table(
    path: Path, table: pd.DataFrame | Iterable[pd.DataFrame], metadata: Mapping[str, Any]
) -> None:
    """Write a table as Parquet, atomically, together with plain metadata, the format version and a checksum.

    Args:
        path: Where to.
        table: One plain type per column; or one block of :data:`ROWS` rows after the other, of one table that does
            not fit in memory, the last one perhaps shorter. The file is the same.
        metadata: Plain values by name.

    Raises:
        StoreError: If the file cannot be written.
        TableError: If a column has values that Parquet cannot hold.
    """
    text = json.dumps({"format_version": FORMAT_VERSION, **plain(dict(metadata)), CHECKSUM: UNSEALED})
    blocks = iter([table] if isinstance(table, pd.DataFrame) else table)
    first = _arrow(path, next(blocks))
    schema = first.schema.with_metadata({**(first.schema.metadata or {}), METADATA_KEY: text})
    with sealed_path(path) as temporary, pq.ParquetWriter(temporary, schema, compression="zstd") as writer:
        for content in chain([first], (_arrow(path, block) for block in blocks)):
            writer.write_table(content, row_group_size=ROWS)


def _arrow(path: Path, table: pd.DataFrame) -> pa.Table:
    try:
        return pa.Table.from_pandas(table, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, ValueError) as error:
        raise TableError(
            f"{path}: cannot store the table ({error}); give every column one plain type"
        ) from error


def read_table_metadata(path: Path, *, whole: bool = False) -> dict[str, Any]:
    """Read what :func:`write_table` stored with the table, without the table.

    Args:
        path: The file.
        whole: Compare the file with its checksum first, which reads it whole.

    Returns:
        The metadata.

    Raises:
        StoreError: If the file is missing, damaged, of another origin or another format version.
    """
    try:
        sealed = verify(path) if whole else True
        metadata = dict(json.loads((pq.read_schema(path).metadata or {})[METADATA_KEY]))
        require_checksum(sealed, metadata.pop(CHECKSUM, None))
    except (OSError, pa.ArrowException, KeyError, ValueError, TypeError, ChecksumError) as error:
        raise _damaged(path, error) from error
    require_format(path, metadata.get("format_version"))
    return metadata


def read_tables(paths: Sequence[Path], columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Read Parquet files and put them below each other.

    Args:
        paths: One file at least.
        columns: Columns to read; None for all.

    Returns:
        One table, rows numbered from 0.

    Raises:
        StoreError: If a file is missing or damaged.
        TableError: If a column is missing.
    """
    tables = []
    for path in paths:
        try:
            sealed = verify(path)
            schema = pq.read_schema(path)
            require_checksum(sealed, _noted_checksum(schema))
            names = schema.names
            missing = [name for name in columns or () if name not in names]
            if missing:
                raise _no_columns(missing, names, str(path))
            # The single file, not the dataset reader: that one would take column names from folder names.
            with pq.ParquetFile(path) as file:
                tables.append(file.read(columns=None if columns is None else list(columns)))
        except (OSError, pa.ArrowException, ValueError, ChecksumError) as error:
            raise _damaged(path, error) from error
    # An empty part may know less of its types than the others.
    result: pd.DataFrame = pa.concat_tables(tables, promote_options="permissive").to_pandas()
    return result


def _noted_checksum(schema: pa.Schema) -> object:
    """The checksum that a table of ours notes; None in one of before."""
    text = (schema.metadata or {}).get(METADATA_KEY)
    return None if text is None else json.loads(text).get(CHECKSUM)


def table_length(path: Path) -> int:
    """Number of rows of the Parquet file at ``path``, without reading them.

    Raises:
        StoreError: If the file is missing or damaged.
    """
    try:
        return int(pq.read_metadata(path).num_rows)
    except (OSError, pa.ArrowException, ValueError) as error:  # ValueError: names that are no text
        raise _damaged(path, error) from error


def require_columns(table: pd.DataFrame, names: Sequence[str]) -> None:
    """Refuse a table that lacks columns.

    Args:
        table: The table.
        names: Of the columns.

    Raises:
        TableError: Naming them.
    """
    missing = [name for name in names if name not in table.columns]
    if missing:
        raise _no_columns(missing, list(table.columns), "the segment table")


def _no_columns(missing: Sequence[str], names: Sequence[str], where: str) -> TableError:
    return TableError(f"{where} has no column {', '.join(missing)}; it has {', '.join(map(str, names))}")


def _damaged(path: Path, error: Exception) -> StoreError:
    if isinstance(error, FileNotFoundError):
        return StoreError(f"no file {str(path)!r}; run the stage that makes it again")
    return StoreError(f"{path} is damaged ({error}); remove it and run the stage that made it again")


def _part_files(folder: Path) -> dict[int, Path]:
    matches = ((_PART.fullmatch(path.name), path) for path in folder.glob("part-*.parquet"))
    return dict(sorted((int(match.group(1)), path) for match, path in matches if match))
