"""PSPNet: a dilated encoder, pyramid pooling, and a classifier that sees both.

Source: Zhao et al., "Pyramid Scene Parsing Network", arXiv:1612.01105.
"""

from typing import Literal

from torch import Tensor

from oodretrieval.choices import BACKBONE
from oodretrieval.models.backbones import Backbone
from oodretrieval.models.contract import SegmentationNetwork
from oodretrieval.models.convolution import ConvolutionalClassifier
from oodretrieval.models.pyramid_pooling import PyramidPooling


class PSPNet(SegmentationNetwork):
    """PSPNet over any timm backbone; without the paper's second loss half way, as networks here have one output.

    Args:
        num_classes: Classes out.
        backbone: Name in timm.
        output_stride: Stride of the encoder's last features; the paper's is 8.
        channels: Channels of the classifier.
        dropout: Dropout before its last convolution.
        pretrained: Start from ImageNet weights (for training; trained weights replace them); ``"packaged"`` only
            where they come with an installed package.

    Raises:
        ConfigurationError: If the backbone cannot give features at ``output_stride``.

    Example:
        >>> import torch
        >>> PSPNet(5, channels=16).eval()(torch.zeros(1, 3, 33, 65)).shape
        torch.Size([1, 5, 33, 65])
    """

    def __init__(
        self,
        num_classes: int,
        backbone: str = BACKBONE,
        output_stride: int = 8,
        channels: int = 512,
        dropout: float = 0.1,
        pretrained: bool | Literal["packaged"] = False,
    ) -> None:
        super().__init__()
        self.encoder = Backbone(backbone, (output_stride,), output_stride, pretrained)
        self.pyramid = PyramidPooling(self.encoder.channels[-1])
        self.classifier = ConvolutionalClassifier(self.pyramid.out_channels, channels, num_classes, dropout)

    def low_resolution_logits(self, x: Tensor) -> Tensor:
        """Normalised images ``(N, 3, H, W)`` → logits ``(N, C, h, w)`` at ``output_stride``."""
        (features,) = self.encoder(x)
        logits: Tensor = self.classifier(self.pyramid(features))
        return logits
