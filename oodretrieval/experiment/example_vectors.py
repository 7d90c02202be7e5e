"""Vectors of what is not in a catalogue: a box in an image, a description; made as the catalogue's were."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oodretrieval.embedding import (
    EmbeddingNetwork,
    ImageCandidates,
    embed_candidates,
    embedding_network,
    parts_of_name,
    text_vectors,
)
from oodretrieval.errors import SettingsError
from oodretrieval.experiment.configuration import Configuration
from oodretrieval.experiment.device import choose_device
from oodretrieval.images import read_image
from oodretrieval.masks import encode_mask
from oodretrieval.segments import Box, crop, enlarge_box
from oodretrieval.stores import Catalogue


@dataclass(frozen=True, eq=False)
class ExampleVectors:
    """Makes vectors of an embedding of a catalogue.

    Args:
        catalogue: Whose crops it is like.
        network: That made the embedding.
        views: What it was shown of a candidate.
        size: Of its crops, pixels; None for native.
    """

    catalogue: Catalogue
    network: EmbeddingNetwork
    views: tuple[str, ...]
    size: int | None

    @classmethod
    def of(cls, catalogue: Catalogue, embedding: str, configuration: Configuration) -> "ExampleVectors":
        """By the network that made an embedding.

        Args:
            catalogue: Whose.
            embedding: Its name.
            configuration: That names networks.

        Returns:
            What makes vectors of it.

        Raises:
            UnknownNameError: If the configuration names no such network.
        """
        net, embedded, size = parts_of_name(embedding)
        pixels = (
            int(catalogue.settings.get("crop_size", 0)) if not size else int(size) if size.isdigit() else 0
        )
        network = embedding_network(configuration.embedding(net))
        return cls(catalogue, network, tuple(embedded.split("+")), pixels or None)

    def of_image(
        self, path: Path, box: tuple[int, ...] = (), gpu: int = 0
    ) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        """Of a box in an image; its crop is enlarged as the catalogue's.

        Args:
            path: Of the image.
            box: Left, top, right, bottom, pixels; empty for the whole image.
            gpu: Number of the GPU; -1 for none.

        Returns:
            Vector ``(D,)`` and crop ``(h, w, 3)``.

        Raises:
            ImageError: If the image cannot be read.
            SettingsError: If the box is not in the image.
        """
        shown = self._shown(path.expanduser(), box)
        [vector] = embed_candidates(
            self.network, [shown], self.views, device=choose_device(gpu), size=self.size
        )
        return vector.astype(np.float64), crop(shown.image, shown.boxes[0])

    def of_text(self, text: str) -> NDArray[np.float64]:
        """Of a description.

        Args:
            text: It.

        Returns:
            Vector ``(D,)``.

        Raises:
            ConfigurationError: If the network has no text side.
        """
        vector: NDArray[np.float64] = text_vectors(self.network, [text])[0].astype(np.float64)
        return vector

    def _shown(self, path: Path, box: tuple[int, ...]) -> ImageCandidates:
        """The box in the image, as a candidate that fills it."""
        image = read_image(path)
        height, width = image.shape[:2]
        left, top, right, bottom = box or (0, 0, width, height)
        if not (0 <= left < right <= width and 0 <= top < bottom <= height):
            raise SettingsError(
                f"a box is left, top, right, bottom within the image's {width} x {height} pixels, got {box}"
            )
        inside = np.zeros((height, width), np.bool_)
        inside[top:bottom, left:right] = True
        settings = self.catalogue.settings
        rows, columns = (int(settings.get(f"min_crop_{side}", 1)) for side in ("height", "width"))
        enlarged = enlarge_box(Box(left, top, right, bottom), rows, columns, height, width)
        return ImageCandidates(image, [enlarged], [encode_mask(inside)])
