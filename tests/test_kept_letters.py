"""Figures of the tests show what matplotlib would have shown."""

import numpy as np
import pytest
from kept_letters import draw_letters, draw_text, measure_letters, measured
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties


def pixels(monkeypatch, drawn_by, *texts, **options):
    monkeypatch.setattr(RendererAgg, "draw_text", drawn_by)
    figure = Figure(figsize=(2, 1.5))
    for number, text in enumerate(texts):
        figure.text(60, 40 + 30 * number, text, transform=None, rotation_mode="anchor", **options)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()).astype(int)


@pytest.mark.parametrize(
    "options",
    [
        *({}, {"rotation": 90}, {"rotation": 33, "color": "#a04020"}, {"alpha": 0.4}),
        *({"color": (0, 0, 1, 0.5)}, {"family": "monospace", "size": 7}, {"size": 60}),
    ],
    ids=str,
)
def test_letters_are_where_and_what_they_were(monkeypatch, options):
    texts = ("Letters", "", r"$x^2_i$", "letters, again")
    expected = pixels(monkeypatch, draw_letters, *texts, **options)
    for _ in range(2):  # drawn, and kept
        found = pixels(monkeypatch, draw_text, *texts, **options)
        assert np.abs(found - expected).max() <= 2
    assert (expected < 255).any()


def test_they_are_as_wide_as_they_were():
    font = FontProperties(size=9)
    for text, math in (("width", False), ("$w^i$", True)):
        for dpi in (50, 100):
            assert measured(text, font, math, dpi) == measure_letters(
                RendererAgg(9, 9, dpi), text, font, math
            )
