"""Segmentation networks: normalised images ``(N, 3, H, W)`` → logits ``(N, C, H, W)``."""

from oodretrieval.models.checkpoints import (
    load_model,
    load_weights,
    read_metadata,
    save_weights,
    weights_file,
)
from oodretrieval.models.deeplab import DeepLabV3Plus
from oodretrieval.models.weights_files import weights_hash, weights_in_use

__all__ = [
    "DeepLabV3Plus",
    "load_model",
    "load_weights",
    "read_metadata",
    "save_weights",
    "weights_file",
    "weights_hash",
    "weights_in_use",
]
