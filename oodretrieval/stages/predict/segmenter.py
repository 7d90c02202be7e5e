"""Images through a network: batches, precision, test-time averages, transfers during the work."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oodretrieval.datasets import Sample
from oodretrieval.entries import ModelEntry, described
from oodretrieval.errors import ConfigurationError, SettingsError
from oodretrieval.images import resized_image
from oodretrieval.labels import LabelSet
from oodretrieval.models import WithImplicitBackground, load_model
from oodretrieval.models.test_time import (
    FlipAverage,
    ScaleAverage,
    SlidingWindow,
    aligns_corners,
    low_resolution_logits,
)
from oodretrieval.stages.predict.finish import with_truth
from oodretrieval.stages.predict.outcomes import NetworkOutcome, require_classes
from oodretrieval.stages.predict.settings import InferenceSettings
from oodretrieval.stages.predict.transfers import Download, Lanes
from oodretrieval.stores import Prediction
from oodretrieval.uncertainty import is_softmax

_PRECISIONS = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Input(NamedTuple):
    """An image on its way to the network.

    Attributes:
        sample: The image, and its labels where there is truth.
        image: What the network shall see of it, ``(h, w, 3)`` uint8.
    """

    sample: Sample
    image: NDArray[np.uint8]


def network_input(
    sample: Sample, settings: InferenceSettings, trained: tuple[int, int] | None = None
) -> Input:
    """Shrink an image if the settings say so.

    Args:
        sample: The image.
        settings: How the network looks at it.
        trained: Height and width of the images that the network was trained on; None if that is not said.

    Returns:
        The image as it is, and as the network shall see it.
    """
    height, width = sample.image.shape[:2]
    return Input(sample, resized_image(sample.image, settings.seen_size(height, width, trained)))


def batches(inputs: Iterable[Input], size: int) -> Iterator[list[Input]]:
    """Neighbours of equal size together.

    Args:
        inputs: The images.
        size: Most of them in a batch, >= 1.

    Yields:
        Batches, in order.
    """
    batch: list[Input] = []
    for item in inputs:
        if batch and (len(batch) == size or batch[0].image.shape != item.image.shape):
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


class Segmenter:
    """A network ready to predict images.

    Args:
        entry: The network's entry.
        device: Where it runs.
        settings: How it looks at images; by default once, as they are.

    Raises:
        ConfigurationError: If the entry cannot be built.
        WeightsError: If its weights are missing or do not fit.
    """

    def __init__(
        self, entry: ModelEntry, device: torch.device, settings: InferenceSettings | None = None
    ) -> None:
        self.settings = InferenceSettings() if settings is None else settings
        network = load_model(entry)
        self._described = described(
            network.network if isinstance(network, WithImplicitBackground) else network
        )
        self._background = int(entry.implicit_background)
        model = _around(network, self.settings)
        self.model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.device = device
        self._seen, self._trained = False, entry.size
        self.align_corners = aligns_corners(model)
        self._mean, self._std = (
            torch.tensor(values, device=device)[:, None, None] for values in (entry.mean, entry.std)
        )
        self._lanes = Lanes(device) if device.type == "cuda" else None

    def __call__(self, sample: Sample, label_set: LabelSet | None) -> Prediction:
        """Predict one image.

        Args:
            sample: The image, and its labels where there is truth.
            label_set: Tables of the labels; None without truth.

        Returns:
            Everything that can be kept: classes, logits and entropy.

        Raises:
            ImageError: If the network's output is not finite.
            ConfigurationError: If it has another number of classes than ``label_set``.
        """
        (outcome,) = self.run([network_input(sample, self.settings, self._trained)], label_set)
        return with_truth(outcome.prediction(with_entropy=True), outcome, label_set)

    def run(self, inputs: Iterable[Input], label_set: LabelSet | None) -> Iterator[NetworkOutcome]:
        """Predict a stream of images, a batch after the other.

        On a GPU the next batch is under way before the logits of the last one are waited for, and transfers in both
        directions run during the network's work.

        Args:
            inputs: The images; those of equal size that follow each other share a batch.
            label_set: Tables of the labels; None without truth.

        Yields:
            Logits at the network's own stride, in the order of the images.

        Raises:
            ConfigurationError: If the network has another number of classes than ``label_set``.
            SettingsError: If a batch does not fit into the GPU's memory.
        """
        under_way: deque[tuple[list[Input], Download]] = deque()
        for batch in batches(inputs, self.settings.batch_size):
            under_way.append((batch, self._launch(batch, label_set)))
            if len(under_way) > (self._lanes is not None):
                yield from self._outcomes(*under_way.popleft())
        while under_way:
            yield from self._outcomes(*under_way.popleft())

    @torch.inference_mode()
    def _launch(self, batch: Sequence[Input], label_set: LabelSet | None) -> Download:
        images = torch.from_numpy(np.stack([item.image for item in batch]))
        try:
            logits = self._logits(self._lanes.upload(images) if self._lanes else images)
            require_classes(logits.shape[1], label_set)
            return self._lanes.download(logits) if self._lanes else Download(logits)
        except torch.OutOfMemoryError as error:
            height, width = batch[0].image.shape[:2]
            raise SettingsError(
                f"{len(batch)} image(s) of {width}×{height} do not fit into the memory of {self.device} "
                f"({str(error).splitlines()[0]}); use a smaller args.batch_size, or args.window=512x1024, or "
                "args.resize=1024"
            ) from error

    def _logits(self, images: Tensor) -> Tensor:
        """``(N, H, W, 3)`` uint8 → ``(N, C, h, w)`` float32."""
        # Channels stay last in memory, as convolutions are fastest so.
        scaled = images.permute(0, 3, 1, 2).float() / 255
        precision = _PRECISIONS.get(self.settings.precision(self.device.type))
        with torch.autocast(self.device.type, precision) if precision else nullcontext():
            return low_resolution_logits(self.model, (scaled - self._mean) / self._std)

    def _outcomes(self, batch: Sequence[Input], download: Download) -> Iterator[NetworkOutcome]:
        everything = download.wait()
        if not self._seen:
            self._require_logits(everything)
        for (sample, _), logits in zip(batch, everything, strict=True):
            height, width = sample.image.shape[:2]
            yield NetworkOutcome(
                sample.id, sample.path, sample.labels, (height, width), logits, self.align_corners
            )

    def _require_logits(self, first: NDArray[np.float32]) -> None:
        """Refuse a network that returns probabilities, by its first batch."""
        if is_softmax(first[:, self._background :], axis=1):
            raise ConfigurationError(
                f"the network ({self._described}) returns a softmax: no output is negative, and those of a pixel sum "
                "up to 1; expected logits, so leave the softmax out of the class (or take the logarithm of it)"
            )
        self._seen = True


def _around(network: nn.Module, settings: InferenceSettings) -> nn.Module:
    """The network and what is put around it, in evaluation mode."""
    window = settings.window_size
    if window is not None:
        network = SlidingWindow(network, window, settings.overlap)
    if settings.flip:
        network = FlipAverage(network)
    if settings.scales != (1.0,):
        network = ScaleAverage(network, settings.scales)
    return network.eval()
