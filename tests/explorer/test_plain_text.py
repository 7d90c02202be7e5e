"""Text drawn by Pillow stands where matplotlib's stands, and is matplotlib's where pixels or letters are missing."""

import io
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from oodretrieval.explorer.desktop.plain_text import PlainText

WORDS = "Predicted IoU 0.45:\nEstimated overlap · 0 to 1"


def ink(kind: type[Text], text: str = WORDS, **style: Any) -> np.ndarray:
    """What a text changes of a white figure, ``(H, W)``, 0 nothing to 255 black."""
    figure = Figure(figsize=(6, 3), dpi=100)
    canvas = FigureCanvasAgg(figure)
    if text:
        figure.add_artist(kind(0.5, 0.5, text, **style))
    canvas.draw()
    pixels: np.ndarray = 255 - np.asarray(canvas.buffer_rgba())[..., :3].min(axis=2)
    return pixels


def box(pixels: np.ndarray) -> np.ndarray:
    """Top, bottom, left, right of what is drawn."""
    lines, columns = (np.flatnonzero(pixels.max(axis=axis) > 60) for axis in (1, 0))
    return np.array([lines[0], lines[-1], columns[0], columns[-1]])


@pytest.mark.parametrize("va", ["top", "center", "baseline", "bottom"])
@pytest.mark.parametrize("ha", ["left", "center", "right"])
@pytest.mark.parametrize("lines", [1, 2])
def test_stands_where_other_text_stands(va: str, ha: str, lines: int):
    text = "\n".join(WORDS.splitlines()[-lines:])
    style = {"va": va, "ha": ha, "fontsize": 12, "linespacing": 1.4}
    plain, usual = box(ink(PlainText, text, **style)), box(ink(Text, text, **style))
    assert np.abs(plain - usual)[:2].max() <= 3
    assert np.abs(plain - usual)[2:].max() <= 0.08 * (usual[3] - usual[2])
    side = {"left": 2, "right": 3}.get(ha)
    assert side is None or abs(plain[side] - usual[side]) <= 2


def test_takes_colour_opacity_and_size():
    def shade(**style: Any) -> float:
        return float(ink(PlainText, "████", fontsize=20, **style).max())

    assert shade(color="black") == 255 and shade(color="#808080") == 127
    assert shade(color="black", alpha=0.4) == pytest.approx(0.4 * 255, abs=2)
    small, large = (box(ink(PlainText, "H", fontsize=size)) for size in (10, 40))
    assert (large[1] - large[0]) / (small[1] - small[0]) == pytest.approx(4, rel=0.2)


def test_a_dollar_sign_is_one():
    widths = [np.ptp(box(ink(PlainText, text))[2:]) for text in ("a$_b$c", "a_bc")]
    assert widths[0] > widths[1]


def test_letters_that_the_font_lacks_are_left_to_matplotlib():
    with pytest.warns(UserWarning, match="missing from font"):
        assert ink(PlainText, "街").max() > 0


@pytest.mark.parametrize("kind", ["svg", "pdf"])
def test_is_text_in_files_of_other_kinds(kind: str):
    figure, file = Figure(), io.BytesIO()
    figure.add_artist(PlainText(0.5, 0.5, "overlap"))
    figure.savefig(file, format=kind)
    assert b"<image" not in file.getvalue() and b"/Subtype /Image" not in file.getvalue()
    empty = io.BytesIO()
    Figure().savefig(empty, format=kind)
    assert len(file.getvalue()) > len(empty.getvalue()) + 500


@pytest.mark.parametrize("text", ["", "\n", " \n "])
def test_nothing_is_drawn_of_nothing(text: str):
    assert ink(PlainText, text).max() == 0
    hidden = ink(PlainText, "hidden", visible=False)
    assert hidden.max() == 0
