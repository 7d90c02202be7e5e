"""The segment table of a model on a dataset: Parquet parts, one for each fixed block of images."""

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from oodretrieval.errors import ChecksumError, StoreError, TableError
from oodretrieval.files import CHECKSUM, UNSEALED, require_checksum, sealed_path, verify
from oodretrieval.stores.workspace import (
    FORMAT_VERSION,
    Workspace,
    plain,
    require_format,
    require_same_settings,
)

METADATA_KEY = b"oodretrieval"

_PART = re.compile(r"part-(\d{5,})\.parquet")


def write_segments(
    workspace: Workspace,
    model: str,
    dataset: str,
    part: int,
    table: pd.DataFrame,
    images: Sequence[str],
    settings: Mapping[str, Any],
) -> None:
    """Write one part of a segment table atomically.

    Args:
        workspace: Where to.
        model: Name of the model's entry.
        dataset: Name of the dataset's entry.
        part: Number of the part, 0…; parts are read in its order.
        table: One row per segment, with ``image_id`` and ``segment_id``.
        images: Ids of all images of the part, also of those without a segment.
        settings: What made it.

    Raises:
        TableError: If a column is missing, or the table has images that the part has not.
        StoreError: If the file cannot be written.
    """
    require_columns(table, ("image_id", "segment_id"))
    strange = sorted(set(table["image_id"]) - set(images))
    if strange:
        raise TableError(f"part {part} has segments of images that are not its own, e.g. {strange[0]!r}")
    metadata = {"images": list(images), "settings": settings}
    write_table(workspace.segments_folder(model, dataset) / part_name(part), table, metadata)


def existing_parts(
    workspace: Workspace, model: str, dataset: str, settings: Mapping[str, Any] | None = None
) -> dict[int, list[str]]:
    """Which parts are there.

    Args:
        workspace: Where they lie.
        model: Name of the model's entry.
        dataset: Name of the dataset's entry.
        settings: Settings that they must have been made with; None to take them as they are.

    Returns:
        Number of the part → ids of its images, in order; empty where there is none.

    Raises:
        SettingsMismatchError: If a part was made with other settings.
        StoreError: If a part is damaged or of another format version.
    """
    parts = {}
    for number, path in _part_files(workspace.segments_folder(model, dataset)).items():
        metadata = read_table_metadata(path, whole=True)
        if settings is not None:
            require_same_settings(path, metadata["settings"], settings)
        parts[number] = list(metadata["images"])
    return parts


def read_segments(
    workspace: Workspace, model: str, dataset: str, columns: Sequence[str] | None = None
) -> pd.DataFrame:
    """Read the segment table of a model on a dataset.

    Args:
        workspace: Where it lies.
        model: Name of the model's entry.
        dataset: Name of the dataset's entry.
        columns: Columns to read; None for all.

    Returns:
        All parts in order, rows numbered from 0.

    Raises:
        StoreError: If there is none, or a part is damaged, of another format version or an image is in two.
        SettingsMismatchError: If the parts were made with different settings.
        TableError: If a column is missing.
    """
    files = _require_parts(workspace, model, dataset)
    metadata = {path: read_table_metadata(path) for path in files.values()}
    first = next(iter(metadata.values()))
    for path, other in metadata.items():
        require_same_settings(path, other["settings"], first["settings"])
    images = Counter(image for other in metadata.values() for image in other["images"])
    repeated = [image for image, times in images.items() if times > 1]
    if repeated:
        raise StoreError(
            f"image {repeated[0]!r} is in several parts of {workspace.segments_folder(model, dataset)}; "
            "make the table anew with args.overwrite=True"
        )
    return read_tables(list(files.values()), columns)


def read_part(workspace: Workspace, model: str, dataset: str, part: int) -> pd.DataFrame:
    """Read one part of a segment table.

    Raises:
        StoreError: If it is missing or damaged.
    """
    return read_tables([workspace.segments_folder(model, dataset) / part_name(part)])


def read_segment_settings(workspace: Workspace, model: str, dataset: str) -> dict[str, Any]:
    """Settings that made the segment table of a model on a dataset.

    Raises:
        StoreError: If there is none, or it is damaged.
    """
    files = _require_parts(workspace, model, dataset)
    return dict(read_table_metadata(next(iter(files.values())))["settings"])


def part_name(part: int, suffix: str = ".parquet") -> str:
    """File name of a part.

    Example:
        >>> part_name(7)
        'part-00007.parquet'
    """
    return f"part-{part:05d}{suffix}"


def write_table(path: Path, table: pd.DataFrame, metadata: Mapping[str, Any]) -> None:
    """Write a table as Parquet, atomically, together with plain metadata, the format version and a checksum.

    Raises:
        StoreError: If the file cannot be written.
        TableError: If a column has values that Parquet cannot hold.
    """
    try:
        content = pa.Table.from_pandas(table, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, ValueError) as error:
        raise TableError(
            f"{path}: cannot store the table ({error}); give every column one plain type"
        ) from error
    text = json.dumps({"format_version": FORMAT_VERSION, **plain(dict(metadata)), CHECKSUM: UNSEALED})
    content = content.replace_schema_metadata({**(content.schema.metadata or {}), METADATA_KEY: text})
    with sealed_path(path) as temporary:
        pq.write_table(content, temporary, compression="zstd")


def read_table_metadata(path: Path, *, whole: bool = False) -> dict[str, Any]:
    """Read what :func:`write_table` stored beside the table, without the table.

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
    """Rows of a Parquet file, without reading them.

    Raises:
        StoreError: If the file is missing or damaged.
    """
    try:
        return int(pq.read_metadata(path).num_rows)
    except (OSError, pa.ArrowException) as error:
        raise _damaged(path, error) from error


def require_columns(table: pd.DataFrame, names: Sequence[str]) -> None:
    """Refuse a table that lacks columns.

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


def _require_parts(workspace: Workspace, model: str, dataset: str) -> dict[int, Path]:
    folder = workspace.segments_folder(model, dataset)
    files = _part_files(folder)
    if not files:
        raise StoreError(
            f"no segments of {model!r} on {dataset!r} in {str(folder)!r}; run scripts/compute_metrics.py "
            f"with args.dataset={dataset} args.model_name={model} first"
        )
    return files
