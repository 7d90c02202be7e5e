"""What every segmentation network of this package has in common."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from oodretrieval.models.convolution import resize_like


class SegmentationNetwork(nn.Module, ABC):
    """Normalised images ``(N, 3, H, W)`` → logits ``(N, C, H, W)``, found at a stride and resized at the end.

    Attributes:
        align_corners: Whether that resize keeps the centres of the corner pixels where they are.
    """

    align_corners: bool = False

    @abstractmethod
    def low_resolution_logits(self, x: Tensor) -> Tensor:
        """Normalised images ``(N, 3, H, W)`` → logits ``(N, C, h, w)`` at the network's own stride."""

    def forward(self, x: Tensor) -> Tensor:
        """Normalised images ``(N, 3, H, W)`` → logits ``(N, C, H, W)``."""
        return resize_like(self.low_resolution_logits(x), x, self.align_corners)
