"""Images in the sizes in which their features are computed."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.images import resized_image
from oodretrieval.stages.predict.settings import size_seen


def as_seen(image: NDArray[np.uint8], recorded: Mapping[str, Any]) -> NDArray[np.uint8]:
    """The image in the size at which the segmentation network saw it.

    Features change with the size of things, and are compared with those of images that were seen at that size.

    Args:
        image: ``(H, W, 3)``.
        recorded: What its prediction says of its making.

    Returns:
        ``(h, w, 3)``; the image itself where it was seen as it is.
    """
    return resized_image(image, size_seen(recorded, *image.shape[:2]))
