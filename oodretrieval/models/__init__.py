"""Segmentation networks: normalised images ``(N, 3, H, W)`` → logits ``(N, C, H, W)``."""

from oodretrieval.models.checkpoints import (
    load_model,
    load_weights,
    read_metadata,
    save_weights,
    weights_file,
    weights_hash,
)
from oodretrieval.models.deeplab import DeepLabV3Plus
from oodretrieval.models.implicit_background import ImplicitBackground, WithImplicitBackground

__all__ = [
    "DeepLabV3Plus",
    "ImplicitBackground",
    "WithImplicitBackground",
    "load_model",
    "load_weights",
    "read_metadata",
    "save_weights",
    "weights_file",
    "weights_hash",
]
