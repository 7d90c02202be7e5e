"""Images and crops of segments, read when they are asked for and kept for a while."""

import threading
from collections import OrderedDict
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from oodretrieval.charts.outlines import outlined_crop
from oodretrieval.errors import ImageError, StoreError
from oodretrieval.explorer.state import State
from oodretrieval.images import read_image
from oodretrieval.segments.crops import crop

K = TypeVar("K")
V = TypeVar("V")
IMAGES_KEPT = 4
THUMBNAILS_KEPT = 2000
THUMBNAIL = 160
"""Longer side of a thumbnail, pixels."""


class Recent(Generic[K, V]):
    """The values that were used last; several threads may ask.

    Args:
        size: How many are kept.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: K) -> V | None:
        """A value, which hereby was used; None if it is not kept."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key]

    def put(self, key: K, value: V) -> V:
        """Keep a value, and return it."""
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self._size:
                self._values.popitem(last=False)
        return value


class Crops:
    """Reads what the segments look like.

    Args:
        state: Whose segments.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._images: Recent[Path, NDArray[np.uint8]] = Recent(IMAGES_KEPT)
        self._thumbnails: Recent[int, NDArray[np.uint8]] = Recent(THUMBNAILS_KEPT)

    def image(self, row: int) -> NDArray[np.uint8]:
        """The image of a segment, ``(H, W, 3)``.

        Raises:
            ImageError: If the file has gone or cannot be read.
        """
        path = self._state.image_path(row)
        kept = self._images.get(path)
        if kept is not None:
            return kept
        if not path.is_file():
            raise ImageError(
                f"the image {path} has gone; bring it back, or make the catalogue anew with args.overwrite=True"
            )
        return self._images.put(path, read_image(path))

    def outlined(self, row: int) -> NDArray[np.uint8]:
        """The image of a segment with the outline of its mask, where the catalogue keeps masks; ``(H, W, 3)``.

        Raises:
            ImageError: As :meth:`crop`.
        """
        return self._with_outline(row, (0, 0, *self.image(row).shape[1::-1]))

    def _with_outline(
        self, row: int, box: tuple[int, int, int, int], longest: int | None = None
    ) -> NDArray[np.uint8]:
        try:
            return outlined_crop(self.image(row), box, self._state.mask(row), longest)
        except (ValueError, StoreError) as error:
            raise ImageError(f"{self._state.image_path(row)} cannot be outlined: {error}") from error

    def crop(self, row: int) -> NDArray[np.uint8]:
        """The crop that was embedded, ``(h, w, 3)``.

        Raises:
            ImageError: If the file has gone, cannot be read, or is another one than it was.
        """
        try:
            return crop(self.image(row), self._state.crop_box(row))
        except ValueError as error:
            raise ImageError(f"{self._state.image_path(row)} is not the image it was: {error}") from error

    def ready(self, row: int) -> NDArray[np.uint8] | None:
        """The thumbnail of a segment if it can be had at once."""
        return self._thumbnails.get(row)

    def thumbnail(self, row: int) -> NDArray[np.uint8]:
        """A small crop of a segment, at most :data:`THUMBNAIL` pixels long and wide, ``(h, w, 3)``.

        Raises:
            ImageError: As :meth:`crop`.
        """
        kept = self._thumbnails.get(row)
        return kept if kept is not None else self._thumbnails.put(row, self._small(row))

    def _small(self, row: int) -> NDArray[np.uint8]:
        self.crop(row)  # an image that is another one by now is an error
        return self._with_outline(row, self._state.crop_box(row), THUMBNAIL)

    def thumbnail_or_gone(self, row: int) -> NDArray[np.uint8]:
        """The thumbnail, or a grey cross where the image cannot be read."""
        try:
            return self.thumbnail(row)
        except ImageError:
            return gone()


def shrink(image: NDArray[np.uint8], longest: int) -> NDArray[np.uint8]:
    """An image whose longer side is at most ``longest``; as it is where it is small already.

    Args:
        image: ``(H, W, 3)``.
        longest: Pixels.

    Returns:
        ``(h, w, 3)``, contiguous.
    """
    height, width = image.shape[:2]
    scale = longest / max(height, width)
    if scale >= 1:
        return np.ascontiguousarray(image)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0))


def gone(size: int = 64) -> NDArray[np.uint8]:
    """What stands for an image that cannot be read: a cross on grey, ``(size, size, 3)``."""
    picture = np.full((size, size, 3), 225, np.uint8)
    place = np.arange(size)
    away = np.minimum(np.abs(place[:, None] - place), np.abs(place[:, None] + place - (size - 1)))
    picture[away < 2] = 150
    return picture
