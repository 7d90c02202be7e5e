"""Meta models on disk: safetensors or skops with a description, and the published checkpoint. No file runs code."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from oodretrieval.errors import TableError, WeightsError
from oodretrieval.files import CHECKSUM, UNSEALED
from oodretrieval.meta_models.boosting import BoostedMetaModel
from oodretrieval.meta_models.contract import MetaModel, Task
from oodretrieval.meta_models.linear import LinearMetaModel
from oodretrieval.meta_models.logistic import LogisticMetaModel
from oodretrieval.meta_models.neural import MetaNetwork, NeuralMetaModel
from oodretrieval.meta_models.published import load_published, standardisation_of
from oodretrieval.meta_models.trees import TREES_SUFFIX, is_skops, load_trees, save_trees
from oodretrieval.remote_paths import path_of
from oodretrieval.sealed_arrays import read_model_arrays, write_arrays

FORMAT = "oodretrieval meta model"
FORMAT_VERSION = 1
KINDS: dict[str, type[MetaModel]] = {
    model.kind: model for model in (LinearMetaModel, LogisticMetaModel, BoostedMetaModel, NeuralMetaModel)
}
"""Kind → class of every meta model."""

# files from before there were classifiers hold the arrays of the regression only
_PREFIXES: dict[Task, str] = {"iou": "model.", "positive": "positive."}


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
        path: File to write, with the suffix of its kind: ``.skops`` for boosting, else usually ``.safetensors``;
            missing folders are made.
        class_names: Names of the segmentation network's classes, to travel with the model.
        quality: What was measured about it (plain values), added to ``model.quality``.

    Raises:
        TableError: If the model is not fitted, or ``class_names`` are not as many as it has classes.
        WeightsError: If the suffix is that of another kind.
    """
    path = path_of(path)
    if model.standardisation is None:
        raise TableError(f"this {type(model).__name__} has not learned yet; call fit before saving it")
    names = model.class_names if class_names is None else tuple(class_names)
    if names is not None and len(names) != model.num_classes:
        raise TableError(f"{len(names)} class names for a meta model of {model.num_classes} classes")
    if (path.suffix == TREES_SUFFIX) != (model.suffix == TREES_SUFFIX):
        raise WeightsError(
            f"a {model.kind} meta model is saved as *{model.suffix}, not as {path.name!r}; correct the path of its "
            "entry in configuration.py"
        )
    description = _description(model, names, {**model.quality, **(quality or {})})
    arrays = {"feature_mean": model.standardisation.mean, "feature_std": model.standardisation.std}
    learned = [task for task, value in model.learned.items() if not isinstance(value, float)]
    if model.suffix == TREES_SUFFIX:
        estimators = {task: model.learned[task] for task in learned}
        save_trees({"description": description, "arrays": arrays, "estimators": estimators}, path)
        return
    for task in learned:
        for name, array in model.arrays_of(task).items():
            arrays[_PREFIXES[task] + name] = np.ascontiguousarray(array)
    write_arrays(path, arrays, description)


def _description(model: MetaModel, names: Sequence[str] | None, quality: Mapping[str, Any]) -> dict[str, str]:
    constants = {task: value for task, value in model.learned.items() if isinstance(value, float)}
    return {
        "format": FORMAT,
        "version": str(FORMAT_VERSION),
        "kind": model.kind,
        "num_classes": str(model.num_classes),
        "feature_names": json.dumps(model.feature_names),
        "class_names": json.dumps(names),
        "settings": json.dumps(model.settings),
        "quality": json.dumps(quality),
        "constants": json.dumps(constants),
        CHECKSUM: UNSEALED,
    }


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
    path = path_of(path)
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
        description, arrays = read_model_arrays(path, "meta model", "train or copy it again")
        return _described(path, description, arrays, {}, network)
    if is_skops(path):
        content = load_trees(path)
        return _described(path, content["description"], content["arrays"], content["estimators"], network)
    return load_published(path, network)


def _described(
    path: Path,
    description: Mapping[str, str],
    arrays: Mapping[str, NDArray[Any]],
    estimators: Mapping[Task, Any],
    network: Callable[[int], nn.Module],
) -> MetaModel:
    if description.get("format") != FORMAT or description.get("version") != str(FORMAT_VERSION):
        raise WeightsError(
            f"{str(path)!r} is not a meta model of format version {FORMAT_VERSION} (its format is "
            f"{description.get('format')!r}, version {description.get('version')!r}); "
            "train it with train_meta_nn"
        )
    try:
        return _from_description(description, arrays, estimators, network)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise WeightsError(
            f"the meta model {str(path)!r} does not fit its description: {error}; train it again with train_meta_nn"
        ) from error


def _from_description(
    description: Mapping[str, str],
    arrays: Mapping[str, NDArray[Any]],
    estimators: Mapping[Task, Any],
    network: Callable[[int], nn.Module],
) -> MetaModel:
    kind = description["kind"]
    if kind not in KINDS:
        raise ValueError(f"unknown kind {kind!r}, known are {', '.join(KINDS)}")
    names = json.loads(description["feature_names"])
    settings = json.loads(description["settings"])
    if kind == NeuralMetaModel.kind:
        settings["network"] = network
    model = KINDS[kind](features=names, **settings)
    model.feature_names = tuple(names)
    model.num_classes = int(description["num_classes"])
    class_names = json.loads(description["class_names"])
    model.class_names = None if class_names is None else tuple(class_names)
    model.quality = json.loads(description["quality"])
    model.standardisation = standardisation_of(arrays["feature_mean"], arrays["feature_std"], len(names))
    constants: dict[Task, float] = json.loads(description.get("constants", "{}"))
    model.learned.update({task: float(value) for task, value in constants.items()})
    for task, estimator in estimators.items():
        if estimator.n_features_in_ != len(names):
            raise ValueError(f"the trees were grown on {estimator.n_features_in_} features, not {len(names)}")
        model.learned[task] = estimator
    for task, prefix in _PREFIXES.items():
        own = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
        if own:
            model.restore(task, own)
    if "iou" not in model.learned:
        raise KeyError("nothing was learned for the IoU")
    return model
