"""Segmentation networks: normalised images ``(N, 3, H, W)`` → logits ``(N, C, H, W)``."""

from oodretrieval.models.checkpoints import (
    load_model,
    load_weights,
    read_metadata,
    save_weights,
    weights_file,
    weights_hash,
)
from oodretrieval.models.contract import SegmentationNetwork
from oodretrieval.models.deeplab import DeepLabV3Plus
from oodretrieval.models.deepwv3plus import DeepWV3Plus
from oodretrieval.models.fcn import FCN
from oodretrieval.models.pspnet import PSPNet

__all__ = [
    "FCN",
    "DeepLabV3Plus",
    "DeepWV3Plus",
    "PSPNet",
    "SegmentationNetwork",
    "load_model",
    "load_weights",
    "read_metadata",
    "save_weights",
    "weights_file",
    "weights_hash",
]
