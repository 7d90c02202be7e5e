"""Reading and writing weights, without ever running code from a file."""

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from oodretrieval.entries import ModelEntry, build
from oodretrieval.errors import ConfigurationError, WeightsError
from oodretrieval.models.implicit_background import WithImplicitBackground

LISTED = 8
NOT_ALLOWED = re.compile(r"GLOBAL (\S+)")
"""How torch names what it refuses to import while it reads a file."""


def load_weights(module: nn.Module, path: str | Path, source: str = "") -> None:
    """Load weights into a network; every key must be there and fit.

    Half precision in the file is converted to the network's own type. A ``state_dict`` key around the
    tensors and ``module.`` before all of their names, as multi-GPU training leaves them, are taken off.

    Args:
        module: The network.
        path: ``.safetensors``, or a PyTorch file that holds tensors only.
        source: Where to get the file; shown when it is missing.

    Raises:
        WeightsError: If the file is missing, damaged, would need to run code, or if keys are missing,
            unexpected or of another shape; each is named.
    """
    state = read_state(path, source)
    own = module.state_dict()
    problems = [
        _listed("missing", [key for key in own if key not in state]),
        _listed("unexpected", [key for key in state if key not in own]),
        _listed(
            "of another shape",
            [
                f"{key} {tuple(state[key].shape)} instead of {tuple(own[key].shape)}"
                for key in own
                if key in state and state[key].shape != own[key].shape
            ],
        ),
    ]
    found = [problem for problem in problems if problem]
    if found:
        raise WeightsError(
            f"{path} does not fit {type(module).__name__}: {'; '.join(found)}. "
            "Correct the entry's class or arguments in configuration.py, or its weights"
        )
    module.load_state_dict(state)


def _listed(what: str, keys: list[str]) -> str:
    if not keys:
        return ""
    more = f" and {len(keys) - LISTED} more" if len(keys) > LISTED else ""
    return f"{len(keys)} key(s) {what}: {', '.join(keys[:LISTED])}{more}"


def read_state(path: str | Path, source: str = "") -> dict[str, Tensor]:
    """Tensors of a weights file by name; see :func:`load_weights`.

    Raises:
        WeightsError: If the file is missing, damaged, or would need to run code.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(_missing(path, source))
    if path.suffix == ".safetensors":
        try:
            return _unwrapped(load_file(path), path)
        except (SafetensorError, OSError) as error:
            raise _damaged(path, error) from error
    return _unwrapped(_read_torch(path), path)


def _missing(path: str | Path, source: str) -> str:
    return f"no weights file {str(path)!r}; {source or 'set `weights` of the entry in configuration.py'}"


def _damaged(path: str | Path, reason: object) -> WeightsError:
    return WeightsError(f"{path} is damaged, or not what its suffix says ({reason}); fetch or train it again")


def _read_torch(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # damaged files raise anything from OSError to KeyError
        refused = NOT_ALLOWED.search(str(error))
        if refused:
            raise WeightsError(
                f"{path} holds more than tensors ({refused[1]}), and loading it would run code from it; "
                "where you trust it, convert its state dict to safetensors"
            ) from error
        reason = (str(error).strip().splitlines() or [""])[0]
        if (
            isinstance(error, UnpicklingError) or not reason
        ):  # torch's text would advise to load it all the same
            reason = "it is nothing that torch.save wrote"
        raise _damaged(path, reason) from error


def _unwrapped(content: Any, path: Path) -> dict[str, Tensor]:
    state = content.get("state_dict", content) if isinstance(content, Mapping) else content
    named = isinstance(state, Mapping) and all(
        isinstance(key, str) and isinstance(value, Tensor) for key, value in state.items()
    )
    if not named:
        raise WeightsError(f"{path} holds no named tensors; save the network's state_dict() and nothing else")
    prefix = "module." if all(key.startswith("module.") for key in state) else ""
    return {key.removeprefix(prefix): value for key, value in state.items()}


def save_weights(
    module: nn.Module, path: str | Path, metadata: Mapping[str, Any], half: bool = False
) -> None:
    """Write the weights of a network to safetensors.

    Args:
        module: The network.
        path: File to write; its folder must exist.
        metadata: Anything JSON can hold: classes, normalisation, recipe, quality.
        half: Store weights and biases as float16; running statistics stay float32.
    """
    state = {
        key: value.half() if half and value.is_floating_point() and "running_" not in key else value
        for key, value in module.state_dict().items()
    }
    contiguous = {key: value.detach().cpu().contiguous() for key, value in state.items()}
    save_file(contiguous, path, {key: json.dumps(value) for key, value in metadata.items()})


def read_metadata(path: str | Path) -> dict[str, Any]:
    """What :func:`save_weights` noted beside the weights; empty for other kinds of files.

    Raises:
        WeightsError: If the file is missing or damaged.
    """
    if Path(path).suffix != ".safetensors":
        return {}
    if not Path(path).is_file():
        raise WeightsError(_missing(path, ""))
    try:
        with safe_open(path, framework="pt") as file:
            noted = file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise _damaged(path, error) from error
    metadata = {}
    for key, value in noted.items():
        try:
            metadata[key] = json.loads(value)
        except json.JSONDecodeError:
            metadata[key] = value
    return metadata


def weights_hash(path: str | Path) -> str:
    """First 16 hexadecimal digits of the file's SHA-256."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def weights_file(entry: ModelEntry) -> Path | None:
    """The file of an entry's weights; None for a class that brings its own.

    Raises:
        WeightsError: If the file is missing; says where to get it.
    """
    if entry.weights is None:
        return None
    if not Path(entry.weights).is_file():
        raise WeightsError(_missing(entry.weights, entry.source))
    return Path(entry.weights)


def load_model(entry: ModelEntry) -> nn.Module:
    """Build the network of an entry, with its weights, in evaluation mode.

    Args:
        entry: The network; without ``weights`` its class brings its own.

    Returns:
        Normalised images ``(N, 3, H, W)`` → logits ``(N, C, H, W)``, an implicit background first where the entry
        wants one.

    Raises:
        ConfigurationError: If the entry cannot be built, or builds no network.
        WeightsError: If the weights are missing or do not fit.
    """
    weights = weights_file(entry)  # before the network is built in vain
    model = build(entry)
    if not isinstance(model, nn.Module):
        raise ConfigurationError(
            f"entry {entry.module}.{entry.class_name} must build a torch.nn.Module, built {type(model).__name__}"
        )
    if weights is not None:
        load_weights(model, weights)
    return (WithImplicitBackground(model) if entry.implicit_background else model).eval()
