"""An image with a frame around one of its parts. Knows no toolkit."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from oodretrieval.charts.palette import RED


def framed_image(image: NDArray[np.uint8], box: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """An image at its own size, with a red frame that lies around the pixels of a box, not on them.

    Args:
        image: RGB, ``(H, W, 3)``.
        box: Left, top, right, bottom, half-open pixels.

    Returns:
        A copy, ``(H, W, 3)``.
    """
    picture = Image.fromarray(np.ascontiguousarray(image))
    width = max(1, round(max(picture.size) / 400))
    left, top, right, bottom = box
    around = (left - width, top - width, right - 1 + width, bottom - 1 + width)
    ImageDraw.Draw(picture).rectangle(around, outline=RED, width=width)
    return np.asarray(picture)
