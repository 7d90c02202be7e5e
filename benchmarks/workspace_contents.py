"""What a workspace holds, file by file, so that two of them can be compared, and which of its files are broken."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import torch
from safetensors import safe_open

import oodretrieval.files
from oodretrieval.errors import ChecksumError
from oodretrieval.stores import Catalogue, Workspace

SEALED = (".h5", ".parquet", ".safetensors", ".json")
"""What carries a checksum."""


def broken_files(folder: Path) -> list[str]:
    """Files with a final name that are not what was written; exports are for others, and carry no checksum of ours."""
    broken = []
    for path in sorted(folder.glob("exports/*/[!.]*")):
        try:
            EXPORTED.get(path.suffix, Path.stat)(path)
        except (ValueError, OSError) as error:
            broken.append(f"{path.name}: {error}")
    for path in sorted(folder.rglob("*")):
        if path.suffix in SEALED and not path.name.startswith(".") and "exports" not in path.parts:
            try:
                if not oodretrieval.files.verify(path):
                    broken.append(f"{path.name} carries no checksum")
            except (ChecksumError, OSError) as error:
                broken.append(f"{path.name}: {error}")
    return broken


def contents(workspace: Workspace) -> dict[str, bytes]:
    """What a workspace holds, by name: files, catalogues as tables, weights and states as their values.

    The safetensors library writes metadata in another order in every process, and torch the same values, once they
    were read from a file, as another pickle.
    """
    found = {}
    for path in sorted(workspace.path.rglob("*")):
        name = path.relative_to(workspace.path).as_posix()
        if (
            path.is_file()
            and not path.name.startswith(".lock")
            and not name.startswith(("catalogues/", "runs/"))
        ):
            found[name] = COMPARED.get(path.suffix, Path.read_bytes)(path)
    for folder in sorted(workspace.path.glob("catalogues/*")):
        catalogue = Catalogue.open(folder)
        rows = catalogue.segments.assign(row=range(len(catalogue)))
        rows = rows.sort_values(["dataset", "image_id", "segment_id"], ignore_index=True)
        order = rows.pop("row").to_numpy()
        found[f"{folder.name}: rows"] = pa.Table.from_pandas(rows).to_pandas().to_csv().encode()
        found[f"{folder.name}: vectors"] = catalogue.vectors[order].tobytes()
        for table in catalogue.table_names:
            found[f"{folder.name}: {table}"] = catalogue.table(table).to_csv().encode()
    return found


def tensors_of(path: Path) -> bytes:
    """What a safetensors file says, in one order, without the checksum, which is of the order, too."""
    with safe_open(path, framework="numpy") as content:
        metadata = {key: text for key, text in (content.metadata() or {}).items() if "checksum" not in key}
        said = [json.dumps(metadata, sort_keys=True).encode()]
        for name in sorted(content.keys()):
            tensor = content.get_tensor(name)
            said += [f"{name} {tensor.dtype} {tensor.shape}".encode(), tensor.tobytes()]
    return b"\n".join(said)


def state_of(path: Path) -> bytes:
    """The values of a training's state, every bit of them."""
    said: list[bytes] = []

    def say(value: Any) -> None:
        if isinstance(value, torch.Tensor):
            said.extend(
                (f"{value.dtype} {tuple(value.shape)}".encode(), value.contiguous().numpy().tobytes())
            )
        elif isinstance(value, (dict, list, tuple)):
            said.append(f"{type(value).__name__} {len(value)}".encode())
            for item in value.items() if isinstance(value, dict) else value:
                say(item)
        else:
            said.append(repr(value).encode())

    say(torch.load(path, weights_only=True))
    return b"\n".join(said)


EXPORTED: dict[str, Callable[[Path], Any]] = {
    ".json": lambda path: json.loads(path.read_text()),
    ".parquet": pd.read_parquet,
}
"""How it is seen that a file which others read is whole."""
COMPARED = {".safetensors": tensors_of, ".pt": state_of}
