"""Vectors of images and descriptions that are searched for, by a network that is loaded once."""

import threading
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from oodretrieval.experiment.configuration import load_configuration
from oodretrieval.stores import Catalogue

if TYPE_CHECKING:
    from oodretrieval.experiment.example_vectors import ExampleVectors


class Examples:
    """Owns the network that made an embedding; it is loaded for the first example, in the thread that asks.

    Args:
        catalogue: What is searched.
        embedding: Which of its embeddings.
        gpu: Number of the GPU; -1 for none.
    """

    def __init__(self, catalogue: Catalogue, embedding: str, gpu: int) -> None:
        self.catalogue, self.embedding, self.gpu = catalogue, embedding, gpu
        self._loading = threading.Lock()
        self._making: ExampleVectors | None = None

    def of_image(self, path: Path, box: tuple[int, ...]) -> NDArray[np.float64]:
        """Of an image, or of a box in it.

        Args:
            path: Of the image.
            box: Left, top, right, bottom, pixels; empty for the whole image.

        Returns:
            One vector, ``(1, D)``.

        Raises:
            UnknownNameError: If the configuration names no such network.
            WeightsError: If its weights are not at hand.
            ImageError: If the image cannot be read.
            SettingsError: If the box is not in the image.
        """
        vector, _ = self._loaded().of_image(path.expanduser(), box, self.gpu)
        return vector[None]

    def of_text(self, text: str) -> NDArray[np.float64]:
        """Of a description.

        Args:
            text: It.

        Returns:
            One vector, ``(1, D)``.

        Raises:
            UnknownNameError: If the configuration names no such network.
            WeightsError: If its weights are not at hand.
            ConfigurationError: If the network has no text side.
        """
        return self._loaded().of_text(text)[None]

    def _loaded(self) -> "ExampleVectors":
        with self._loading:  # what could not be loaded is tried again
            if self._making is None:
                from oodretrieval.experiment.example_vectors import ExampleVectors  # torch: only now

                self._making = ExampleVectors.of(self.catalogue, self.embedding, load_configuration())
            return self._making
