"""What the measures of this project mean, and how they are computed."""

from oodretrieval.choices import PIXEL_SCORES
from oodretrieval.evaluation.bootstrap import (
    block_bootstrap,
    block_resamples,
    block_weights,
    interval,
    ratio_interval,
)
from oodretrieval.evaluation.class_measures import ClassMeasures
from oodretrieval.evaluation.clusters import ClusterMeasures, cluster_measures
from oodretrieval.evaluation.confusion import ConfusionMatrix
from oodretrieval.evaluation.detection import (
    DetectionMeasures,
    ScoreCounts,
    detection_measures,
)
from oodretrieval.evaluation.discovery import (
    DiscoveryCurve,
    UnknownObjects,
    discovery_curve,
    unknown_objects,
)
from oodretrieval.evaluation.feedback_simulation import FeedbackRun, mean_found, simulate_feedback
from oodretrieval.evaluation.iou_curves import IouCurves, IouCurveSums
from oodretrieval.evaluation.looks import looks_until_found
from oodretrieval.evaluation.meta_regression import (
    MetaMeasures,
    accuracy,
    accuracy_threshold,
    auprc,
    auroc,
    meta_measures,
    r2,
    rmse,
)
from oodretrieval.evaluation.meta_resampling import resampled_measures, resampled_ranks
from oodretrieval.evaluation.non_distinctiveness import ExpectedNonDistinctiveness, non_distinctiveness
from oodretrieval.evaluation.ood_components import (
    ComponentScores,
    component_intervals,
    component_scores,
    pool_components,
)
from oodretrieval.evaluation.ood_pixels import LogitStatistics, LogitStatisticsSums, pixel_scores
from oodretrieval.evaluation.retrieval import (
    RetrievalMeasures,
    average_precision,
    mean_average_precision,
    retrieval_intervals,
)
from oodretrieval.evaluation.score_counter import ScoreCounter
from oodretrieval.evaluation.segmentation import BackgroundQuality, SegmentationQuality
from oodretrieval.evaluation.selection import (
    ObjectCounts,
    SelectionMeasures,
    TrueObject,
    selection_measures,
    true_objects,
)

__all__ = [
    "PIXEL_SCORES",
    "BackgroundQuality",
    "ClassMeasures",
    "ClusterMeasures",
    "ComponentScores",
    "ConfusionMatrix",
    "DetectionMeasures",
    "DiscoveryCurve",
    "ExpectedNonDistinctiveness",
    "FeedbackRun",
    "IouCurveSums",
    "IouCurves",
    "LogitStatistics",
    "LogitStatisticsSums",
    "MetaMeasures",
    "ObjectCounts",
    "RetrievalMeasures",
    "ScoreCounter",
    "ScoreCounts",
    "SegmentationQuality",
    "SelectionMeasures",
    "TrueObject",
    "UnknownObjects",
    "accuracy",
    "accuracy_threshold",
    "auprc",
    "auroc",
    "average_precision",
    "block_bootstrap",
    "block_resamples",
    "block_weights",
    "cluster_measures",
    "component_intervals",
    "component_scores",
    "detection_measures",
    "discovery_curve",
    "interval",
    "looks_until_found",
    "mean_average_precision",
    "mean_found",
    "meta_measures",
    "non_distinctiveness",
    "pixel_scores",
    "pool_components",
    "r2",
    "ratio_interval",
    "resampled_measures",
    "resampled_ranks",
    "retrieval_intervals",
    "rmse",
    "selection_measures",
    "simulate_feedback",
    "true_objects",
    "unknown_objects",
]
