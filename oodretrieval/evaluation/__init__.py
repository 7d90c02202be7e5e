"""What the measures of this project mean, and how they are computed."""

from oodretrieval.choices import PIXEL_SCORES
from oodretrieval.evaluation.bootstrap import (
    block_bootstrap,
    block_draws,
    block_weights,
    interval,
    ratio_interval,
)
from oodretrieval.evaluation.confusion import ConfusionMatrix
from oodretrieval.evaluation.detection import (
    DetectionFigures,
    ScoreCounts,
    detection_figures,
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
from oodretrieval.evaluation.meta_draws import drawn_figures, drawn_ranks
from oodretrieval.evaluation.meta_regression import (
    MetaFigures,
    accuracy,
    accuracy_threshold,
    auprc,
    auroc,
    meta_figures,
    r2,
    rmse,
)
from oodretrieval.evaluation.non_distinctiveness import ExpectedNonDistinctiveness, non_distinctiveness
from oodretrieval.evaluation.ood_components import (
    ComponentScores,
    component_intervals,
    component_scores,
    pool_components,
)
from oodretrieval.evaluation.ood_pixels import LogitStatistics, LogitStatisticsSums, pixel_scores
from oodretrieval.evaluation.retrieval import (
    RetrievalFigures,
    average_precision,
    clip_names,
    frame_positions,
    mean_average_precision,
    retrieval_intervals,
)
from oodretrieval.evaluation.score_counter import ScoreCounter
from oodretrieval.evaluation.segmentation import BackgroundQuality, SegmentationQuality
from oodretrieval.evaluation.selection import (
    ObjectCounts,
    SelectionFigures,
    TrueObject,
    selection_figures,
    true_objects,
)

__all__ = [
    "PIXEL_SCORES",
    "BackgroundQuality",
    "ComponentScores",
    "ConfusionMatrix",
    "DetectionFigures",
    "DiscoveryCurve",
    "ExpectedNonDistinctiveness",
    "FeedbackRun",
    "IouCurveSums",
    "IouCurves",
    "LogitStatistics",
    "LogitStatisticsSums",
    "MetaFigures",
    "ObjectCounts",
    "RetrievalFigures",
    "ScoreCounter",
    "ScoreCounts",
    "SegmentationQuality",
    "SelectionFigures",
    "TrueObject",
    "UnknownObjects",
    "accuracy",
    "accuracy_threshold",
    "auprc",
    "auroc",
    "average_precision",
    "block_bootstrap",
    "block_draws",
    "block_weights",
    "clip_names",
    "component_intervals",
    "component_scores",
    "detection_figures",
    "discovery_curve",
    "drawn_figures",
    "drawn_ranks",
    "frame_positions",
    "interval",
    "looks_until_found",
    "mean_average_precision",
    "mean_found",
    "meta_figures",
    "non_distinctiveness",
    "pixel_scores",
    "pool_components",
    "r2",
    "ratio_interval",
    "retrieval_intervals",
    "rmse",
    "selection_figures",
    "simulate_feedback",
    "true_objects",
    "unknown_objects",
]
