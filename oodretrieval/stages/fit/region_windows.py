"""Known windows of training images: what regions that may be objects are compared with."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from oodretrieval.errors import ImageError
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.novelty import WindowBank, known_windows, sampled_windows
from oodretrieval.places import spread
from oodretrieval.stages.measure.image_sizes import as_seen
from oodretrieval.stages.measure.segment_features import SegmentFeatures

IMAGES = 64
"""Images, spread over the dataset, that windows are taken of, at most."""


def window_bank(
    work: StoredWork, images: Sequence[str], features: SegmentFeatures, seed: int
) -> tuple[WindowBank | None, dict[str, str]]:
    """Windows of known pixels, by the features of images as the network saw them.

    Args:
        work: Of which network on which dataset; its images and truth are read.
        images: Ids of the images to choose from; those chosen are spread over them.
        features: What computes features.
        seed: Which windows are kept.

    Returns:
        The bank, None if nothing is known by truth; and image id → reason of those that cannot be read.

    Raises:
        SettingsMismatchError: If a prediction is of other settings.
    """
    found: list[list[NDArray[np.float32]]] = []
    failures: dict[str, str] = {}
    chosen = [images[place] for place in spread(len(images), IMAGES)]
    for prediction in work.predictions(chosen, f"windows {work.names.dataset}", failures=failures):
        truth = prediction.unknown()
        if truth is None:
            continue
        try:
            seen = as_seen(work.sample(prediction.image_id).image, prediction.settings)
        except ImageError as error:
            failures[prediction.image_id] = str(error)
            continue
        found.append(known_windows(features.region_maps(seen).windows, truth == 0))
    if not sum(len(windows) for image in found for windows in image):
        return None, failures
    return WindowBank.of(sampled_windows(found, seed)), failures
