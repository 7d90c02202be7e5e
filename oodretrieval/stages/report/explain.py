"""Why the network said so: pictures of the fixations of each class of an image, or of one of its segments."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from oodretrieval.charts.fixations import ExplainedSegment, fixation_figure
from oodretrieval.charts.saving import file_name, save_picture
from oodretrieval.datasets import Sample
from oodretrieval.entries import ModelEntry
from oodretrieval.errors import ImageError, PartialFailure, SettingsError, UnknownNameError
from oodretrieval.execution import progress
from oodretrieval.experiment.device import choose_device
from oodretrieval.experiment.run import Run
from oodretrieval.explain import Evidence, drop_outliers, heat_map
from oodretrieval.labels import ClassMapping
from oodretrieval.models import load_model
from oodretrieval.results.result import result_folder
from oodretrieval.segments import label_components
from oodretrieval.stages.predict.segmenter import network_input, predicted_classes
from oodretrieval.stages.predict.settings import InferenceSettings
from oodretrieval.stages.report.settings import ExplainSettings

logger = logging.getLogger(__name__)


def explain(settings: ExplainSettings, run: Run) -> dict[str, Any]:
    """Draw the fixations of images: one picture each.

    Args:
        settings: Which images, and what of them.
        run: Configuration and workspace.

    Returns:
        ``files``: the pictures.

    Raises:
        SettingsError: If an image or class is unknown.
        UnknownOperationError: If the network does something that no rule is known for.
        PartialFailure: If some images could not be read; all others were explained.
    """
    dataset = run.dataset(settings.dataset, settings.common)
    entry = run.configuration.model(settings.model_name)
    explainer = Explainer(entry, choose_device(settings.common.gpu), settings.inference)
    folder = result_folder(run.workspace.path, settings.save_dir) / "fixations"
    files: list[str] = []
    failures: dict[str, str] = {}
    for image_id in progress(_images(settings, dataset.ids), desc="images", unit="image"):
        try:
            sample = dataset[dataset.ids.index(image_id)]
        except ImageError as error:
            failures[image_id] = str(error)
            continue
        seen = explainer.see(sample)
        classes = predicted_classes(entry, dataset, seen.classes)
        explained = [
            _drawn(seen, mask, target, classes, settings.outliers)
            for mask, target in _wanted(settings, seen.prediction, classes)
        ]
        if not explained:
            logger.info("%s: nothing of what is asked for is predicted", image_id)
            continue
        name = file_name(f"{settings.model_name}_{settings.dataset}_{image_id}")
        title = f"Why {settings.model_name} sees this in {image_id}"
        figure = fixation_figure(sample.image, explained, title)
        files.append(str(save_picture(folder / f"{name}.png", figure)))
    if failures:
        raise PartialFailure("explain", failures)
    return {"files": files}


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
        return Seen(Evidence(self._model, self._normalised(image)), (height, width), image.shape[:2])

    def _normalised(self, image: NDArray[np.uint8]) -> Tensor:
        scaled = torch.tensor(image, device=self._device).permute(2, 0, 1).float() / 255
        mean, std = (
            torch.tensor(values, device=self._device)[:, None, None]
            for values in (self._entry.mean, self._entry.std)
        )
        return ((scaled - mean) / std)[None]


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


def _images(settings: ExplainSettings, ids: Any) -> list[str]:
    if not settings.images:
        return list(ids)[: settings.number]
    if unknown := [image for image in settings.images if image not in ids]:
        raise UnknownNameError(f"image of {settings.dataset}", unknown[0], ids)
    return list(settings.images)


def _wanted(
    settings: ExplainSettings, prediction: NDArray[np.int64], classes: ClassMapping
) -> Iterator[tuple[NDArray[np.bool_], int]]:
    """Masks and classes: of a segment, or of each class predicted, largest first."""
    if settings.segment:
        components = label_components(prediction)
        if settings.segment > components.max():
            raise SettingsError(
                f"args.segment must be 1 … {components.max()}, the segments of this image, got {settings.segment}"
            )
        mask = components == settings.segment
        yield mask, int(prediction[mask][0])
        return
    names = {name: number for number, (name, _) in classes.items()}
    for name in settings.classes:
        if name not in names:
            raise UnknownNameError("class", name, names)
    found, sizes = np.unique(prediction, return_counts=True)
    for target in found[np.argsort(-sizes)].tolist():
        if not settings.classes or (target in classes and classes[target][0] in settings.classes):
            yield prediction == target, target


def _drawn(
    seen: Seen, mask: NDArray[np.bool_], target: int, classes: ClassMapping, outliers: bool
) -> ExplainedSegment:
    points = seen.fixations(mask, target)
    if not outliers:
        points = drop_outliers(points, seen.size)
    name = classes[target][0] if target in classes else f"class {target}"
    return ExplainedSegment(name, mask, points, heat_map(points, seen.size))
