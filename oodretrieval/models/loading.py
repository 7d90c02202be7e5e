"""The network of an entry, built and with its weights."""

from inspect import Parameter, signature
from pathlib import Path
from typing import Any

from torch import nn

from oodretrieval.entries import ModelEntry, build_kind, factory_of
from oodretrieval.errors import ConfigurationError, WeightsError
from oodretrieval.models.checkpoints import load_weights, no_weights_file
from oodretrieval.models.implicit_background import WithImplicitBackground


def weights_file(entry: ModelEntry) -> Path | None:
    """The file, or folder, of the weights of ``entry``; None for a class that brings its own.

    Raises:
        WeightsError: If the file is missing; says where to get it.
    """
    if entry.weights is None:
        return None
    if not Path(entry.weights).exists():
        raise WeightsError(no_weights_file(entry.weights, entry.source))
    return Path(entry.weights)


def load_model(entry: ModelEntry) -> nn.Module:
    """Build the network of an entry, with its weights, in evaluation mode.

    A class with a parameter ``weights_file`` is handed the path of the entry's weights and reads it by itself (one
    with a parameter ``run_code`` is given whether it may run code from it); into every other class they are loaded as
    a state dict.

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
    own = _file_arguments(entry, weights)
    model = build_kind(entry, nn.Module, "a torch.nn.Module", **own)
    if weights is not None and not own:
        load_weights(model, weights, run_code=entry.run_code)
    return (WithImplicitBackground(model) if entry.implicit_background else model).eval()


def _file_arguments(entry: ModelEntry, weights: Path | None) -> dict[str, Any]:
    """What a class that reads its file by itself is called with; empty for every other one, or without a file."""
    try:
        parameters = signature(factory_of(entry)).parameters
    except ValueError:  # a class written in C may not say
        return {}
    where = f"entry {entry.module}.{entry.class_name}"
    if "weights_file" not in parameters:
        return {}
    for name, field in (("weights_file", "weights"), ("run_code", "run_code")):
        if name in entry.kwargs:
            raise ConfigurationError(
                f"{where}: give `{field}` of the entry, not {name!r} among its arguments"
            )
    if weights is None:
        if parameters["weights_file"].default is Parameter.empty:
            raise ConfigurationError(
                f"{where} reads its network from a file; set `weights` of the entry to it"
            )
        return {}
    return {"weights_file": weights} | ({"run_code": entry.run_code} if "run_code" in parameters else {})
