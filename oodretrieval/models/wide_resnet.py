"""Wide ResNet-38: few, wide residual blocks that normalise before they convolve.

Source: Wu, Shen, van den Hengel, "Wider or Deeper: Revisiting the ResNet Model for Visual Recognition",
arXiv:1611.10080; pre-activation: He et al., "Identity Mappings in Deep Residual Networks", arXiv:1603.05027.
"""

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn

KERNELS = {2: (3, 3), 3: (1, 3, 1)}
"""Kernel sizes of a block's convolutions, by their number."""


class PreActivationBlock(nn.Module):
    """Norm and ReLU before each convolution, with a shortcut.

    The shortcut is the raw input, or, where stride or width changes, a 1×1 projection of the normalised,
    activated input.

    Args:
        in_channels: Channels in.
        channels: Channels out of each convolution: two (3×3, 3×3) or three (1×1, 3×3, 1×1).
        stride: Stride of the first convolution.
        dilation: Atrous rate of the 3×3 convolutions.
        dropout: Dropout of whole channels before the last convolution.
    """

    def __init__(
        self,
        in_channels: int,
        channels: Sequence[int],
        stride: int = 1,
        dilation: int = 1,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.bn1 = _norm_act(in_channels)
        self.convs = _convolutions(in_channels, channels, stride, dilation, dropout)
        self.proj_conv: nn.Module | None = None
        if stride != 1 or in_channels != channels[-1]:
            self.proj_conv = nn.Conv2d(in_channels, channels[-1], 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Add what the convolutions give to the shortcut.

        Args:
            x: ``(N, in_channels, H, W)``.

        Returns:
            ``(N, channels[-1], H / stride, W / stride)``, rounded up.
        """
        activated = self.bn1(x)
        shortcut = x if self.proj_conv is None else self.proj_conv(activated)
        result: Tensor = self.convs(activated) + shortcut
        return result


def residual_stage(
    in_channels: int,
    channels: Sequence[int],
    blocks: int,
    stride: int = 1,
    dilation: int = 1,
    dropout: float = 0.0,
) -> nn.Sequential:
    """Blocks one after another, ``block1`` …; only the first has the stride.

    Args:
        in_channels: Channels in.
        channels: Channels out of each convolution of a block.
        blocks: Number of blocks.
        stride: Stride of the stage.
        dilation: Atrous rate of its 3×3 convolutions.
        dropout: Dropout of channels in each block.

    Returns:
        ``(N, in_channels, H, W)`` → ``(N, channels[-1], H / stride, W / stride)``.
    """
    first = PreActivationBlock(in_channels, channels, stride, dilation, dropout)
    others = (PreActivationBlock(channels[-1], channels, 1, dilation, dropout) for _ in range(blocks - 1))
    return nn.Sequential(
        OrderedDict((f"block{number}", block) for number, block in enumerate((first, *others), start=1))
    )


def _norm_act(channels: int) -> nn.Sequential:
    return nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(inplace=True))


def _convolutions(
    in_channels: int, channels: Sequence[int], stride: int, dilation: int, dropout: float
) -> nn.Sequential:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for number, (width, kernel) in enumerate(zip(channels, KERNELS[len(channels)], strict=True), start=1):
        if number > 1:
            layers[f"bn{number}"] = _norm_act(in_channels)
        if number == len(channels) and dropout:
            layers["dropout"] = nn.Dropout2d(dropout)
        rate = dilation if kernel > 1 else 1
        layers[f"conv{number}"] = nn.Conv2d(
            in_channels,
            width,
            kernel,
            stride if number == 1 else 1,
            padding=rate * (kernel // 2),
            dilation=rate,
            bias=False,
        )
        in_channels = width
    return nn.Sequential(layers)
