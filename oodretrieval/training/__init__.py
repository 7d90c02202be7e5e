"""Training of segmentation networks: losses, schedule, loop."""

from oodretrieval.training.loop import Loss, Schedule, Trainer
from oodretrieval.training.losses import class_weights, cross_entropy
from oodretrieval.training.new_classes import fit_new_rows, last_layer, sampled_features
from oodretrieval.training.templates import template_loss

__all__ = [
    "Loss",
    "Schedule",
    "Trainer",
    "class_weights",
    "cross_entropy",
    "fit_new_rows",
    "last_layer",
    "sampled_features",
    "template_loss",
]
