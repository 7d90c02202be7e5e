"""Pictures that a person saves: the image with the box, the crop, the four panels."""

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from oodretrieval.explorer.panels import RED, ImageView, draw_four_panels
from oodretrieval.stores import atomic_path

_SIZE = (14, 8.2)
_DPI = 110


def save_picture(path: Path, image: NDArray[np.uint8], box: tuple[int, int, int, int] | None = None) -> None:
    """Save an image at its own size.

    Args:
        path: PNG file; its folder is made where missing.
        image: ``(H, W, 3)``.
        box: Left, top, right, bottom to frame in red: the line lies around these pixels, not on them.

    Raises:
        StoreError: If the file cannot be written.
    """
    picture = Image.fromarray(np.ascontiguousarray(image))
    if box is not None:
        width = max(1, round(max(picture.size) / 400))
        left, top, right, bottom = box
        around = (left - width, top - width, right - 1 + width, bottom - 1 + width)
        ImageDraw.Draw(picture).rectangle(around, outline=RED, width=width)
    with atomic_path(path) as temporary:
        picture.save(temporary)


def save_panels(path: Path, view: ImageView, title: str) -> None:
    """Save the four panels of an image.

    Args:
        path: PNG file; its folder is made where missing.
        view: What is known of the image.
        title: Line above.

    Raises:
        StoreError: If the file cannot be written.
    """
    figure = Figure(figsize=_SIZE)
    FigureCanvasAgg(figure)
    draw_four_panels(figure, view)
    figure.suptitle(title)
    figure.subplots_adjust(0.01, 0.06, 0.99, 0.9)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=_DPI)
