"""A network that is asked why it sees what it sees in an image."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import nn

from oodretrieval.datasets.transforms import image_tensor
from oodretrieval.entries import ModelEntry
from oodretrieval.explain.fixations import Evidence
from oodretrieval.explain.maps import drop_outliers, heat_map
from oodretrieval.images import resized_image
from oodretrieval.models import load_model
from oodretrieval.seen_size import shrinking_to, shrunk_size


@dataclass(frozen=True, eq=False)
class ExplainedSegment:
    """Why pixels are of a class.

    Attributes:
        title: What is explained.
        mask: The pixels, ``(H, W)`` bool.
        points: Rows and columns of the fixations, ``(k, 2)``.
        heat: Their heat map, ``(H, W)``, 0…1.
    """

    title: str
    mask: NDArray[np.bool_]
    points: NDArray[np.int64]
    heat: NDArray[np.float32]

    @property
    def share_inside(self) -> float:
        """Share of the fixations that lie in the segment, 0…1."""
        return float(self.mask[tuple(self.points.T)].mean()) if len(self.points) else 0.0


class Explainer:
    """A network that is asked why.

    Args:
        entry: Its entry.
        device: Where it runs.

    Raises:
        ConfigurationError: If the entry cannot be built.
        WeightsError: If its weights are missing or do not fit.
    """

    def __init__(self, entry: ModelEntry, device: torch.device) -> None:
        self._entry, self._device = entry, device
        self._model: nn.Module = load_model(entry).to(device).eval()

    def see(self, image: NDArray[np.uint8], size: tuple[int, int] | None = None) -> "Seen":
        """Let the network see an image: once, for windows, scales and flips are averages of many looks.

        Args:
            image: ``(H, W, 3)`` RGB.
            size: Height and width at which the network sees it; by default as predictions are made where nothing is
                set: images much larger than those of the training are shrunk to these.

        Returns:
            What can be asked.
        """
        height, width = image.shape[:2]
        seen = size or shrunk_size(height, width, *shrinking_to(self._entry.size))
        shown = image_tensor(resized_image(image, seen), self._entry.mean, self._entry.std)[None]
        return Seen(Evidence(self._model, shown.to(self._device)), (height, width), seen)


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
