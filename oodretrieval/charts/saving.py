"""The one way to save a picture: whole under its final name, or absent."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from oodretrieval.files import atomic_path, file_name

DPI = 110


@dataclass(frozen=True, eq=False)
class Picture:
    """A chart, or what is shown of an image, on its way to a file.

    Attributes:
        caption: What it shows, for people.
        name: What its file is called after the result that it belongs to; empty for the result's own name.
        figure: What is drawn.
    """

    caption: str
    name: str
    figure: Figure


def save_picture(path: Path, picture: Figure | NDArray[np.uint8], *, whole: bool = False) -> Path:
    """Save a chart, or an image at its own size.

    Args:
        path: PNG file; of a figure also SVG or PDF. Its folder is made where missing.
        picture: A figure, or pixels ``(H, W, 3)`` RGB.
        whole: Of a figure, save all that is drawn, also beyond its edges.

    Returns:
        ``path``.

    Raises:
        StoreError: If the file cannot be written.
    """
    with atomic_path(path) as temporary:
        if isinstance(picture, Figure):
            picture.savefig(temporary, dpi=DPI, bbox_inches="tight" if whole else None)
        else:
            Image.fromarray(np.ascontiguousarray(picture)).save(temporary)
    return path


def save_pictures(folder: Path, stem: str, pictures: Iterable[Picture]) -> dict[str, Path]:
    """Save the pictures of a result, one after the other, so that only one is in memory.

    Args:
        folder: Where the result lies.
        stem: File name of the result, without suffix.
        pictures: In the order in which they are shown.

    Returns:
        Caption → file.

    Raises:
        StoreError: If a file cannot be written.
    """
    return {
        picture.caption: save_picture(
            folder / f"{'_'.join(filter(None, (stem, file_name(picture.name))))}.png", picture.figure
        )
        for picture in pictures
    }
