"""What turns the candidates of a run into vectors."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from oodretrieval.choices import SEGMENTATION, views_of
from oodretrieval.embedding import (
    EmbeddingNetwork,
    ImageCandidates,
    SegmentationFeatures,
    embed_candidates,
    embedding_network,
)
from oodretrieval.experiment.device import stage_device
from oodretrieval.experiment.run import Run
from oodretrieval.models import load_model
from oodretrieval.stages.select.settings import EmbedSettings


class Embedder:
    """Embeds candidates as settings say.

    Args:
        settings: Network, what is embedded, and how.
        run: Configuration, which may know the network by an entry.
        model_name: Name of the segmentation network, whose features ``net=segmentation`` are.

    Raises:
        UnknownNameError: If there is no such network.
        WeightsError: If its weights are not at hand.
        ConfigurationError: If its package is missing, or an entry builds something else.
    """

    def __init__(self, settings: EmbedSettings, run: Run, model_name: str) -> None:
        self.settings = settings
        self.device = stage_device(settings.common)
        self.views = views_of(settings.embedded)
        self.network = _network(settings, run, model_name)

    def __call__(self, images: Iterable[ImageCandidates]) -> NDArray[np.float32]:
        """Embed.

        Args:
            images: The candidates of images, ``n`` in all.

        Returns:
            ``(n, D)``.
        """
        return embed_candidates(
            self.network,
            images,
            self.views,
            device=self.device,
            batch_size=self.settings.batch_size,
            size=self.settings.crop_size or None,
        )


def _network(settings: EmbedSettings, run: Run, model_name: str) -> EmbeddingNetwork:
    if settings.net != SEGMENTATION:
        return embedding_network(run.configuration.embedding(settings.net))
    entry = run.configuration.model(model_name)
    return SegmentationFeatures(load_model(entry), entry.mean, entry.std).eval().requires_grad_(False)
