"""What every embedding network is and offers."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from oodretrieval.errors import ConfigurationError

Channels = tuple[float, float, float]


class EmbeddingNetwork(nn.Module):
    """A network that turns crops into vectors; it keeps its arguments as attributes.

    This class itself averages the feature map of a trunk over the crop. Derive from it for anything else: override
    :meth:`forward`, and :meth:`encode_text` where there is a text side.

    Args:
        name: Its name.
        trunk: ``(N, 3, h, w)`` normalised → features ``(N, dim, h', w')``.
        dim: Length of its vectors.
        mean: Mean of each channel (RGB, images scaled to 0…1) to subtract before the network.
        std: Standard deviation of each channel to divide by.
        min_size: Height and width that a crop needs at least, in pixels.
        multiple_of: Height and width of a crop are multiples of this, in pixels: the patches of a transformer.
        input_size: The one height and width that it takes, in pixels; None if it takes any.
    """

    def __init__(
        self,
        name: str,
        trunk: nn.Module,
        dim: int,
        mean: Channels,
        std: Channels,
        min_size: int = 32,
        *,
        multiple_of: int = 1,
        input_size: tuple[int, int] | None = None,
    ) -> None:
        super().__init__()
        self.name, self.dim, self.mean, self.std, self.min_size = name, dim, mean, std, min_size
        self.multiple_of, self.input_size = multiple_of, input_size
        self.trunk = trunk

    def forward(self, crops: Tensor) -> Tensor:
        """Embed crops.

        Args:
            crops: ``(N, 3, h, w)``, normalised.

        Returns:
            Vectors, ``(N, dim)``.
        """
        return self.feature_map(crops).float().mean(dim=(2, 3))

    def feature_map(self, images: Tensor) -> Tensor:
        """What it sees at every position, to be averaged over masks.

        Args:
            images: ``(N, 3, h, w)``, normalised.

        Returns:
            Features, ``(N, D, h', w')``.
        """
        features: Tensor = self.trunk(images)
        return features

    def from_means(self, means: Tensor) -> Tensor:
        """Vectors from the means of the feature map over crops or masks: here these means.

        Args:
            means: ``(k, D)``.

        Returns:
            ``(k, dim)``.
        """
        return means

    @property
    def has_text(self) -> bool:
        """Whether it embeds texts into the same space."""
        return type(self).encode_text is not EmbeddingNetwork.encode_text

    def encode_text(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed texts into the space of the crops.

        Args:
            texts: ``n`` descriptions, in the language it learned.

        Returns:
            ``(n, dim)``, of length 1 as are its crops' vectors.

        Raises:
            ConfigurationError: If it has no text side.
        """
        raise ConfigurationError(
            f"the embedding network {self.name!r} has no text side; add an entry of OpenClipEmbedding to EMBEDDINGS in "
            "configuration.py and embed with that (docs/embeddings.md)"
        )
