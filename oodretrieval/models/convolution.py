"""Convolutions with norm and activation, and the resize that ends every network."""

import torch.nn.functional as F
from torch import Tensor, nn


class ConvNormAct(nn.Sequential):
    """Convolution without bias, batch norm, ReLU; the spatial size stays.

    ``(N, in_channels, H, W)`` → ``(N, out_channels, H, W)``.

    Args:
        in_channels: Channels in.
        out_channels: Channels out.
        kernel_size: Odd side of the kernel.
        dilation: Spacing of its taps ("atrous" where greater than 1).
        groups: Groups of channels; ``in_channels`` for a depthwise convolution.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int = 1, dilation: int = 1, groups: int = 1
    ) -> None:
        padding = dilation * (kernel_size // 2)
        super().__init__(
            nn.Conv2d(
                in_channels,
                out_channels,
                kernel_size,
                padding=padding,
                dilation=dilation,
                groups=groups,
                bias=False,
            ),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )


def atrous_convolution(in_channels: int, out_channels: int, dilation: int, separable: bool) -> nn.Module:
    """A 3×3 convolution at a rate, plain or split into depthwise and pointwise.

    Args:
        in_channels: Channels in.
        out_channels: Channels out.
        dilation: Atrous rate.
        separable: Depthwise 3×3 followed by pointwise 1×1, each with norm and ReLU.

    Returns:
        ``(N, in_channels, H, W)`` → ``(N, out_channels, H, W)``.

    Source:
        Chen et al., "Encoder-Decoder with Atrous Separable Convolution", arXiv:1802.02611.
    """
    if not separable:
        return ConvNormAct(in_channels, out_channels, 3, dilation)
    return nn.Sequential(
        ConvNormAct(in_channels, in_channels, 3, dilation, groups=in_channels),
        ConvNormAct(in_channels, out_channels),
    )


def resize_like(x: Tensor, reference: Tensor, align_corners: bool = False) -> Tensor:
    """Bilinear resize of ``x`` ``(N, C, h, w)`` to the height and width of ``reference`` ``(N, K, H, W)``."""
    return F.interpolate(x, reference.shape[-2:], mode="bilinear", align_corners=align_corners)
