"""Pyramid pooling: a feature map with its means over the whole image, its quarters, ninths and 36ths."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oodretrieval.models.convolution import ConvNormAct, PooledNorm, resize_like


class PyramidPooling(nn.Module):
    """The map itself, and its means over grids of several sizes, projected and spread over the map again.

    Args:
        in_channels: Channels in.
        grids: Cells along each side of each grid.

    Attributes:
        out_channels: Channels out; the grids together give about as many as go in.

    Source:
        Zhao et al., "Pyramid Scene Parsing Network", arXiv:1612.01105.
    """

    def __init__(self, in_channels: int, grids: Sequence[int] = (1, 2, 3, 6)) -> None:
        super().__init__()
        self.grids = tuple(grids)
        channels = in_channels // len(self.grids)
        self.projections = nn.ModuleList(
            ConvNormAct(in_channels, channels, norm=PooledNorm) for _ in self.grids
        )
        self.out_channels = in_channels + len(self.grids) * channels

    def forward(self, x: Tensor) -> Tensor:
        """Join the map and its means over each grid.

        Args:
            x: ``(N, in_channels, H, W)``.

        Returns:
            ``(N, out_channels, H, W)``, the map first, then the grids in order.
        """
        means = [
            resize_like(project(F.adaptive_avg_pool2d(x, grid)), x)
            for grid, project in zip(self.grids, self.projections, strict=True)
        ]
        return torch.cat([x, *means], dim=1)
