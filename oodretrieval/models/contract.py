"""What every segmentation network of this package has in common."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from oodretrieval.entries import code_of, described
from oodretrieval.errors import ConfigurationError
from oodretrieval.models.convolution import resize_like

EXPECTED = (
    "logits (N, C, H, W), or (N, C, h, w) at the network's own stride, of normalised images (N, 3, H, W); see \"Your "
    'own network" in docs/extending.md'
)
"""What a network must return, for messages."""


class SegmentationNetwork(nn.Module, ABC):
    """Normalised images ``(N, 3, H, W)`` → logits ``(N, C, H, W)``, found at a stride and resized at the end.

    Attributes:
        align_corners: Whether that resize keeps the centres of the corner pixels where they are.
    """

    align_corners: bool = False

    @abstractmethod
    def low_resolution_logits(self, x: Tensor) -> Tensor:
        """Logits at the network's own stride, before the final resize.

        Args:
            x: Images ``(N, 3, H, W)``, normalised.

        Returns:
            ``(N, C, h, w)``.
        """

    def forward(self, x: Tensor) -> Tensor:
        """Logits at the size of the image.

        Args:
            x: Images ``(N, 3, H, W)``, normalised.

        Returns:
            ``(N, C, H, W)``.
        """
        return resize_like(self.low_resolution_logits(x), x, self.align_corners)


def logits_of(network: nn.Module, images: Tensor) -> Tensor:
    """Logits before the network's last resize, or its output where it offers none before, held against the contract.

    Args:
        network: Segmentation network.
        images: Normalised, ``(N, 3, H, W)``.

    Returns:
        ``(N, C, h, w)``.

    Raises:
        ConfigurationError: If the network's code fails, or returns something else; names its class and file.
    """
    offered = getattr(network, "low_resolution_logits", network)
    with code_of(network, "the network", EXPECTED, but=(torch.OutOfMemoryError,)):
        logits = offered(images)
    if not isinstance(logits, Tensor) or logits.ndim != 4 or len(logits) != len(images):
        raise ConfigurationError(
            f"the network ({described(network)}) returned {_kind_of(logits)}; expected {EXPECTED}"
        )
    return logits


def _kind_of(value: object) -> str:
    if isinstance(value, Tensor):
        ids = " (classes? leave the argmax out)" if not value.is_floating_point() else ""
        return f"a tensor {tuple(value.shape)} of {value.dtype}{ids}"
    if isinstance(value, Mapping):
        return f"a {type(value).__name__} of {', '.join(map(repr, value))} (return one of its values)"
    if isinstance(value, Sequence):
        return f"a {type(value).__name__} of {len(value)} (return one of its items)"
    return f"a {type(value).__name__}"
