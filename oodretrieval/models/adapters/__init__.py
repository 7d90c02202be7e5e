"""Networks of other people, each by one entry: torchvision, transformers, ONNX, TorchScript, ``torch.export``.

Every adapter maps normalised images ``(N, 3, H, W)`` to logits ``(N, C, H, W)``, offers ``low_resolution_logits``
and ``align_corners`` for the resize between them, and knows its ``num_classes``. A class of your own needs no adapter.
:class:`MaskGenerator` gives masks of everything in an image instead.
"""

from oodretrieval.models.adapters.exported import ExportedNetwork
from oodretrieval.models.adapters.mask_generation import MaskGenerator
from oodretrieval.models.adapters.onnx import OnnxNetwork
from oodretrieval.models.adapters.torchscript import TorchScriptNetwork
from oodretrieval.models.adapters.torchvision import TorchvisionNetwork
from oodretrieval.models.adapters.transformers import TransformersNetwork

__all__ = [
    "ExportedNetwork",
    "MaskGenerator",
    "OnnxNetwork",
    "TorchScriptNetwork",
    "TorchvisionNetwork",
    "TransformersNetwork",
]
