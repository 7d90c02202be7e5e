"""Segments of a prediction: dispersion, components, metrics, adjusted IoU, boxes and crops."""

from oodretrieval.segments.adjusted_iou import adjusted_iou
from oodretrieval.segments.components import label_components
from oodretrieval.segments.crops import Box, crop, enlarge_box, majority_label, segment_boxes
from oodretrieval.segments.dispersion import (
    entropy,
    entropy_levels,
    pixel_dispersion,
    predict_classes,
    predict_pixels,
)
from oodretrieval.segments.metrics import segment_metrics
from oodretrieval.segments.painting import paint_segments
from oodretrieval.segments.table import segment_table, segment_table_from_logits

__all__ = [
    "Box",
    "adjusted_iou",
    "crop",
    "enlarge_box",
    "entropy",
    "entropy_levels",
    "label_components",
    "majority_label",
    "paint_segments",
    "pixel_dispersion",
    "predict_classes",
    "predict_pixels",
    "segment_boxes",
    "segment_metrics",
    "segment_table",
    "segment_table_from_logits",
]
