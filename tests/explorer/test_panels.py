from dataclasses import replace

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox
from matplotlib.patches import Rectangle

from oodretrieval.explorer.panels import (
    KNOWN,
    MARKERS,
    PALETTE,
    RED,
    ImageView,
    draw_four_panels,
    draw_neighbours,
    draw_scatter,
    frame,
)
from oodretrieval.labels import colourise

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
    assert len(figure.axes) == 6, "four views and two colour bars"
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


def test_drawing_again_replaces_what_was_there(figure):
    panels(figure, VIEW)
    panels(figure, replace(VIEW, box=None))
    assert len(figure.axes) == 6


def test_a_frame_encloses_its_pixels():
    """Pixel x is drawn from x - 0.5 to x + 0.5."""
    box = frame((0, 0, 1, 2), "black")
    assert isinstance(box, Rectangle)
    assert box.get_bbox().extents.tolist() == [-0.5, -0.5, 0.5, 1.5]


POINTS = np.arange(24.0).reshape(12, 2)
TRUTH = np.array([1, 1, 2, 3, 3, 3, 9, 9, 9, 9, 7, 7])


def scatter(figure, emphasised, **kwargs):
    axes = figure.add_subplot()
    names = {1: "dog", 2: "cow", 3: "cone"}
    draw_scatter(axes, POINTS, TRUTH, names, emphasised, **kwargs)
    figure.canvas.draw()
    return axes


def test_scatter_shows_every_point_once_under_its_name(figure):
    axes = scatter(figure, [1, 2, 7, 50])
    drawn = np.concatenate([np.asarray(points.get_offsets()) for points in axes.collections])
    assert sorted(map(tuple, drawn)) == sorted(map(tuple, POINTS))
    assert legend(axes) == ["known classes, void (7)", "dog (2)", "cow (1)", "7 (2)"]
    np.testing.assert_array_equal(axes.collections[1].get_offsets(), POINTS[TRUTH == 1])
    colours = [to_hex(points.get_facecolor()[0]).upper() for points in axes.collections]
    assert colours == [KNOWN, *PALETTE[:3]]


def test_many_classes_have_looks_of_their_own(figure):
    axes = figure.add_subplot()
    number = len(PALETTE) * 3
    labels = np.arange(number)
    draw_scatter(axes, np.zeros((number, 2)), labels, {}, labels.tolist())
    looks = [
        (to_hex(points.get_facecolor()[0]), points.get_paths()[0].vertices.tobytes())
        for points in axes.collections[1:]
    ]
    assert len(set(looks)) == number
    assert len(MARKERS) == len(PALETTE)


def test_nothing_emphasised_is_all_grey(figure):
    axes = scatter(figure, [])
    assert legend(axes) == ["known classes, void (12)"]


def test_thumbnails_stand_at_their_points_in_their_colour(figure):
    crops = {0: np.zeros((8, 4, 3), np.uint8), 6: np.full((5, 50, 3), 9, np.uint8)}
    axes = scatter(figure, [1], thumbnails=crops)
    first, second = (child for child in axes.get_children() if isinstance(child, AnnotationBbox))
    assert first.xy == tuple(POINTS[0])
    assert second.xy == tuple(POINTS[6])
    assert to_hex(first.patch.get_edgecolor()).upper() == PALETTE[0]
    assert to_hex(second.patch.get_edgecolor()).upper() == KNOWN
    for box, crop in zip((first, second), crops.values(), strict=True):
        np.testing.assert_array_equal(box.offsetbox.get_data(), crop)
        assert box.offsetbox.get_zoom() * max(crop.shape) == pytest.approx(52)


QUERY = np.full((9, 7, 3), 50, np.uint8)


def crops(number):
    return [np.full((4 + i, 6, 3), i, np.uint8) for i in range(number)]


@pytest.mark.parametrize("number", [1, 5, 6, 12])
def test_neighbours_stand_in_order_beside_the_query(figure, number):
    captions = [f"cow {i}" for i in range(number)]
    draw_neighbours(figure, QUERY, "the query", crops(number), captions)
    figure.canvas.draw()
    query, *neighbours = figure.axes
    assert query.get_title() == "query"
    assert query.get_xlabel() == "the query"
    np.testing.assert_array_equal(shown(query), QUERY)
    assert [axes.get_xlabel() for axes in neighbours] == captions
    for axes, crop in zip(neighbours, crops(number), strict=True):
        np.testing.assert_array_equal(shown(axes), crop)
    lefts = [round(axes.get_subplotspec().colspan.start) for axes in neighbours]
    assert lefts == [1 + i % 5 for i in range(number)]
    assert all(spine_colour(axes) == KNOWN for axes in neighbours)


def spine_colour(axes):
    (colour,) = {to_hex(spine.get_edgecolor()).upper() for spine in axes.spines.values()}
    return colour


def test_relevant_neighbours_are_marked_in_colour_and_shape(figure):
    draw_neighbours(figure, QUERY, "q", crops(3), ["a", "b", "c"], [True, False, True])
    figure.canvas.draw()  # warnings are errors: every mark has a glyph
    marks = [axes.get_xlabel() for axes in figure.axes[1:]]
    assert marks == ["✓ a", "✗ b", "✓ c"]
    colours = [spine_colour(axes) for axes in figure.axes[1:]]
    assert colours[0] == colours[2] != colours[1]


def test_a_query_without_neighbours_stands_alone(figure):
    draw_neighbours(figure, QUERY, "lonely", [], [])
    figure.canvas.draw()
    (query,) = figure.axes
    assert query.get_xlabel() == "lonely"


def test_captions_and_neighbours_must_be_as_many(figure):
    with pytest.raises(ValueError, match="zip"):
        draw_neighbours(figure, QUERY, "q", crops(2), ["a"])
