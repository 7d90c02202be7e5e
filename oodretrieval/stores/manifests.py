"""The manifest of a catalogue: what made it, its embeddings, and the parts that it consists of."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from oodretrieval.errors import StoreError
from oodretrieval.stores.json_files import read_json
from oodretrieval.stores.vectors import REMEDY

AGAIN = "make the catalogue again with args.overwrite=True"
"""What helps where it is not known any more what a catalogue consists of."""


def read_manifest(path: Path) -> dict[str, Any]:
    """Read and check a manifest.

    Args:
        path: The file.

    Returns:
        The manifest.

    Raises:
        StoreError: If it is missing, damaged or of another format version.
    """
    manifest = read_json(path, AGAIN if path.is_file() else REMEDY)
    kinds = {"settings": dict, "embeddings": dict, "parts": list, "default_embedding": str}
    wrong = [key for key, kind in kinds.items() if not isinstance(manifest.get(key), kind)]
    if not isinstance(manifest.setdefault("tables", {}), dict):  # catalogues of before had none
        wrong.append("tables")
    if not wrong and not all(_usable_part(part) for part in manifest["parts"]):
        wrong = ["parts"]
    if wrong:
        raise StoreError(f"{path} is damaged (no usable {', '.join(wrong)}); {AGAIN}")
    return manifest


def _usable_part(part: object) -> bool:
    keys = {"table", "rows", "vectors", "done"}
    if not isinstance(part, dict) or not keys <= part.keys():
        return False
    return isinstance(part.setdefault("checksums", {}), Mapping)  # catalogues of before had none
