"""Why the network said so: pictures of the fixations of each class of an image, or of one of its segments."""

import logging
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.charts.fixations import fixation_figure
from oodretrieval.charts.saving import save_picture
from oodretrieval.errors import AllFailedError, ImageError, PartialFailure, SettingsError, UnknownNameError
from oodretrieval.execution import progress
from oodretrieval.experiment.datasets import require_images
from oodretrieval.experiment.device import choose_device
from oodretrieval.experiment.predicted_classes import predicted_classes
from oodretrieval.experiment.run import Run
from oodretrieval.explain import Explainer
from oodretrieval.files import file_name
from oodretrieval.labels import ClassMapping
from oodretrieval.places import places_of
from oodretrieval.results.result import result_folder
from oodretrieval.segments import label_components
from oodretrieval.stages.explain.settings import ExplainSettings

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
        AllFailedError: If none could be read.
    """
    dataset = run.dataset(settings.dataset, settings.common)
    require_images(dataset, settings.dataset, settings.images)
    places = places_of(dataset.ids)
    images = settings.images or tuple(places)[: settings.number]
    entry = run.configuration.model(settings.model_name)
    explainer = Explainer(entry, choose_device(settings.common.gpu))
    folder = result_folder(run.workspace.path, settings.save_dir) / "fixations"
    files: list[str] = []
    failures: dict[str, str] = {}
    for image_id in progress(images, desc="images", unit="image"):
        try:
            sample = dataset[places[image_id]]
        except ImageError as error:
            failures[image_id] = str(error)
            continue
        height, width = sample.image.shape[:2]
        size = settings.inference.seen_size(height, width, entry.size)
        seen = explainer.see(sample.image, size)
        classes = predicted_classes(entry, dataset, seen.classes)
        explained = [
            seen.explain(mask, target, _named(target, classes), settings.outliers)
            for mask, target in _wanted(settings, seen.prediction, classes)
        ]
        if not explained:
            logger.info("%s: nothing of what is asked for is predicted", image_id)
            continue
        name = file_name(f"{settings.model_name}_{settings.dataset}_{image_id}")
        title = f"Why {settings.model_name} sees this in {image_id}"
        figure = fixation_figure(sample.image, explained, title)
        files.append(str(save_picture(folder / f"{name}.png", figure)))
    if failures and len(failures) == len(images):
        raise AllFailedError(
            "explain",
            f"dataset {settings.dataset!r} that are asked for",
            failures,
            "mend them, set args.root to where they are, or name others by args.images",
        )
    if failures:
        raise PartialFailure("explain", failures)
    return {"files": files}


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


def _named(target: int, classes: ClassMapping) -> str:
    return classes[target][0] if target in classes else f"class {target}"
