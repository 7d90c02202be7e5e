"""Convolutions with norm and activation, the head that ends in classes, and the resize that ends every network."""

import torch.nn.functional as F
from torch import Tensor, nn


class PooledNorm(nn.BatchNorm2d):
    """Batch norm of what was pooled over the image, which trains on a single image too.

    One value a channel has no variance, and batch norm refuses it: there the running statistics take its place.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalise, with the running statistics where a channel has one value only.

        Args:
            x: ``(N, C, H, W)``.

        Returns:
            The same shape.
        """
        if self.training and x.numel() == x.shape[1]:
            return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)
        return super().forward(x)


class ConvNormAct(nn.Sequential):
    """Convolution without bias, batch norm, ReLU; the spatial size stays.

    ``(N, in_channels, H, W)`` → ``(N, out_channels, H, W)``.

    Args:
        in_channels: Channels in.
        out_channels: Channels out.
        kernel_size: Odd side of the kernel.
        dilation: Spacing of its taps ("atrous" where greater than 1).
        groups: Groups of channels; ``in_channels`` for a depthwise convolution.
        norm: The batch norm; :class:`PooledNorm` after pooling over the image.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 1,
        dilation: int = 1,
        groups: int = 1,
        norm: type[nn.BatchNorm2d] = nn.BatchNorm2d,
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
            norm(out_channels),
            nn.ReLU(inplace=True),
        )


class ConvolutionalClassifier(nn.Sequential):
    """A 3×3 convolution with norm and ReLU, dropout, and a 1×1 convolution to the classes.

    ``(N, in_channels, H, W)`` → ``(N, num_classes, H, W)``.

    Args:
        in_channels: Channels in.
        channels: Channels between the two convolutions.
        num_classes: Classes out.
        dropout: Dropout before the last convolution.
    """

    def __init__(self, in_channels: int, channels: int, num_classes: int, dropout: float) -> None:
        super().__init__(
            ConvNormAct(in_channels, channels, 3), nn.Dropout(dropout), nn.Conv2d(channels, num_classes, 1)
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
    """Bilinear resize to the size of another map.

    Args:
        x: ``(N, C, h, w)``.
        reference: ``(N, K, H, W)``, of which only height and width count.
        align_corners: Whether the centres of the corner pixels stay where they are.

    Returns:
        ``(N, C, H, W)``.
    """
    return F.interpolate(x, reference.shape[-2:], mode="bilinear", align_corners=align_corners)
