"""A network that is asked why it sees what it sees in an image."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from oodretrieval.charts.fixations import ExplainedSegment
from oodretrieval.datasets import Sample
from oodretrieval.datasets.transforms import image_tensor
from oodretrieval.entries import ModelEntry
from oodretrieval.explain import Evidence, drop_outliers, heat_map
from oodretrieval.models import load_model
from oodretrieval.stages.predict.segmenter import network_input
from oodretrieval.stages.predict.settings import InferenceSettings


class Explainer:
    """A network that is asked why.

    Args:
        entry: Its entry.
        device: Where it runs.
        settings: The size at which it sees images; windows, scales and flips are averages of many looks, and not
            explained.

    Raises:
        ConfigurationError: If the entry cannot be built.
        WeightsError: If its weights are missing or do not fit.
    """

    def __init__(
        self, entry: ModelEntry, device: torch.device, settings: InferenceSettings | None = None
    ) -> None:
        self._entry, self._device = entry, device
        self._settings = settings or InferenceSettings()
        self._model: nn.Module = load_model(entry).to(device).eval()

    def see(self, sample: Sample) -> "Seen":
        """Let the network see an image.

        Args:
            sample: The image.

        Returns:
            What can be asked.
        """
        image = network_input(sample, self._settings, self._entry.size).image
        height, width = sample.image.shape[:2]
        shown = image_tensor(image, self._entry.mean, self._entry.std)[None].to(self._device)
        return Seen(Evidence(self._model, shown), (height, width), image.shape[:2])


@dataclass(frozen=True, eq=False)
class Seen:
    """An image that a network has seen, asked in pixels of the image as it is.

    Attributes:
        evidence: Of the image as the network saw it.
        size: Height and width of the image.
        seen: Height and width at which the network saw it.
    """

    evidence: Evidence
    size: tuple[int, int]
    seen: tuple[int, int]

    @property
    def classes(self) -> int:
        """Number of classes."""
        return int(self.evidence.logits.shape[1])

    @property
    def prediction(self) -> NDArray[np.int64]:
        """The predicted class of each pixel, ``(H, W)``."""
        logits = self.evidence.logits.float()
        if logits.shape[2:] != self.size:
            logits = torch.nn.functional.interpolate(logits, self.size, mode="bilinear")
        predicted: NDArray[np.int64] = logits[0].argmax(0).cpu().numpy()
        return predicted

    def fixations(self, mask: NDArray[np.bool_], target_class: int) -> NDArray[np.int64]:
        """Fixations of a segment.

        Args:
            mask: Its pixels, ``(H, W)``.
            target_class: Predicted id.

        Returns:
            Rows and columns, ``(k, 2)``; where the network saw a smaller image, the middle of what it saw.
        """
        if self.seen != self.size:
            small = Image.fromarray(mask.astype(np.uint8)).resize(self.seen[::-1], Image.Resampling.NEAREST)
            mask = np.asarray(small).astype(bool)
        (points,) = self.evidence.fixations([(mask, target_class)])
        scale = np.asarray(self.size) / np.asarray(self.seen)
        found: NDArray[np.int64] = ((points + 0.5) * scale).astype(np.int64)
        return found

    def explain(
        self,
        mask: NDArray[np.bool_],
        target_class: int | None = None,
        title: str = "",
        outliers: bool = True,
    ) -> ExplainedSegment:
        """Fixations of a segment and their heat map.

        Args:
            mask: Its pixels, ``(H, W)``.
            target_class: Predicted id; None for what is predicted at most of the pixels.
            title: What is explained.
            outliers: Keep fixations that lie by themselves.

        Returns:
            What a chart draws.

        Raises:
            SettingsError: If mask or class do not fit.
            UnknownOperationError: If the network does something that has no rule.
        """
        if target_class is None:
            target_class = int(np.bincount(self.prediction[mask], minlength=1).argmax())
        points = self.fixations(mask, target_class)
        if not outliers:
            points = drop_outliers(points, self.size)
        return ExplainedSegment(title, mask, points, heat_map(points, self.size))
