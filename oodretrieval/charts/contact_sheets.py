"""Segments as small pictures in rows, ready to be set into a page."""

import base64
import io
from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from oodretrieval.charts.candidate_pictures import Surroundings
from oodretrieval.charts.outlines import blank_picture, outlined_crop
from oodretrieval.errors import ImageError
from oodretrieval.masks import RunLengthMask
from oodretrieval.stores.boxes import row_boxes

THUMBNAIL = 132
"""Longer side of a tile's picture, pixels."""

SURROUNDINGS = Surroundings(share=1.3, smallest=64)
"""So that the outline is seen on all sides, and a small segment shows where it lies."""

QUALITY = 82


@dataclass(frozen=True)
class Tile:
    """One segment in a sheet.

    Attributes:
        picture: Its crop, as a ``data:`` address.
        lines: What stands below it.
    """

    picture: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Sheet:
    """Segments that belong together.

    Attributes:
        title: What they have in common.
        note: A sentence about them.
        tiles: The segments, in order.
    """

    title: str
    note: str
    tiles: tuple[Tile, ...]


def tiles(
    segments: pd.DataFrame,
    image_of: Callable[[str], NDArray[np.uint8]],
    lines_of: Callable[[pd.Series], Sequence[str]],
    by: str = "image_id",
    masks: Sequence[RunLengthMask | None] = (),
    unread: MutableMapping[str, str] | None = None,
) -> tuple[Tile, ...]:
    """Cut segments out of their images, every image read once.

    Args:
        segments: Rows with ``left``, ``top``, ``right``, ``bottom``, and what names their image.
        image_of: What names an image → image, ``(H, W, 3)`` RGB.
        lines_of: Row → what stands below it.
        by: Column that names the image.
        masks: Of the rows, to be outlined; empty for no outlines.
        unread: Gets ``image_id`` → why the image cannot be read, and its tiles have blank pictures; where it is not
            given, that is an error.

    Returns:
        One tile for each row, in the order of the rows.

    Raises:
        ImageError: If an image cannot be read, or is another one than it was.
    """
    made: dict[int, Tile] = {}
    for name, places in segments.groupby(by, sort=False).indices.items():
        try:
            image = image_of(str(name))
            pictures = [_picture(image, segments, int(i), masks[int(i)] if masks else None) for i in places]
        except ImageError as error:
            if unread is None:
                raise
            unread[str(segments["image_id"].iloc[int(places[0])])] = str(error)
            pictures = [blank_picture(THUMBNAIL)] * len(places)
        for place, picture in zip(places, pictures, strict=True):
            made[int(place)] = Tile(
                encoded(picture, "jpeg", quality=QUALITY), tuple(lines_of(segments.iloc[place]))
            )
    return tuple(made[place] for place in range(len(segments)))


def _picture(
    image: NDArray[np.uint8], segments: pd.DataFrame, place: int, mask: RunLengthMask | None
) -> NDArray[np.uint8]:
    [box] = row_boxes(segments.iloc[[place]])
    try:
        return outlined_crop(image, SURROUNDINGS.around(box, image.shape), mask, THUMBNAIL)
    except ValueError as error:
        raise ImageError(f"this is not the image it was ({error}); bring it back, or start again") from error


def encoded(picture: NDArray[np.uint8], kind: str, **options: int) -> str:
    """A picture as a ``data:`` address.

    Args:
        picture: ``(H, W, 3)`` RGB, or ``(H, W, 4)`` with opacity.
        kind: Format, ``jpeg`` or ``png``.
        **options: Of Pillow's writer of this format.

    Returns:
        Text that starts with ``data:``.

    Example:
        >>> encoded(np.zeros((8, 8, 3), np.uint8), "jpeg")[:23]
        'data:image/jpeg;base64,'
    """
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture)).save(buffer, kind, **options)
    return data_address(buffer.getvalue(), f"image/{kind}")


def data_address(content: bytes, kind: str) -> str:
    """Bytes as a ``data:`` address that a page can carry in itself.

    Args:
        content: Of a file.
        kind: Its media type, e.g. ``image/png``.

    Returns:
        Text that starts with ``data:``.

    Example:
        >>> data_address(b"abc", "text/plain")
        'data:text/plain;base64,YWJj'
    """
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
