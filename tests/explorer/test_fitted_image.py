"""An image that fills its axes: where and as imshow draws it."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from scipy.ndimage import zoom

from oodretrieval.explorer.desktop.fitted_image import FittedImage

SMOOTH = zoom(np.random.default_rng(0).integers(0, 256, (6, 9, 3)), (20, 20, 1), order=1).astype(np.uint8)


def pixels(image, show, dpi=100, limits=None):
    figure = Figure(figsize=(4, 3), dpi=dpi)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.05, 0.1, 0.9, 0.8))
    axes.set_axis_off()
    show(axes, image)
    if limits:
        axes.set_xlim(*limits)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba()).astype(int)


def by_matplotlib(axes, image):
    axes.imshow(image)


@pytest.mark.parametrize(
    ("image", "difference"),
    [(SMOOTH, 3), (SMOOTH[:, :60], 3), (SMOOTH[::8, ::8], 12)],
    ids=["wide", "high", "enlarged"],
)
@pytest.mark.parametrize("dpi", [70, 100])
def test_it_lies_where_imshow_puts_it_and_looks_alike(image, difference, dpi):
    ours, theirs = (pixels(image, show, dpi) for show in (FittedImage, by_matplotlib))
    white = [(each == 255).all(axis=2) for each in (ours, theirs)]
    assert (white[0] != white[1]).mean() < 0.01, "but for a line at its border"
    assert np.abs(ours - theirs)[~(white[0] | white[1])].mean() < difference


def test_of_a_part_matplotlib_draws_what_it_always_does():
    limits = (20, 60)
    ours, theirs = (pixels(SMOOTH, show, limits=limits) for show in (FittedImage, by_matplotlib))
    np.testing.assert_array_equal(ours, theirs)


def test_the_next_image_in_the_same_axes_is_shown_as_a_whole():
    figure = Figure()
    axes = figure.add_subplot()
    FittedImage(axes, SMOOTH)
    FittedImage(axes, SMOOTH[:, :60])
    assert axes.get_xlim() == (-0.5, 59.5) and axes.get_ylim() == (len(SMOOTH) - 0.5, -0.5)
