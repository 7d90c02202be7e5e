"""What a file holds that an adapter cannot read, so that the message can name the one that can."""

from pathlib import Path

from oodretrieval.errors import WeightsError
from oodretrieval.torch_files import zip_members

MEMBERS = {
    "archive_format": "ExportedNetwork",
    "serialized_exported_program.json": "ExportedNetwork",
    "constants.pkl": "TorchScriptNetwork",
    "data.pkl": "",
}
"""A file by which a kind of zip archive is known → the adapter that reads it; none for mere tensors."""


def adapter_for(path: Path) -> str | None:
    """Find the adapter that reads a file or folder.

    Args:
        path: What is there.

    Returns:
        Its name; empty for tensors without a program, None if unknown.
    """
    if path.is_dir():
        return "TransformersNetwork" if (path / "config.json").is_file() else None
    names = zip_members(path)
    if names is not None:
        members = {name.partition("/")[2] or name for name in names}
        return next((adapter for member, adapter in MEMBERS.items() if member in members), None)
    return {".onnx": "OnnxNetwork", ".safetensors": ""}.get(path.suffix)


def unreadable(path: Path, kind: str, reader: str, reason: object) -> WeightsError:
    """The error for a file that an adapter cannot read.

    Args:
        path: The file.
        kind: What it should have been, in words.
        reader: Name of the adapter that tried.
        reason: What went wrong.

    Returns:
        The error, for the caller to raise.
    """
    found = adapter_for(path)
    remedy = "name another file by `weights` of the entry in configuration.py"
    if found:
        remedy = f"it looks like one for {found}; set `class_name` of the entry to that, or name another file"
    elif found == "":
        remedy = "it holds tensors without a program; set the entry to the class of their network"
    if found == reader:
        remedy = "it may be damaged, or of another version; fetch or export it again"
    return WeightsError(f"{path} cannot be read as {kind} ({first_sentence(reason)}); {remedy}")


def first_sentence(reason: object) -> str:
    """The first sentence of ``reason``, an error or its text, without the full stop.

    Example:
        >>> first_sentence(RuntimeError("no zip archive. This is an internal error."))
        'no zip archive'
    """
    first = (str(reason).strip().splitlines() or [type(reason).__name__])[0]
    return first.partition(". ")[0].rstrip(".")[:200]
