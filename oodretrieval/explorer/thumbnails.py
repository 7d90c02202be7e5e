"""Small crops of segments, read when they are asked for and kept for a while."""

import numpy as np
from numpy.typing import NDArray

from oodretrieval.charts.candidate_pictures import CandidatePictures, Recent
from oodretrieval.errors import ImageError

THUMBNAILS_KEPT = 2000
THUMBNAIL = 160
"""Longer side of a thumbnail, pixels."""


class Thumbnails:
    """Small crops of segments with their outlines.

    Args:
        pictures: What they are made of.
    """

    def __init__(self, pictures: CandidatePictures) -> None:
        self._pictures = pictures
        self._kept: Recent[int, NDArray[np.uint8]] = Recent(THUMBNAILS_KEPT)

    def ready(self, row: int) -> NDArray[np.uint8] | None:
        """The thumbnail of a segment if it can be had at once.

        Args:
            row: Of the segment.

        Returns:
            ``(h, w, 3)`` uint8; None if it must be read first.
        """
        return self._kept.get(row)

    def read(self, row: int) -> NDArray[np.uint8]:
        """The thumbnail of a segment.

        Args:
            row: Of the segment.

        Returns:
            ``(h, w, 3)`` uint8, at most :data:`THUMBNAIL` pixels long and wide.

        Raises:
            ImageError: If the image has gone, cannot be read, or is another one than it was.
        """
        kept = self._kept.get(row)
        return kept if kept is not None else self._kept.put(row, self._pictures.picture(row, THUMBNAIL))

    def read_or_gone(self, row: int) -> NDArray[np.uint8]:
        """The thumbnail of a segment, whatever has happened to its image.

        Args:
            row: Of the segment.

        Returns:
            ``(h, w, 3)`` uint8; a grey cross where the image cannot be read.
        """
        try:
            return self.read(row)
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
