"""DeepWV3Plus: DeepLabV3+ on Wide ResNet-38, NVIDIA's network for Cityscapes.

Sources: Zhu et al., "Improving Semantic Segmentation via Video Propagation and Label Relaxation", arXiv:1812.01593;
Chen et al., arXiv:1802.02611. Names of its parts are those in the published weights.
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from oodretrieval.models.aspp import AtrousSpatialPyramid
from oodretrieval.models.contract import SegmentationNetwork
from oodretrieval.models.convolution import ConvNormAct, resize_like
from oodretrieval.models.wide_resnet import residual_stage


class DeepWV3Plus(SegmentationNetwork):
    """DeepLabV3+ on Wide ResNet-38, output stride 8; input RGB with ImageNet's mean and standard deviation.

    Args:
        num_classes: Classes out.
        width: Channels of the stem, to which all stages of the trunk are in proportion.
        channels: Channels of the pyramid's branches and of the decoder.
        low_level_channels: Channels that the stride-2 features are reduced to.

    Example:
        >>> DeepWV3Plus(5, width=4, channels=16).eval()(torch.zeros(1, 3, 33, 65)).shape
        torch.Size([1, 5, 33, 65])
    """

    align_corners = True

    def __init__(
        self, num_classes: int, width: int = 64, channels: int = 256, low_level_channels: int = 48
    ) -> None:
        super().__init__()
        w = width
        self.mod1 = nn.Sequential(OrderedDict(conv1=nn.Conv2d(3, w, 3, padding=1, bias=False)))
        self.pool2 = nn.MaxPool2d(3, stride=2, padding=1)
        self.mod2 = residual_stage(w, (2 * w, 2 * w), blocks=3)
        self.pool3 = nn.MaxPool2d(3, stride=2, padding=1)
        self.mod3 = residual_stage(2 * w, (4 * w, 4 * w), blocks=3)
        self.mod4 = residual_stage(4 * w, (8 * w, 8 * w), blocks=6, stride=2)
        self.mod5 = residual_stage(8 * w, (8 * w, 16 * w), blocks=3, dilation=2)
        self.mod6 = residual_stage(16 * w, (8 * w, 16 * w, 32 * w), blocks=1, dilation=4, dropout=0.3)
        self.mod7 = residual_stage(32 * w, (16 * w, 32 * w, 64 * w), blocks=1, dilation=4, dropout=0.5)
        self.aspp = AtrousSpatialPyramid(64 * w, channels, rates=(12, 24, 36))
        self.bot_fine = nn.Conv2d(2 * w, low_level_channels, 1, bias=False)
        self.bot_aspp = nn.Conv2d(self.aspp.out_channels, channels, 1, bias=False)
        self.final = nn.Sequential(
            *ConvNormAct(low_level_channels + channels, channels, 3),
            *ConvNormAct(channels, channels, 3),
            nn.Conv2d(channels, num_classes, 1, bias=False),
        )

    def low_resolution_logits(self, x: Tensor) -> Tensor:
        """Normalised images ``(N, 3, H, W)`` → logits ``(N, C, H / 2, W / 2)``, rounded up."""
        low_level = self.mod2(self.pool2(self.mod1(x)))
        deep = self.mod5(self.mod4(self.mod3(self.pool3(low_level))))
        context = self.bot_aspp(self.aspp(self.mod7(self.mod6(deep))))
        context = resize_like(context, low_level, self.align_corners)
        logits: Tensor = self.final(torch.cat([self.bot_fine(low_level), context], dim=1))
        return logits
