"""Meta models: predict the IoU of a segment from its metrics, without truth."""

from oodretrieval.meta_models.boosting import BoostedMetaModel
from oodretrieval.meta_models.contract import MAX_SEGMENTS, MetaModel
from oodretrieval.meta_models.features import (
    GROUPS,
    Standardisation,
    baseline_names,
    feature_matrix,
    feature_names,
    num_classes_of,
    select_features,
    training_rows,
)
from oodretrieval.meta_models.linear import LinearMetaModel
from oodretrieval.meta_models.logistic import LogisticMetaModel
from oodretrieval.meta_models.logistic_regression import LassoPath, logistic_path
from oodretrieval.meta_models.neural import MetaNetwork, NeuralMetaModel
from oodretrieval.meta_models.sampling import folds_of, held_out_rows, sample_of_images
from oodretrieval.meta_models.store import KINDS, load_meta_model, save_meta_model

__all__ = [
    "GROUPS",
    "KINDS",
    "MAX_SEGMENTS",
    "BoostedMetaModel",
    "LassoPath",
    "LinearMetaModel",
    "LogisticMetaModel",
    "MetaModel",
    "MetaNetwork",
    "NeuralMetaModel",
    "Standardisation",
    "baseline_names",
    "feature_matrix",
    "feature_names",
    "folds_of",
    "held_out_rows",
    "load_meta_model",
    "logistic_path",
    "num_classes_of",
    "sample_of_images",
    "save_meta_model",
    "select_features",
    "training_rows",
]
