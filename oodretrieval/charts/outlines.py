"""The outline of a mask, drawn into a picture so that it is seen on any ground."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from oodretrieval.masks import EIGHT, RunLengthMask, decode_mask
from oodretrieval.segments import crop

BRIGHT, DARK = (255, 225, 0), (0, 0, 0)
"""Colours of the line and of what sets it off."""
LINE = 400
"""A line is a pixel wide in pictures up to half as long again, then two, …."""


def outlined(picture: NDArray[np.uint8], mask: NDArray[np.bool_], width: int = 1) -> NDArray[np.uint8]:
    """A picture with a line around a mask: bright on its last pixels inside, dark on the first ones outside.

    Args:
        picture: ``(h, w, 3)``.
        mask: ``(h, w)``.
        width: Of the bright line and of the dark one each, pixels.

    Returns:
        A copy, ``(h, w, 3)``; the picture is the same where the mask is empty. A border of the picture is no edge
        of the mask: what is cut off goes on behind it.

    Raises:
        ValueError: If the shapes differ.

    Example:
        >>> int((outlined(np.zeros((5, 5, 3), np.uint8), np.eye(5, dtype=bool)) == BRIGHT).all(axis=2).sum())
        5
    """
    if picture.ndim != 3 or picture.shape[:2] != mask.shape:
        raise ValueError(f"expected a picture (h, w, 3) and a mask (h, w), got {picture.shape}, {mask.shape}")
    drawn = picture.copy()
    here = _reach(mask, width)
    part = mask[here]  # of a large image, what is left of it is most of the work
    inside = part & ~ndimage.binary_erosion(part, EIGHT, iterations=width, border_value=1)
    around = ndimage.binary_dilation(part, EIGHT, iterations=width) & ~part
    drawn[here][around], drawn[here][inside] = DARK, BRIGHT
    return drawn


def _reach(mask: NDArray[np.bool_], width: int) -> tuple[slice, slice]:
    """The rows and columns that a line around a mask can lie in."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return slice(0, 0), slice(0, 0)
    return (
        slice(max(int(rows[0]) - width, 0), int(rows[-1]) + width + 1),
        slice(max(int(columns[0]) - width, 0), int(columns[-1]) + width + 1),
    )


def outlined_crop(
    image: NDArray[np.uint8],
    box: tuple[int, int, int, int],
    mask: RunLengthMask | None,
    longest: int | None = None,
) -> NDArray[np.uint8]:
    """A crop of an image as a picture, with a mask outlined in it: in a small one the line is as fine as in any.

    Args:
        image: ``(H, W, 3)``.
        box: Left, top, right, bottom of the crop in pixels, half-open, inside the image.
        mask: In the image; None for no outline.
        longest: Longer side of the picture at most, pixels; None for the size that it has.

    Returns:
        ``(h, w, 3)``.

    Raises:
        ValueError: If the box is not inside the image, or the mask is of an image of another size.
    """
    part = crop(image, box)
    scale = 1.0 if longest is None else min(1.0, longest / max(part.shape[:2]))
    size = max(1, round(part.shape[1] * scale)), max(1, round(part.shape[0] * scale))
    small = np.asarray(Image.fromarray(part).resize(size, Image.Resampling.LANCZOS)) if scale < 1 else part
    if mask is None:
        return np.ascontiguousarray(small)
    if mask.size != image.shape[:2]:
        raise ValueError(f"expected a mask of {image.shape[:2]} (H, W), got one of {mask.size}")
    inside = crop(decode_mask(mask), box)
    if scale < 1:
        shares = Image.fromarray(inside.astype(np.uint8) * 255).resize(size, Image.Resampling.BOX)
        inside = np.asarray(shares) >= 128
    return outlined(small, inside, max(1, round(max(size) / LINE)))


def blank_picture(side: int) -> NDArray[np.uint8]:
    """What stands in place of a picture that cannot be read: a cross on grey.

    Args:
        side: Height and width in pixels, >= 1.

    Returns:
        ``(side, side, 3)``.

    Example:
        >>> blank_picture(3)[:, :, 0].tolist()
        [[150, 230, 150], [230, 150, 230], [150, 230, 150]]
    """
    picture = np.full((side, side, 3), 230, np.uint8)
    cross = np.eye(side, dtype=np.bool_)
    picture[cross | cross[::-1]] = 150
    return picture
