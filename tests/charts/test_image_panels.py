from dataclasses import replace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from oodretrieval.charts.class_colours import colourise
from oodretrieval.charts.image_panels import draw_four_panels, four_panel_figure, frame
from oodretrieval.charts.image_view import ImageView
from oodretrieval.charts.palette import RED

RNG = np.random.default_rng(0)
PRED = {0: ("road", (128, 64, 128)), 1: ("car", (0, 0, 142)), 2: ("sky", (70, 130, 180))}
LABELS = {0: ("void", (0, 0, 0)), 5: ("street", (100, 60, 100)), 9: ("cow", (250, 200, 20))}
VIEW = ImageView(
    image=RNG.integers(0, 256, (12, 20, 3)).astype(np.uint8),
    prediction=RNG.integers(0, 2, (12, 20)),
    pred_mapping=PRED,
    entropy=RNG.random((12, 20)),
    values=RNG.random((12, 20)),
    labels=RNG.choice([5, 9, 77], (12, 20)),
    label_mapping=LABELS,
    box=(3, 2, 9, 7),
)


@pytest.fixture
def figure():
    figure = Figure(figsize=(8, 5))
    FigureCanvasAgg(figure)
    return figure


def panels(figure, view):
    """The four views, without the colour bars."""
    draw_four_panels(figure, view)
    figure.canvas.draw()
    found = [axes for axes in figure.axes if axes.images and axes.get_label() != "<colorbar>"]
    assert len(found) == 4
    return found


def shown(axes):
    return np.asarray(axes.images[0].get_array())


def legend(axes):
    box = axes.get_legend()
    return [] if box is None else [text.get_text() for text in box.get_texts()]


def test_four_panels_show_what_was_given(figure):
    entropy, iou, image, classes = panels(figure, VIEW)
    np.testing.assert_array_equal(shown(entropy), VIEW.entropy)
    np.testing.assert_array_equal(shown(iou), VIEW.values)
    np.testing.assert_array_equal(shown(classes), colourise(VIEW.prediction, PRED))
    overlay = 0.55 * VIEW.image + 0.45 * colourise(VIEW.labels, LABELS)
    assert np.abs(shown(image) - overlay).max() <= 1
    assert image.get_title() == "image with truth overlaid"
    bars = [axes.child_axes for axes in figure.axes]
    assert [len(each) for each in bars] == [1, 1, 0, 0], "four views, two of them with a colour bar"
    sizes = {tuple(np.round(axes.get_position().size, 6)) for axes in figure.axes}
    assert len(sizes) == 1, "of one size"
    assert entropy.images[0].get_clim() == iou.images[0].get_clim() == (0, 1)
    assert entropy.images[0].get_cmap().name != iou.images[0].get_cmap().name


def test_legends_name_what_is_present_and_nothing_else(figure):
    _, _, image, classes = panels(figure, VIEW)
    assert legend(classes) == ["road", "car"]
    assert legend(image) == ["street", "cow"]
    patch = classes.get_legend().get_patches()[1]
    assert to_hex(patch.get_facecolor()) == "#00008e"


def test_every_panel_frames_the_segment_in_red(figure):
    for axes in panels(figure, VIEW):
        (box,) = axes.patches
        assert box.get_bbox().extents.tolist() == [2.5, 1.5, 8.5, 6.5]
        assert to_hex(box.get_edgecolor()).upper() == RED
        assert not box.get_fill()
        # the frame does not widen the view
        assert axes.get_xlim() == (-0.5, 19.5)


@pytest.mark.parametrize("missing", [{"labels": None}, {"label_mapping": None}])
def test_without_truth_the_image_is_shown_as_it_is(figure, missing):
    _, _, image, _ = panels(figure, replace(VIEW, **missing, box=None))
    np.testing.assert_array_equal(shown(image), VIEW.image)
    assert image.get_title() == "image"
    assert legend(image) == []
    assert not image.patches


def test_what_is_drawn_again_replaces_what_was_there(figure):
    panels(figure, VIEW)
    panels(figure, replace(VIEW, box=None))
    assert len(figure.axes) == 4


def test_a_frame_encloses_its_pixels():
    """Pixel x is drawn from x - 0.5 to x + 0.5."""
    box = frame((0, 0, 1, 2), "black")
    assert isinstance(box, Rectangle)
    assert box.get_bbox().extents.tolist() == [-0.5, -0.5, 0.5, 1.5]


def test_a_picture_of_its_own_cuts_nothing_off():
    figure = four_panel_figure(replace(VIEW, limits=(-1234.5, 1234.5)), "what it is of")
    FigureCanvasAgg(figure).draw()
    edges = figure.bbox
    for axes in figure.axes:
        extent = axes.get_tightbbox(figure.canvas.get_renderer())
        assert extent.x0 >= 0 and extent.y0 >= 0 and extent.x1 <= edges.x1 and extent.y1 <= edges.y1
    assert figure.get_suptitle() == "what it is of"
