"""Segmentation networks: normalised images ``(N, 3, H, W)`` → logits ``(N, C, H, W)``."""

from oodretrieval.models.checkpoints import load_weights, read_metadata, save_weights
from oodretrieval.models.contract import SegmentationNetwork
from oodretrieval.models.deeplab import DeepLabV3Plus
from oodretrieval.models.deepwv3plus import DeepWV3Plus
from oodretrieval.models.fcn import FCN
from oodretrieval.models.implicit_background import ImplicitBackground, WithImplicitBackground
from oodretrieval.models.loading import load_model, weights_file
from oodretrieval.models.pspnet import PSPNet
from oodretrieval.models.weights_files import weights_hash, weights_in_use

__all__ = [
    "FCN",
    "DeepLabV3Plus",
    "DeepWV3Plus",
    "ImplicitBackground",
    "PSPNet",
    "SegmentationNetwork",
    "WithImplicitBackground",
    "load_model",
    "load_weights",
    "read_metadata",
    "save_weights",
    "weights_file",
    "weights_hash",
    "weights_in_use",
]
