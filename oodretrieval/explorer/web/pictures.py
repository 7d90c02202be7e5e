"""Arrays as pictures that a page shows without asking for a file."""

import numpy as np
from numpy.typing import NDArray

from oodretrieval.charts.contact_sheets import encoded

_QUALITY = 88
_SMALL = 40_000
"""Pixels up to which a picture is kept exactly."""


def picture_address(picture: NDArray[np.uint8]) -> str:
    """A picture as an address that holds it, so that the page asks for no file.

    Args:
        picture: RGB ``(h, w, 3)`` or with transparency ``(h, w, 4)``.

    Returns:
        ``data:image/…;base64,…``; small pictures and transparent ones exactly, others as JPEG.

    Example:
        >>> picture_address(np.zeros((1, 1, 3), np.uint8))[:22]
        'data:image/png;base64,'
    """
    exact = picture.shape[2] == 4 or picture.shape[0] * picture.shape[1] <= _SMALL
    kind = "png" if exact else "jpeg"
    options = {"compress_level": 3} if exact else {"quality": _QUALITY}
    return encoded(picture, kind, **options)
