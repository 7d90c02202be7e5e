"""Training of segmentation networks: losses, schedule, loop."""

from oodretrieval.training.loop import Schedule, Trainer
from oodretrieval.training.losses import class_weights, cross_entropy

__all__ = ["Schedule", "Trainer", "class_weights", "cross_entropy"]
