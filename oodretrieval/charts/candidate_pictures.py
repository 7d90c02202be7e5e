"""Pictures of a catalogue's candidates: cut out of their images, with the outlines of their masks."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from oodretrieval.charts.outlines import blank_picture, outlined_crop
from oodretrieval.errors import ImageError, StoreError
from oodretrieval.images import read_image
from oodretrieval.segments import Box, crop, enlarge_box
from oodretrieval.stores import Catalogue
from oodretrieval.stores.boxes import crop_boxes, row_boxes

K = TypeVar("K")
V = TypeVar("V")
IMAGES_KEPT = 8


class Recent(Generic[K, V]):
    """The values that were used last; several threads may ask.

    Args:
        size: How many are kept.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[K, V] = OrderedDict()
        self._making: dict[K, threading.Lock] = {}
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

    def get_or_make(self, key: K, make: Callable[[], V]) -> V:
        """A value, made if it is not kept; threads that ask for one at the same time wait for the same making.

        Args:
            key: Of the value.
            make: Makes it. What it raises is raised, and the next who asks makes it again.

        Returns:
            The value, which hereby was used.
        """
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            try:
                kept = self.get(key)
                return self.put(key, make()) if kept is None else kept
            finally:
                with self._lock:
                    self._making.pop(key, None)


@dataclass(frozen=True)
class Surroundings:
    """How much a picture shows of what lies around a candidate.

    Attributes:
        share: Height and width of what is shown, in those of the candidate, >= 1.
        margin: By how many pixels both are more than that.
        smallest: How many pixels both are at least.
        square: Whether both are the larger one.
    """

    share: float = 1.0
    margin: int = 0
    smallest: int = 1
    square: bool = False

    def around(self, box: Box, shape: Sequence[int]) -> Box:
        """What is shown of an image.

        Args:
            box: Of the candidate.
            shape: Of the image, ``(H, W, …)``.

        Returns:
            A box that contains ``box`` and lies inside the image.

        Raises:
            ValueError: If ``box`` is empty or not inside the image.

        Example:
            >>> Surroundings(share=1.5, margin=2).around(Box(4, 4, 8, 6), (20, 20))
            Box(left=2, top=3, right=10, bottom=8)
        """
        height, width = (
            max(round(side * self.share) + self.margin, self.smallest) for side in (box.height, box.width)
        )
        if self.square:
            height = width = max(height, width)
        return enlarge_box(box, height, width, *shape[:2])


class CandidatePictures:
    """Reads the images of a catalogue's rows when they are asked for, keeps the last ones, and pictures candidates.

    Args:
        catalogue: Whose rows.

    Attributes:
        unread: Image id → why it could not be read, of those that :meth:`picture_or_blank` was asked for.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self.unread: dict[str, str] = {}
        self._images: Recent[Path, NDArray[np.uint8]] = Recent(IMAGES_KEPT)

    def image_path(self, row: int) -> Path:
        """Image file of a candidate.

        Args:
            row: Of the candidate.

        Returns:
            Where it lay when the catalogue was made.
        """
        return Path(str(self._catalogue.segments["image_path"].iloc[row]))

    def image(self, row: int) -> NDArray[np.uint8]:
        """The image of a candidate.

        Args:
            row: Of the candidate.

        Returns:
            ``(H, W, 3)`` uint8.

        Raises:
            ImageError: If the file has gone or cannot be read.
        """
        path = self.image_path(row)
        return self._images.get_or_make(path, lambda: _read(path))

    def embedded(self, row: int) -> NDArray[np.uint8]:
        """The crop that was embedded, as it is.

        Args:
            row: Of the candidate.

        Returns:
            ``(h, w, 3)`` uint8.

        Raises:
            ImageError: If the image has gone, cannot be read, or is another one than it was.
        """
        with self._as_it_was(row):
            return crop(self.image(row), self._embedded_box(row))

    def outlined_image(self, row: int) -> NDArray[np.uint8]:
        """The whole image of a candidate with the outline of its mask, where the catalogue keeps masks.

        Args:
            row: Of the candidate.

        Returns:
            ``(H, W, 3)`` uint8.

        Raises:
            ImageError: As :meth:`embedded`, or if the masks are damaged.
        """
        height, width = self.image(row).shape[:2]
        return self._outlined(row, Box(0, 0, width, height))

    def picture(
        self, row: int, longest: int | None = None, surroundings: Surroundings | None = None
    ) -> NDArray[np.uint8]:
        """A candidate with the outline of its mask, where the catalogue keeps masks.

        Args:
            row: Of the candidate.
            longest: Longer side of the picture at most, pixels; None for the size that it has.
            surroundings: What is shown; None for the crop that was embedded.

        Returns:
            ``(h, w, 3)`` uint8.

        Raises:
            ImageError: As :meth:`embedded`, or if the masks are damaged.
        """
        if surroundings is None:
            return self._outlined(row, self._embedded_box(row), longest)
        [box] = row_boxes(self._catalogue.segments.iloc[[row]])
        with self._as_it_was(row):
            around = surroundings.around(box, self.image(row).shape)
        return self._outlined(row, around, longest)

    def picture_or_blank(
        self, row: int, longest: int, surroundings: Surroundings | None = None
    ) -> NDArray[np.uint8]:
        """:meth:`picture`, or a blank one where the image cannot be read: one of many spoils no sheet.

        Args:
            row: Of the candidate.
            longest: Longer side of the picture at most, pixels.
            surroundings: What is shown; None for the crop that was embedded.

        Returns:
            ``(h, w, 3)`` uint8.
        """
        try:
            return self.picture(row, longest, surroundings)
        except ImageError as error:
            self.unread[str(self._catalogue.segments["image_id"].iloc[row])] = str(error)
            return blank_picture(longest)

    def _embedded_box(self, row: int) -> Box:
        [box] = crop_boxes(self._catalogue.segments.iloc[[row]])
        return box

    def _outlined(self, row: int, box: Box, longest: int | None = None) -> NDArray[np.uint8]:
        with self._as_it_was(row):
            return outlined_crop(self.image(row), box, self._catalogue.masks[row], longest)

    @contextmanager
    def _as_it_was(self, row: int) -> Iterator[None]:
        """What does not fit the image of a candidate, or cannot be read of its mask, is an error of the image."""
        try:
            yield
        except StoreError as error:
            raise ImageError(f"{self.image_path(row)} cannot be outlined: {error}") from error
        except ValueError as error:
            raise ImageError(
                f"{self.image_path(row)} is not the image it was ({error}); bring it back, or make the catalogue "
                "again with args.overwrite=True"
            ) from error


def _read(path: Path) -> NDArray[np.uint8]:
    if not path.exists():
        raise ImageError(
            f"the image {path} has gone; bring it back, or make the catalogue again with args.overwrite=True"
        )
    return read_image(path)
