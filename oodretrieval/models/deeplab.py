"""DeepLabV3+: atrous spatial pyramid pooling on a strided encoder, and a small decoder that finds the edges.

Source: Chen et al., "Encoder-Decoder with Atrous Separable Convolution for Semantic Image Segmentation",
arXiv:1802.02611.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from oodretrieval.choices import BACKBONE
from oodretrieval.errors import ConfigurationError
from oodretrieval.models.aspp import AtrousSpatialPyramidPooling
from oodretrieval.models.backbones import Backbone
from oodretrieval.models.contract import SegmentationNetwork
from oodretrieval.models.convolution import ConvNormAct, atrous_convolution, resize_like

ATROUS_RATES = {16: (6, 12, 18), 8: (12, 24, 36)}


class DeepLabV3Plus(SegmentationNetwork):
    """DeepLabV3+ over any timm backbone.

    Args:
        num_classes: Classes out.
        backbone: Name in timm.
        output_stride: Stride of the encoder's last features, 16 or 8.
        channels: Channels of the pyramid and of the decoder.
        low_level_channels: Channels that the stride-4 features are reduced to.
        separable: Atrous separable convolutions, as in the paper; plain ones otherwise.
        dropout: Dropout after the pyramid.
        pretrained: Start from ImageNet weights (for training; trained weights replace them); ``"packaged"`` only
            where they come with an installed package.

    Raises:
        ConfigurationError: If ``output_stride`` is neither 8 nor 16, or the backbone cannot give it.

    Example:
        >>> DeepLabV3Plus(5, channels=16).eval()(torch.zeros(1, 3, 33, 65)).shape
        torch.Size([1, 5, 33, 65])
    """

    def __init__(
        self,
        num_classes: int,
        backbone: str = BACKBONE,
        output_stride: int = 16,
        channels: int = 256,
        low_level_channels: int = 48,
        separable: bool = True,
        dropout: float = 0.1,
        pretrained: bool | Literal["packaged"] = False,
    ) -> None:
        super().__init__()
        if output_stride not in ATROUS_RATES:
            raise ConfigurationError(f"output_stride must be 8 or 16, got {output_stride}")
        self.encoder = Backbone(backbone, (4, output_stride), output_stride, pretrained)
        low, high = self.encoder.channels
        self.pyramid = AtrousSpatialPyramidPooling(
            high, channels, ATROUS_RATES[output_stride], separable, dropout
        )
        self.reduce_low_level = ConvNormAct(low, low_level_channels)
        self.decoder = nn.Sequential(
            atrous_convolution(channels + low_level_channels, channels, 1, separable),
            atrous_convolution(channels, channels, 1, separable),
        )
        self.classifier = nn.Conv2d(channels, num_classes, 1)

    def low_resolution_logits(self, x: Tensor) -> Tensor:
        """Normalised images ``(N, 3, H, W)`` → logits ``(N, C, H / 4, W / 4)``, rounded as by the backbone."""
        low_level, deep = self.encoder(x)
        context = resize_like(self.pyramid(deep), low_level)
        merged = torch.cat([self.reduce_low_level(low_level), context], dim=1)
        logits: Tensor = self.classifier(self.decoder(merged))
        return logits
