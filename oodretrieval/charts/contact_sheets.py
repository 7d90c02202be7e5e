"""Segments as small pictures in rows, ready to be set into a page."""

import base64
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from oodretrieval.charts.candidate_pictures import Surroundings
from oodretrieval.charts.outlines import outlined_crop
from oodretrieval.masks import RunLengthMask
from oodretrieval.stores.boxes import segment_boxes

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
) -> tuple[Tile, ...]:
    """Cut segments out of their images, every image read once.

    Args:
        segments: Rows with ``left``, ``top``, ``right``, ``bottom``, and what names their image.
        image_of: What names an image → image, ``(H, W, 3)`` RGB.
        lines_of: Row → what stands below it.
        by: Column that names the image.
        masks: Of the rows, to be outlined; empty for no outlines.

    Returns:
        One tile for each row, in the order of the rows.

    Raises:
        ImageError: If an image cannot be read.
    """
    made: dict[int, Tile] = {}
    for place, image, row in _by_image(segments, image_of, by):
        [box] = segment_boxes(row.to_frame().T)
        around = SURROUNDINGS.around(box, image.shape)
        mask = masks[place] if masks else None
        picture = as_data_address(outlined_crop(image, around, mask, THUMBNAIL))
        made[place] = Tile(picture, tuple(lines_of(row)))
    return tuple(made[place] for place in range(len(segments)))


def _by_image(
    segments: pd.DataFrame, image_of: Callable[[str], NDArray[np.uint8]], by: str
) -> Iterator[tuple[int, NDArray[np.uint8], pd.Series]]:
    for name, places in segments.groupby(by, sort=False).indices.items():
        image = image_of(str(name))
        for place in places:
            yield int(place), image, segments.iloc[place]


def as_data_address(image: NDArray[np.uint8], longest: int = THUMBNAIL) -> str:
    """An image as a ``data:`` address of a JPEG, shrunk so that its longer side is at most ``longest`` pixels.

    Args:
        image: ``(H, W, 3)`` RGB.
        longest: Pixels.

    Returns:
        Text that starts with ``data:``.

    Example:
        >>> as_data_address(np.zeros((8, 8, 3), np.uint8))[:23]
        'data:image/jpeg;base64,'
    """
    picture = Image.fromarray(image)
    picture.thumbnail((longest, longest), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=QUALITY)
    return data_address(buffer.getvalue(), "image/jpeg")


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
