"""Reading image files and files of ids. Needs no torch, so that what only reads images stays light.

Images come from anywhere: only formats whose readers run no other program are opened (Pillow hands PostScript to one),
and the size that a file claims is checked before anything is decoded.
"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, Jpeg2KImagePlugin, TiffImagePlugin, WebPImagePlugin

from oodretrieval.errors import ImageError

_READERS = (Jpeg2KImagePlugin, TiffImagePlugin, WebPImagePlugin)  # importing them makes their formats known
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000")
"""Formats that are opened, whatever the name of the file; JPEG includes the MPO of cameras."""
MOST_PIXELS = 178_956_970
"""Of an image, as in Pillow: a file of a few bytes can claim a terabyte."""


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an 8-bit image as RGB; grey, palette and RGBA images are converted, transparency is dropped.

    An image that carries an EXIF orientation (photographs of phones and cameras) is turned upright, so every
    stage that reads the file again sees it as the network saw it; labels of such an image belong to the
    upright picture.

    Args:
        path: The file.

    Returns:
        ``(H, W, 3)`` uint8.

    Raises:
        ImageError: If the file is missing, damaged, or not 8-bit.
    """
    with _opened(path) as image:
        if image.mode.startswith(("I", "F")) or _has_wide_channels(image):
            raise ImageError(
                f"{path} has more than 8 bits a channel (mode {image.mode}); convert it to 8-bit RGB"
            )
        upright = _upright(_decode(image, path))
        # Pillow warns when it drops a palette's transparency, but not when it drops an alpha channel.
        if "transparency" in upright.info:
            upright = upright.convert("RGBA")
        return np.asarray(upright if upright.mode == "RGB" else upright.convert("RGB"))


def resized_image(
    image: NDArray[np.uint8], size: tuple[int, int], how: Image.Resampling = Image.Resampling.BILINEAR
) -> NDArray[np.uint8]:
    """An image in another size.

    Args:
        image: ``(H, W, 3)``.
        size: Height and width.
        how: How pixels are found in between.

    Returns:
        ``(h, w, 3)``; the image itself where it has that size.
    """
    if size == image.shape[:2]:
        return image
    return np.asarray(Image.fromarray(image).resize(size[::-1], how))


def read_label_image(path: Path) -> NDArray[np.unsignedinteger]:
    """Read a single-channel image of ids without converting them.

    Args:
        path: The file.

    Returns:
        ``(H, W)`` uint8, or uint16 for files of more than 8 bits.

    Raises:
        ImageError: If the file is missing, damaged, has several channels, or ids above 65535.
    """
    with _opened(path) as image:
        if image.mode not in ("L", "P", "I;16", "I;16B", "I", "1"):
            raise ImageError(
                f"{path} has mode {image.mode}; label files must have one channel of ids (8- or 16-bit "
                "grey, or palette)"
            )
        ids = np.asarray(_decode(image, path))
    if ids.dtype == np.bool_:
        return ids.astype(np.uint8)
    if ids.dtype == np.uint8:
        return ids
    if ids.size and (ids.min() < 0 or ids.max() > np.iinfo(np.uint16).max):
        raise ImageError(f"{path} has ids {ids.min()} … {ids.max()}; label ids must lie in 0 … 65535")
    return ids.astype(np.uint16)


def _has_wide_channels(image: Image.Image) -> bool:
    """Whether the file has 16 bits a channel though Pillow opens it as 8-bit colour."""
    arguments = [tile[3] for tile in getattr(image, "tile", ())]  # the raw mode; or several, that first
    modes = [each[0] if isinstance(each, tuple) else each for each in arguments if each]
    return any(isinstance(mode, str) and ";16" in mode for mode in modes)


def _upright(image: Image.Image) -> Image.Image:
    """Turned as its EXIF orientation says; as it is where the EXIF data cannot be read."""
    try:
        # without a turn, Pillow's own would be a copy
        turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
        return ImageOps.exif_transpose(image) if turned else image
    except (OSError, SyntaxError, ValueError, KeyError, TypeError, struct.error):
        return image


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """An image that is not decoded yet; whatever its reader trips over is the file's fault."""
    try:
        with Image.open(path, formats=FORMATS) as image:
            width, height = image.size
            if width * height > MOST_PIXELS:
                raise ImageError(
                    f"{str(path)!r} claims {width}×{height} pixels, more than {MOST_PIXELS}; cut it into tiles, or "
                    "remove it"
                )
            yield image
    except ImageError:
        raise
    except FileNotFoundError as error:
        raise ImageError(f"no file {str(path)!r}; it was there when the dataset was listed") from error
    except Exception as error:  # Pillow's readers raise errors of any kind on damaged files
        raise ImageError(f"cannot read {str(path)!r} as an image ({error}); replace or remove it") from error


def _decode(image: Image.Image, path: Path) -> Image.Image:
    try:
        image.load()
    except Exception as error:  # likewise
        raise ImageError(f"{str(path)!r} is damaged ({error}); replace or remove it") from error
    return image
