import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from oodretrieval.charts.crop_sheets import draw_candidates, draw_neighbours, draw_review
from oodretrieval.charts.palette import GREY


@pytest.fixture
def figure():
    figure = Figure(figsize=(8, 5))
    FigureCanvasAgg(figure)
    return figure


def shown(axes):
    return np.asarray(axes.images[0].get_array())


QUERY = np.full((9, 7, 3), 50, np.uint8)


def crops(number):
    return [np.full((4 + i, 6, 3), i, np.uint8) for i in range(number)]


@pytest.mark.parametrize("number", [1, 5, 6, 12])
def test_neighbours_stand_in_order_next_to_the_query(figure, number):
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
    assert all(spine_colour(axes) == GREY for axes in neighbours)


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


def test_candidates_stand_in_order_on_their_sheet(figure):
    drawn = draw_candidates(figure, crops(7), [f"candidate {i}" for i in range(7)], columns=3, rows=4)
    figure.canvas.draw()
    assert [axes.get_xlabel() for axes in drawn] == [f"candidate {i}" for i in range(7)]
    places = [axes.get_subplotspec() for axes in drawn]
    assert [(place.rowspan.start, place.colspan.start) for place in places] == [
        (i // 3, i % 3) for i in range(7)
    ]
    assert all(place.get_gridspec().get_geometry() == (4, 3) for place in places), (
        "as large as on a full page"
    )
    for axes, crop in zip(drawn, crops(7), strict=True):
        np.testing.assert_array_equal(shown(axes), crop)


def sheet(kind, number):
    """What draws one kind of sheet of some crops, with all that may be left behind on its axes."""
    pictures, captions = crops(number), [f"{kind} {i}" for i in range(number)]
    if kind == "neighbours":
        return lambda figure: draw_neighbours(
            figure, QUERY, "q", pictures, captions, [i % 2 for i in range(number)]
        )
    if kind == "candidates":
        return lambda figure: draw_candidates(figure, pictures, captions, columns=4, rows=3)
    colours = ["#ff0000", ""] * number
    return lambda figure: draw_review(figure, pictures, captions, colours[:number], number // 2, np.arange(3))


KINDS = [("neighbours", 7), ("candidates", 11), ("review", 12), ("review", 3)]


@pytest.mark.parametrize(
    ("before", "kind"),
    [*zip(KINDS, KINDS[1:] + KINDS[:1], strict=True), *zip(KINDS, KINDS, strict=True)],
    ids=str,
)
def test_a_sheet_after_another_is_as_on_an_empty_figure(figure, before, kind):
    sheet(*before)(figure)
    figure.suptitle("the sheet before")
    figure.axes[1].annotate("✓", (0, 1))
    figure.canvas.draw()
    sheet(*kind)(figure)
    figure.canvas.draw()
    empty = Figure(figsize=(8, 5))
    FigureCanvasAgg(empty)
    sheet(*kind)(empty)
    empty.canvas.draw()
    np.testing.assert_array_equal(figure.canvas.buffer_rgba(), empty.canvas.buffer_rgba())
