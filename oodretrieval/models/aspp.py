"""Atrous spatial pyramid pooling: one feature map seen at several rates at once."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oodretrieval.models.convolution import ConvNormAct, PooledNorm, atrous_convolution


class ImagePooling(nn.Module):
    """The mean over the image, projected and spread over the map again.

    No batch norm: its statistics would be those of single vectors, undefined for a batch of one image.

    Args:
        in_channels: Channels in.
        out_channels: Channels out.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.Conv2d(in_channels, out_channels, 1), nn.ReLU(inplace=True))

    def forward(self, x: Tensor) -> Tensor:
        """Project the mean over the image.

        Args:
            x: ``(N, in_channels, H, W)``.

        Returns:
            ``(N, out_channels, H, W)``, constant over H and W.
        """
        pooled: Tensor = self.project(x.mean((2, 3), keepdim=True))
        return pooled.expand(-1, -1, *x.shape[-2:])


class AtrousSpatialPyramidPooling(nn.Module):
    """A 1×1 convolution, 3×3 convolutions at several rates and image pooling, side by side.

    Args:
        in_channels: Channels in.
        out_channels: Channels of every branch and of the result.
        rates: Atrous rates of the 3×3 branches.
        separable: Use atrous separable convolutions.
        dropout: Dropout on the result.

    Source:
        Chen et al., "Rethinking Atrous Convolution", arXiv:1706.05587.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int = 256,
        rates: Sequence[int] = (6, 12, 18),
        separable: bool = True,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            [ConvNormAct(in_channels, out_channels)]
            + [atrous_convolution(in_channels, out_channels, rate, separable) for rate in rates]
            + [ImagePooling(in_channels, out_channels)]
        )
        self.project = nn.Sequential(
            ConvNormAct(out_channels * len(self.branches), out_channels), nn.Dropout(dropout)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Join the branches and project them.

        Args:
            x: ``(N, in_channels, H, W)``.

        Returns:
            ``(N, out_channels, H, W)``.
        """
        seen = torch.cat([branch(x) for branch in self.branches], dim=1)
        projected: Tensor = self.project(seen)
        return projected


class AtrousSpatialPyramid(nn.Module):
    """The pyramid of NVIDIA's networks: image pooling in front and with a norm, branches not projected.

    Args:
        in_channels: Channels in.
        channels: Channels of every branch.
        rates: Atrous rates of the 3×3 branches.

    Attributes:
        out_channels: Channels out, of all branches together.

    Source:
        Zhu et al., "Improving Semantic Segmentation via Video Propagation and Label Relaxation", arXiv:1812.01593.
    """

    def __init__(self, in_channels: int, channels: int, rates: Sequence[int]) -> None:
        super().__init__()
        self.features = nn.ModuleList(
            [ConvNormAct(in_channels, channels)]
            + [atrous_convolution(in_channels, channels, rate, separable=False) for rate in rates]
        )
        self.img_conv = ConvNormAct(in_channels, channels, norm=PooledNorm)
        self.out_channels = channels * (1 + len(self.features))

    def forward(self, x: Tensor) -> Tensor:
        """Join the image, 1×1, and the rates in order.

        Args:
            x: ``(N, in_channels, H, W)``.

        Returns:
            ``(N, out_channels, H, W)``.
        """
        image = self.img_conv(F.adaptive_avg_pool2d(x, 1)).expand(-1, -1, *x.shape[-2:])
        return torch.cat([image, *(branch(x) for branch in self.features)], dim=1)
