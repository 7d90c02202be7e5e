"""What a segmentation network itself sees before it decides, as an embedding network."""

from typing import Any

import torch
from torch import Tensor, nn

from oodretrieval.choices import SEGMENTATION
from oodretrieval.embedding.contract import Channels, EmbeddingNetwork
from oodretrieval.errors import ConfigurationError


class SegmentationFeatures(EmbeddingNetwork):
    """The features that a segmentation network's last convolution, its classifier, reads.

    They are good for what the network has learned to separate; on images that it was trained on they look better than
    they are.

    Args:
        network: Normalised images ``(N, 3, H, W)`` → logits.
        mean: Of each channel, as the network expects it.
        std: Of each channel.

    Raises:
        ConfigurationError: If the network has no convolution.
    """

    def __init__(self, network: nn.Module, mean: Channels, std: Channels) -> None:
        layers = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
        if not layers:
            raise ConfigurationError(
                f"{type(network).__name__} has no convolution whose input could be embedded; choose another args.net"
            )
        super().__init__(SEGMENTATION, network, layers[-1].in_channels, mean, std)
        self._seen: list[Tensor] = []
        layers[-1].register_forward_pre_hook(self._keep)

    def _keep(self, _: nn.Module, inputs: tuple[Any, ...]) -> None:
        self._seen[:] = [inputs[0]]

    def feature_map(self, images: Tensor) -> Tensor:
        """What the classifier reads.

        Args:
            images: ``(N, 3, h, w)``, normalised.

        Returns:
            Features, ``(N, D, h', w')``, at the network's own stride.
        """
        network: Any = self.trunk
        with torch.inference_mode():
            getattr(network, "low_resolution_logits", network)(images)
        return self._seen.pop()
