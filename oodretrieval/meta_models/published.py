"""The published meta checkpoint ``meta_nn.pth``, read without running code.

Source:
    Oberdiek et al., arXiv:2005.06831, and its published code.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from oodretrieval.errors import WeightsError
from oodretrieval.meta_models.features import FeatureStandardisation, feature_names
from oodretrieval.meta_models.neural import NeuralMetaModel
from oodretrieval.torch_files import read_without_code

_PUBLISHED_KEYS = ("state_dict", "train_xa_mean", "train_xa_std", "train_classes_mean", "train_classes_std")


def standardisation_of(mean: NDArray[Any], std: NDArray[Any], num_features: int) -> FeatureStandardisation:
    """Mean and deviation of a file, if there is one of each for every feature.

    Args:
        mean: Of every feature, ``(F,)``.
        std: Of every feature, ``(F,)``.
        num_features: F.

    Returns:
        The standardisation.

    Raises:
        ValueError: If not.
    """
    if mean.shape != (num_features,) or std.shape != (num_features,):
        raise ValueError(f"means {mean.shape} and deviations {std.shape}, expected ({num_features},)")
    return FeatureStandardisation(mean.astype(np.float64), std.astype(np.float64))


def load_published(path: Path, network: Callable[[int], nn.Module]) -> NeuralMetaModel:
    """Read the published checkpoint, which regresses the IoU and has no classifier.

    Args:
        path: ``meta_nn.pth``.
        network: Called with the number of features, gives the module that the weights belong to.

    Returns:
        The model, ready to predict.

    Raises:
        WeightsError: If the file is damaged, of another format, or would run code when read.
    """
    try:
        checkpoint = read_without_code(path)
    except Exception as error:  # damaged files raise anything from EOFError to KeyError and UnpicklingError
        raise WeightsError(
            f"{str(path)!r} is no meta model that can be read without running code from it; expected "
            "a file of train_meta_nn (*.safetensors, *.skops) or the published checkpoint (meta_nn.pth)"
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
    model.feature_names = tuple(names)
    model.num_classes = num_classes
    model.standardisation = standardisation_of(mean, std, len(names))
    model.restore("iou", {name: tensor.numpy() for name, tensor in checkpoint["state_dict"].items()})
    return model
