"""What a convolutional network sees at several depths, side by side in one vector.

The last layer knows kinds of things, earlier ones shapes and surfaces. Where a network was taught photographs of whole
things and is shown parts of streets, the earlier ones are what still holds: on no scene did the last layer alone
bring equal things as close together (docs/retrieval.md).
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from oodretrieval.embedding.contract import EmbeddingNetwork
from oodretrieval.errors import ConfigurationError

LAYERS = "_layers"
"""Behind the name of a network: its last stages next to what its classifier reads."""
STAGES = 2
"""Of the stages of a network, the last ones: of EfficientNet-Lite those at strides of 16 and 32 pixels."""


class LayeredEmbedding(EmbeddingNetwork):
    """A network whose vectors are parts of equal length, one a depth: what its last stages and its classifier see.

    Args:
        network: One of timm, convolutional.

    Attributes:
        parts: Length of each part, the deepest last.

    Raises:
        ConfigurationError: If the network does not say what it sees on the way.

    Source:
        Hariharan et al., "Hypercolumns for object segmentation and fine-grained localization", arXiv:1411.5752.
    """

    def __init__(self, network: EmbeddingNetwork) -> None:
        trunk: Any = network.trunk
        stages = trunk.feature_info[-STAGES:] if hasattr(trunk, "forward_intermediates") else []
        if network.multiple_of > 1 or network.input_size is not None or not stages:
            raise ConfigurationError(
                f"{network.name} has no stages that could be embedded side by side; choose args.net={network.name}, or "
                f"a convolutional network of timm, such as efficientnet_lite0{LAYERS}"
            )
        self.parts = (*(int(stage["num_chs"]) for stage in stages), network.dim)
        super().__init__(
            f"{network.name}{LAYERS}", trunk, sum(self.parts), network.mean, network.std, network.min_size
        )

    def forward(self, crops: Tensor) -> Tensor:
        """Embed crops.

        Args:
            crops: ``(N, 3, h, w)``, normalised.

        Returns:
            Vectors, ``(N, dim)``.
        """
        return self.from_means(torch.cat([one.float().mean(dim=(2, 3)) for one in self._maps(crops)], dim=1))

    def feature_map(self, images: Tensor) -> Tensor:
        """What it sees at every position of the earliest of the stages; a place of a later one covers several.

        Args:
            images: ``(N, 3, h, w)``, normalised.

        Returns:
            Features, ``(N, dim, h', w')``.
        """
        maps = self._maps(images)
        size = maps[0].shape[2:]
        # nearest: the mean over a mask is then that of the smaller map, where its sides divide those of the larger one
        return torch.cat([functional.interpolate(one, size, mode="nearest") for one in maps], dim=1)

    def from_means(self, means: Tensor) -> Tensor:
        """Scale each part to the same length, so that no depth outweighs another.

        Args:
            means: ``(k, dim)``.

        Returns:
            Vectors of length 1, ``(k, dim)``.
        """
        parts = [
            functional.normalize(part, dim=1) for part in torch.split_with_sizes(means, self.parts, dim=1)
        ]
        joined: Tensor = torch.cat(parts, dim=1) / len(self.parts) ** 0.5
        return joined

    def _maps(self, images: Tensor) -> list[Tensor]:
        trunk: Any = self.trunk
        last, stages = trunk.forward_intermediates(images, indices=STAGES, output_fmt="NCHW")
        return [*stages, last]
