"""Small crops of segments, read when they are asked for and kept for a while."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from oodretrieval.charts.candidate_pictures import CandidatePictures, Recent
from oodretrieval.charts.outlines import blank_picture
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
        return self._kept.get_or_make(row, lambda: self._pictures.picture(row, THUMBNAIL))

    def read_or_blank(self, row: int) -> NDArray[np.uint8]:
        """The thumbnail of a segment, whatever has happened to its image.

        Args:
            row: Of the segment.

        Returns:
            ``(h, w, 3)`` uint8; a grey cross where the image cannot be read.
        """
        try:
            return self.read(row)
        except ImageError:
            return blank_picture(THUMBNAIL)

    def of_rows(self, rows: Iterable[int]) -> tuple[NDArray[np.uint8], ...]:
        """Thumbnails of segments, as :meth:`read_or_blank`.

        Args:
            rows: Of the segments.

        Returns:
            One of each, in order.
        """
        return tuple(self.read_or_blank(row) for row in rows)
