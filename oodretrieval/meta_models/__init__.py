"""Meta models: predict the IoU of a segment from its metrics, without truth."""

from oodretrieval.meta_models.boosting import BoostedMetaModel
from oodretrieval.meta_models.contract import MetaModel
from oodretrieval.meta_models.features import (
    Standardisation,
    baseline_names,
    feature_matrix,
    feature_names,
    num_classes_of,
    training_rows,
)
from oodretrieval.meta_models.linear import LinearMetaModel
from oodretrieval.meta_models.neural import MetaNetwork, NeuralMetaModel
from oodretrieval.meta_models.store import load_meta_model, save_meta_model

__all__ = [
    "BoostedMetaModel",
    "LinearMetaModel",
    "MetaModel",
    "MetaNetwork",
    "NeuralMetaModel",
    "Standardisation",
    "baseline_names",
    "feature_matrix",
    "feature_names",
    "load_meta_model",
    "num_classes_of",
    "save_meta_model",
    "training_rows",
]
