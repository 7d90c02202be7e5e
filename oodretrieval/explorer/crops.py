"""Images and crops of segments, read when they are asked for and kept for a while."""

import threading
from collections import OrderedDict
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from oodretrieval.charts.outlines import outlined_crop
from oodretrieval.errors import ImageError, StoreError
from oodretrieval.explorer.catalogue_segments import CatalogueSegments
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
        """A value, which hereby was used.

        Args:
            key: Of the value.

        Returns:
            The value; None if it is not kept.
        """
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key]

    def put(self, key: K, value: V) -> V:
        """Keep a value.

        Args:
            key: Of the value.
            value: Replaces what was kept under the key.

        Returns:
            ``value``.
        """
        with self._lock:
            self._values[key] = value
            self._values.move_to_end(key)
            while len(self._values) > self._size:
                self._values.popitem(last=False)
        return value


class Crops:
    """Reads the images of segments, and cuts their crops.

    Args:
        segments: Whose.
    """

    def __init__(self, segments: CatalogueSegments) -> None:
        self._segments = segments
        self._images: Recent[Path, NDArray[np.uint8]] = Recent(IMAGES_KEPT)
        self._thumbnails: Recent[int, NDArray[np.uint8]] = Recent(THUMBNAILS_KEPT)

    def image(self, row: int) -> NDArray[np.uint8]:
        """The image of a segment.

        Args:
            row: Of the segment.

        Returns:
            ``(H, W, 3)`` uint8.

        Raises:
            ImageError: If the file has gone or cannot be read.
        """
        path = self._segments.image_path(row)
        kept = self._images.get(path)
        if kept is not None:
            return kept
        if not path.is_file():
            raise ImageError(
                f"the image {path} has gone; bring it back, or make the catalogue again with args.overwrite=True"
            )
        return self._images.put(path, read_image(path))

    def outlined(self, row: int) -> NDArray[np.uint8]:
        """The image of a segment with the outline of its mask, where the catalogue keeps masks.

        Args:
            row: Of the segment.

        Returns:
            ``(H, W, 3)`` uint8.

        Raises:
            ImageError: As :meth:`crop`.
        """
        return self._with_outline(row, (0, 0, *self.image(row).shape[1::-1]))

    def _with_outline(
        self, row: int, box: tuple[int, int, int, int], longest: int | None = None
    ) -> NDArray[np.uint8]:
        try:
            return outlined_crop(self.image(row), box, self._segments.mask(row), longest)
        except (ValueError, StoreError) as error:
            raise ImageError(f"{self._segments.image_path(row)} cannot be outlined: {error}") from error

    def crop(self, row: int) -> NDArray[np.uint8]:
        """The crop that was embedded.

        Args:
            row: Of the segment.

        Returns:
            ``(h, w, 3)`` uint8.

        Raises:
            ImageError: If the file has gone, cannot be read, or is another one than it was.
        """
        try:
            return crop(self.image(row), self._segments.crop_box(row))
        except ValueError as error:
            raise ImageError(f"{self._segments.image_path(row)} is not the image it was: {error}") from error

    def ready(self, row: int) -> NDArray[np.uint8] | None:
        """The thumbnail of a segment if it can be had at once.

        Args:
            row: Of the segment.

        Returns:
            ``(h, w, 3)`` uint8; None if it must be read first.
        """
        return self._thumbnails.get(row)

    def thumbnail(self, row: int) -> NDArray[np.uint8]:
        """A small crop of a segment.

        Args:
            row: Of the segment.

        Returns:
            ``(h, w, 3)`` uint8, at most :data:`THUMBNAIL` pixels long and wide.

        Raises:
            ImageError: As :meth:`crop`.
        """
        kept = self._thumbnails.get(row)
        return kept if kept is not None else self._thumbnails.put(row, self._small(row))

    def _small(self, row: int) -> NDArray[np.uint8]:
        self.crop(row)  # an image that is another one by now is an error
        return self._with_outline(row, self._segments.crop_box(row), THUMBNAIL)

    def thumbnail_or_gone(self, row: int) -> NDArray[np.uint8]:
        """The thumbnail of a segment, whatever has happened to its image.

        Args:
            row: Of the segment.

        Returns:
            ``(h, w, 3)`` uint8; a grey cross where the image cannot be read.
        """
        try:
            return self.thumbnail(row)
        except ImageError:
            return gone()


def gone(size: int = 64) -> NDArray[np.uint8]:
    """What stands for an image that cannot be read.

    Args:
        size: Pixels.

    Returns:
        A cross on grey, ``(size, size, 3)`` uint8.
    """
    picture = np.full((size, size, 3), 225, np.uint8)
    place = np.arange(size)
    away = np.minimum(np.abs(place[:, None] - place), np.abs(place[:, None] + place - (size - 1)))
    picture[away < 2] = 150
    return picture
