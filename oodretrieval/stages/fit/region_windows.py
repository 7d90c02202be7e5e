"""Known windows of training images: what regions that may be objects are compared with."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from oodretrieval.errors import ImageError
from oodretrieval.execution import progress
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.novelty import WindowBank, known_windows, sampled_windows
from oodretrieval.stages.measure.image_sizes import as_seen
from oodretrieval.stages.measure.segment_features import SegmentFeatures
from oodretrieval.stores import stored_prediction

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
        StoreError: If a prediction is missing or damaged.
    """
    places = {image: index for index, image in enumerate(work.dataset.ids)}
    chosen = np.unique(np.linspace(0, len(images) - 1, min(len(images), IMAGES)).round().astype(int))
    found: list[list[NDArray[np.float32]]] = []
    failures: dict[str, str] = {}
    for number in progress(chosen.tolist(), desc=f"windows {work.names.dataset}", unit="image"):
        image = images[number]
        prediction = stored_prediction(work.workspace, work.names, image)
        truth = prediction.unknown()
        if truth is None:
            continue
        try:
            seen = as_seen(work.dataset[places[image]].image, prediction.settings)
        except ImageError as error:
            failures[image] = str(error)
            continue
        found.append(known_windows(features.region_maps(seen).windows, truth == 0))
    if not sum(len(windows) for image in found for windows in image):
        return None, failures
    return WindowBank.of(sampled_windows(found, seed)), failures
