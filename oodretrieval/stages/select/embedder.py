"""What turns the candidates of a run into vectors: on one device, or on several, with a process for each."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, Future
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from types import TracebackType

import numpy as np
import torch
from numpy.typing import NDArray

from oodretrieval.choices import SEGMENTATION, views_of
from oodretrieval.embedding import (
    EmbeddingNetwork,
    ImageCandidates,
    SegmentationFeatures,
    embed_candidates,
    embedding_network,
)
from oodretrieval.errors import SettingsError
from oodretrieval.execution import worker_processes
from oodretrieval.experiment.device import stage_device
from oodretrieval.experiment.run import Run
from oodretrieval.models import load_model
from oodretrieval.stages.select.settings import EmbedSettings

IMAGES_A_TASK = 8
"""Images that a device gets at a time."""
AHEAD = 2
"""Tasks that wait for each device."""


class Embedder:
    """Embeds candidates as settings say; processes of several devices end with the ``with`` block.

    Args:
        settings: Network, what is embedded, how, and where.
        run: Configuration, which may know the network by an entry.
        model_name: Name of the segmentation network, whose features ``net=segmentation`` are.

    Raises:
        UnknownNameError: If there is no such network.
        WeightsError: If its weights are not at hand.
        ConfigurationError: If its package is missing, or an entry builds something else.
        SettingsError: If one of several devices is not there.
    """

    def __init__(self, settings: EmbedSettings, run: Run, model_name: str) -> None:
        self.settings, self._run, self._model_name = settings, run, model_name
        self.devices = [_device(name) for name in settings.devices]
        self.device = self.devices[0] if self.devices else stage_device(settings.common)
        self.views = views_of(settings.embedded)
        self.network = _network(settings, run, model_name)
        self._open = ExitStack()
        self._pools: list[Executor] = []

    def __enter__(self) -> "Embedder":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(kind, error, trace)

    def __call__(self, images: Iterable[ImageCandidates]) -> NDArray[np.float32]:
        """Embed.

        Args:
            images: The candidates of images, ``n`` in all.

        Returns:
            ``(n, D)``. Vectors do not depend on how many devices there are, but for rounding: crops go through the
            network in other batches.

        Raises:
            WorkerError: If the process of a device dies.
        """
        if len(self.devices) > 1:
            return self._shared(images)
        return embed_candidates(
            self.network,
            images,
            self.views,
            device=self.device,
            batch_size=self.settings.batch_size,
            size=self.settings.crop_size or None,
            mixed=self.settings.mixed_precision,
        )

    def _shared(self, images: Iterable[ImageCandidates]) -> NDArray[np.float32]:
        """Some images to each device in turn; what is read ahead is bounded."""
        if not self._pools:
            self._pools = [self._open.enter_context(worker_processes(1)) for _ in self.devices]
        waiting: deque[Future[NDArray[np.float32]]] = deque()
        rows = [np.empty((0, self.network.dim), np.float32)]
        for number, some in enumerate(_by_number(images, IMAGES_A_TASK)):
            if len(waiting) >= AHEAD * len(self._pools):
                rows.append(waiting.popleft().result())
            turn = number % len(self._pools)
            own = replace(self.settings, devices=(str(self.devices[turn]),))
            task = EmbeddingTask(own, self._run, self._model_name, some)
            waiting.append(self._pools[turn].submit(embed_task, task))
        rows += [future.result() for future in waiting]
        return np.concatenate([part for part in rows if len(part)] or rows[:1])


@dataclass(frozen=True, eq=False)
class EmbeddingTask:
    """What the process of a device embeds, and how.

    Attributes:
        settings: With that device alone.
        run: As of :class:`Embedder`.
        model_name: As of :class:`Embedder`.
        images: The candidates of some images.
    """

    settings: EmbedSettings
    run: Run
    model_name: str
    images: list[ImageCandidates]


_embedders: list[Embedder] = []
"""Of a device's process, which embeds one way only."""


def embed_task(task: EmbeddingTask) -> NDArray[np.float32]:
    """Embed some images, in the process of a device; its network is loaded once.

    Args:
        task: What, and how.

    Returns:
        ``(n, D)``.
    """
    if not _embedders:
        _embedders.append(Embedder(task.settings, task.run, task.model_name))
    return _embedders[0](task.images)


def _by_number(images: Iterable[ImageCandidates], number: int) -> Iterator[list[ImageCandidates]]:
    stream = iter(images)
    while some := list(islice(stream, number)):
        yield some


def _device(name: str) -> torch.device:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    there = ["cpu", *(f"cuda:{number}" for number in range(count))]
    if name not in there:
        raise SettingsError(
            f"args.devices names devices that share the embedding; {name!r} is none of {', '.join(there)}"
        )
    return torch.device(name)


def _network(settings: EmbedSettings, run: Run, model_name: str) -> EmbeddingNetwork:
    if settings.net != SEGMENTATION:
        return embedding_network(run.configuration.embedding(settings.net))
    entry = run.configuration.model(model_name)
    return SegmentationFeatures(load_model(entry), entry.mean, entry.std).eval().requires_grad_(False)
