import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox

from oodretrieval.charts.embedding_space import MARKERS, draw_embedding_space
from oodretrieval.charts.palette import GREY, PALETTE


@pytest.fixture
def figure():
    figure = Figure(figsize=(8, 5))
    FigureCanvasAgg(figure)
    return figure


def legend(axes):
    box = axes.get_legend()
    return [] if box is None else [text.get_text() for text in box.get_texts()]


POINTS = np.arange(24.0).reshape(12, 2)
TRUTH = np.array([1, 1, 2, 3, 3, 3, 9, 9, 9, 9, 7, 7])


def scatter(figure, emphasised, **kwargs):
    axes = figure.add_subplot()
    names = {1: "dog", 2: "cow", 3: "cone"}
    draw_embedding_space(axes, POINTS, TRUTH, names, emphasised, **kwargs)
    figure.canvas.draw()
    return axes


def test_scatter_shows_every_point_once_under_its_name(figure):
    axes = scatter(figure, [1, 2, 7, 50])
    drawn = np.concatenate([np.asarray(points.get_offsets()) for points in axes.collections])
    assert sorted(map(tuple, drawn)) == sorted(map(tuple, POINTS))
    assert legend(axes) == ["known classes, void (7)", "dog (2)", "cow (1)", "7 (2)"]
    np.testing.assert_array_equal(axes.collections[1].get_offsets(), POINTS[TRUTH == 1])
    colours = [to_hex(points.get_facecolor()[0]).upper() for points in axes.collections]
    assert colours == [GREY, *PALETTE[:3]]


def test_many_classes_have_looks_of_their_own(figure):
    axes = figure.add_subplot()
    number = len(PALETTE) * 3
    labels = np.arange(number)
    draw_embedding_space(axes, np.zeros((number, 2)), labels, {}, labels.tolist())
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
    assert to_hex(second.patch.get_edgecolor()).upper() == GREY
    for box, crop in zip((first, second), crops.values(), strict=True):
        np.testing.assert_array_equal(box.offsetbox.get_data(), crop)
        assert box.offsetbox.get_zoom() * max(crop.shape) == pytest.approx(52)
