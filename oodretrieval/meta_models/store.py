"""Meta models on disk: safetensors with a description, and the published checkpoint. No file runs code."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from torch import nn

from oodretrieval.errors import TableError, WeightsError
from oodretrieval.files import atomic_path
from oodretrieval.meta_models.boosting import BoostedMetaModel
from oodretrieval.meta_models.contract import MetaModel
from oodretrieval.meta_models.features import Standardisation, feature_names
from oodretrieval.meta_models.linear import LinearMetaModel
from oodretrieval.meta_models.neural import MetaNetwork, NeuralMetaModel
from oodretrieval.torch_files import read_without_code

FORMAT = "oodretrieval meta model"
FORMAT_VERSION = 1
_KINDS: dict[str, type[MetaModel]] = {
    model.kind: model for model in (LinearMetaModel, NeuralMetaModel, BoostedMetaModel)
}
_PUBLISHED_KEYS = ("state_dict", "train_xa_mean", "train_xa_std", "train_classes_mean", "train_classes_std")


def save_meta_model(
    model: MetaModel,
    path: str | Path,
    *,
    class_names: Sequence[str] | None = None,
    quality: Mapping[str, Any] | None = None,
) -> None:
    """Write a trained meta model; what has its final name is whole.

    Args:
        model: A fitted model.
        path: File to write, usually ``*.safetensors``; missing folders are made.
        class_names: Names of the segmentation network's classes, to travel with the model.
        quality: What was measured about it (plain values), added to ``model.quality``.

    Raises:
        TableError: If the model is not fitted, or ``class_names`` are not as many as it has classes.
    """
    if model.standardisation is None:
        raise TableError(f"this {type(model).__name__} has not learned yet; call fit before saving it")
    names = model.class_names if class_names is None else tuple(class_names)
    if names is not None and len(names) != model.num_classes:
        raise TableError(f"{len(names)} class names for a meta model of {model.num_classes} classes")
    description = {
        "format": FORMAT,
        "version": str(FORMAT_VERSION),
        "kind": model.kind,
        "num_classes": str(model.num_classes),
        "feature_names": json.dumps(model.feature_names),
        "class_names": json.dumps(names),
        "settings": json.dumps(model.settings),
        "quality": json.dumps({**model.quality, **(quality or {})}),
    }
    arrays = {f"model.{name}": np.ascontiguousarray(array) for name, array in model.arrays().items()}
    arrays |= {"feature_mean": model.standardisation.mean, "feature_std": model.standardisation.std}
    with atomic_path(Path(path)) as temporary:
        temporary.write_bytes(save(arrays, description))


def load_meta_model(path: str | Path, *, network: Callable[[int], nn.Module] = MetaNetwork) -> MetaModel:
    """Read a meta model: one of ours, or the published checkpoint ``meta_nn.pth``.

    Args:
        path: File that :func:`save_meta_model` wrote, or a published checkpoint.
        network: For neural models of another architecture than the published one: called with the number of
            features, gives the module that the weights belong to.

    Returns:
        The model, ready to predict.

    Raises:
        WeightsError: If the file is missing, damaged, of another format, or would run code when read.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            start = file.read(9)
    except OSError as error:
        raise WeightsError(
            f"cannot read the meta model {str(path)!r} ({error.strerror}); train it with train_meta_nn, or "
            "set the path of its entry in configuration.py"
        ) from error
    # a safetensors file is the length of its header in eight bytes, then the header in JSON
    if start[8:] == b"{":
        return _load_ours(path, network)
    return _load_published(path, network)


def _load_ours(path: Path, network: Callable[[int], nn.Module]) -> MetaModel:
    try:
        with safe_open(path, framework="numpy") as file:
            description = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise WeightsError(
            f"the meta model {str(path)!r} is damaged ({error}); train or copy it again"
        ) from error
    if description.get("format") != FORMAT or description.get("version") != str(FORMAT_VERSION):
        raise WeightsError(
            f"{str(path)!r} is not a meta model of format version {FORMAT_VERSION} (its format is "
            f"{description.get('format')!r}, version {description.get('version')!r}); "
            "train it with train_meta_nn"
        )
    try:
        return _from_description(description, arrays, network)
    except (KeyError, ValueError, TypeError) as error:
        raise WeightsError(
            f"the meta model {str(path)!r} does not fit its description: {error}; train it with train_meta_nn"
        ) from error


def _from_description(
    description: Mapping[str, str],
    arrays: Mapping[str, NDArray[Any]],
    network: Callable[[int], nn.Module],
) -> MetaModel:
    kind = description["kind"]
    if kind not in _KINDS:
        raise ValueError(f"unknown kind {kind!r}, known are {', '.join(_KINDS)}")
    names = json.loads(description["feature_names"])
    settings = json.loads(description["settings"])
    if kind == NeuralMetaModel.kind:
        settings["network"] = network
    model = _KINDS[kind](features=names, **settings)
    model.num_classes = int(description["num_classes"])
    class_names = json.loads(description["class_names"])
    model.class_names = None if class_names is None else tuple(class_names)
    model.quality = json.loads(description["quality"])
    model.standardisation = _standardisation(arrays["feature_mean"], arrays["feature_std"], len(names))
    model.restore({name[6:]: array for name, array in arrays.items() if name.startswith("model.")})
    return model


def _standardisation(mean: NDArray[Any], std: NDArray[Any], num_features: int) -> Standardisation:
    if mean.shape != (num_features,) or std.shape != (num_features,):
        raise ValueError(f"means {mean.shape} and deviations {std.shape}, expected ({num_features},)")
    return Standardisation(mean.astype(np.float64), std.astype(np.float64))


def _load_published(path: Path, network: Callable[[int], nn.Module]) -> NeuralMetaModel:
    try:
        checkpoint = read_without_code(path)
    except Exception as error:  # damaged files raise anything from EOFError to KeyError and UnpicklingError
        raise WeightsError(
            f"{str(path)!r} is no meta model that can be read without running code from it; expected "
            "a file of train_meta_nn (*.safetensors) or the published checkpoint (meta_nn.pth)"
        ) from error
    missing = [key for key in _PUBLISHED_KEYS if not (isinstance(checkpoint, dict) and key in checkpoint)]
    if missing:
        raise WeightsError(f"{str(path)!r} is no published meta checkpoint: it lacks {', '.join(missing)}")
    try:
        return _from_checkpoint(checkpoint, network)
    except (ValueError, TypeError, AttributeError) as error:
        raise WeightsError(
            f"the published meta checkpoint {str(path)!r} does not fit together: {error}"
        ) from error


def _from_checkpoint(checkpoint: Mapping[str, Any], network: Callable[[int], nn.Module]) -> NeuralMetaModel:
    mean, std = (
        np.concatenate([np.ravel(checkpoint[f"train_{part}_{kind}"]) for part in ("xa", "classes")])
        for kind in ("mean", "std")
    )
    num_classes = int(np.size(checkpoint["train_classes_mean"]))
    names = feature_names(num_classes)
    model = NeuralMetaModel(features=names, network=network)
    model.num_classes = num_classes
    model.standardisation = _standardisation(mean, std, len(names))
    model.restore({name: tensor.numpy() for name, tensor in checkpoint["state_dict"].items()})
    return model
