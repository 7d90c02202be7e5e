"""What the figures of this project mean, and how they are computed."""

from oodretrieval.evaluation.confusion import ConfusionMatrix
from oodretrieval.evaluation.meta_regression import (
    MetaFigures,
    accuracy,
    accuracy_threshold,
    auprc,
    auroc,
    block_bootstrap,
    meta_figures,
    r2,
    rmse,
)
from oodretrieval.evaluation.non_distinctiveness import ExpectedNonDistinctiveness, non_distinctiveness
from oodretrieval.evaluation.retrieval import (
    RetrievalFigures,
    average_precision,
    frame_positions,
    mean_average_precision,
)
from oodretrieval.evaluation.segmentation import BackgroundQuality, SegmentationQuality
from oodretrieval.evaluation.selection import (
    ObjectCounts,
    SelectionFigures,
    TrueObject,
    selection_figures,
    true_objects,
)
from oodretrieval.evaluation.streaming_auroc import StreamingAUROC

__all__ = [
    "BackgroundQuality",
    "ConfusionMatrix",
    "ExpectedNonDistinctiveness",
    "MetaFigures",
    "ObjectCounts",
    "RetrievalFigures",
    "SegmentationQuality",
    "SelectionFigures",
    "StreamingAUROC",
    "TrueObject",
    "accuracy",
    "accuracy_threshold",
    "auprc",
    "auroc",
    "average_precision",
    "block_bootstrap",
    "frame_positions",
    "mean_average_precision",
    "meta_figures",
    "non_distinctiveness",
    "r2",
    "rmse",
    "selection_figures",
    "true_objects",
]
