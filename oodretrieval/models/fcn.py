"""FCN: every pixel classified by convolutions alone, coarse scores refined by finer ones.

Source: Long, Shelhamer, Darrell, "Fully Convolutional Networks for Semantic Segmentation", arXiv:1411.4038.
"""

from typing import Literal

from torch import Tensor, nn

from oodretrieval.choices import BACKBONE
from oodretrieval.errors import UnknownNameError
from oodretrieval.models.backbones import Backbone
from oodretrieval.models.contract import SegmentationNetwork
from oodretrieval.models.convolution import ConvolutionalClassifier, resize_like

STRIDES = {"32s": (32,), "16s": (16, 32), "8s": (8, 16, 32), "plain": (8,)}
"""Strides at which a variant scores the classes; the last is that of the encoder."""


class FCN(SegmentationNetwork):
    """FCN over any timm backbone that gives features at the strides of its variant.

    Two things are ours: a 3×3 convolution stands for the fully connected layers that the paper took over from its
    classifier, and scores are upsampled bilinearly, which is what the paper's deconvolutions start from.

    Args:
        num_classes: Classes out.
        backbone: Name in timm.
        variant: ``"32s"`` scores the encoder's last features only, ``"16s"`` adds a skip from stride 16, ``"8s"``
            another from stride 8; ``"plain"`` is the head without skips on an encoder whose last strides are
            dilation, at stride 8.
        channels: Channels of the head.
        dropout: Dropout before its last convolution.
        pretrained: Start from ImageNet weights (for training; trained weights replace them); ``"packaged"`` only
            where they come with an installed package.

    Raises:
        UnknownNameError: If the variant is unknown.
        ConfigurationError: If the backbone cannot give its strides.

    Example:
        >>> import torch
        >>> FCN(5, variant="16s", channels=16).eval()(torch.zeros(1, 3, 33, 65)).shape
        torch.Size([1, 5, 33, 65])
    """

    def __init__(
        self,
        num_classes: int,
        backbone: str = BACKBONE,
        variant: Literal["32s", "16s", "8s", "plain"] = "8s",
        channels: int = 256,
        dropout: float = 0.1,
        pretrained: bool | Literal["packaged"] = False,
    ) -> None:
        super().__init__()
        if variant not in STRIDES:
            raise UnknownNameError("variant of FCN", variant, STRIDES)
        strides = STRIDES[variant]
        self.encoder = Backbone(backbone, strides, strides[-1], pretrained)
        *finer, deepest = self.encoder.channels
        self.classifier = ConvolutionalClassifier(deepest, channels, num_classes, dropout)
        self.skips = nn.ModuleList(_skip(width, num_classes) for width in reversed(finer))

    def low_resolution_logits(self, x: Tensor) -> Tensor:
        """Normalised images ``(N, 3, H, W)`` → logits at the finest stride scored, 8 for ``"8s"`` and ``"plain"``."""
        *finer, deepest = self.encoder(x)
        scores: Tensor = self.classifier(deepest)
        for skip, features in zip(self.skips, reversed(finer), strict=True):
            scores = skip(features) + resize_like(scores, features)
        return scores


def _skip(in_channels: int, num_classes: int) -> nn.Conv2d:
    """Scores of finer features, zero at first as in the paper: the coarse ones are learned undisturbed."""
    score = nn.Conv2d(in_channels, num_classes, 1)
    nn.init.zeros_(score.weight)
    nn.init.zeros_(score.bias)  # type: ignore[arg-type]
    return score
