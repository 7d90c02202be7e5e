import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from oodretrieval.charts.bars_and_lines import bar_chart, curve_chart, highlighted_bars, line_chart
from oodretrieval.charts.palette import BLUE, GREY, LINES, ORANGE

VALUES = {"dog": 0.25, "bicycle": 0.75, "cow": 0.5}
COUNTS = {"dog": 3, "bicycle": 40, "cow": 12}
CHANCE = {"dog": 0.05, "bicycle": 0.6, "cow": 0.2}


@pytest.fixture
def axes():
    return Figure().add_subplot()


def draw(axes, **changes):
    arguments = {"value_name": "average precision", "reference_name": "chance", **changes}
    bar_chart(axes, VALUES, COUNTS, CHANCE, **arguments)
    axes.figure.canvas.draw()


def test_bars_are_the_values_largest_on_top(axes):
    draw(axes)
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["dog (3)", "cow (12)", "bicycle (40)"]
    assert [bar.get_width() for bar in axes.patches] == [0.25, 0.5, 0.75]
    assert [bar.get_y() + bar.get_height() / 2 for bar in axes.patches] == pytest.approx([0, 1, 2])
    assert {to_hex(bar.get_facecolor()).upper() for bar in axes.patches} == {BLUE}


def test_each_row_has_its_own_chance_and_its_value_in_digits(axes):
    draw(axes)
    marks = axes.lines[0]
    assert list(zip(marks.get_xdata(), marks.get_ydata(), strict=True)) == [(0.05, 0), (0.2, 1), (0.6, 2)]
    assert marks.get_color() == ORANGE
    assert [text.get_text() for text in axes.texts] == ["0.25", "0.50", "0.75"]
    assert all(
        text.get_position()[0] > VALUES[name]
        for text, name in zip(axes.texts, ["dog", "cow", "bicycle"], strict=True)
    )


def test_lines_are_drawn_and_named_and_differ(axes):
    draw(axes, lines=[("mean", 0.5), ("weighted mean", 0.68)])
    assert [line.get_xdata()[0] for line in axes.lines[1:]] == [0.5, 0.68]
    assert axes.lines[1].get_linestyle() != axes.lines[2].get_linestyle()
    legend = [text.get_text() for text in axes.get_legend().get_texts()]
    assert legend == ["chance", "mean 0.50", "weighted mean 0.68"]


def test_the_axis_is_named_and_holds_every_value(axes):
    draw(axes)
    assert axes.get_xlabel() == "average precision"
    left, right = axes.get_xlim()
    assert left == 0
    assert right > 1


def test_no_class_is_an_empty_chart(axes):
    bar_chart(axes, {}, {}, {}, value_name="average precision", reference_name="chance")
    axes.figure.canvas.draw()
    assert len(axes.patches) == 0


def test_every_line_differs_by_colour_and_by_stroke(axes):
    points = np.array([0.0, 1.0])
    lines = {f"score {i}": (points, points * i) for i in range(len(LINES))}
    line_chart(axes, lines, ("looks", "objects"))
    axes.figure.canvas.draw()
    assert [line.get_label() for line in axes.lines] == list(lines)
    assert len({line.get_color() for line in axes.lines}) == len(LINES)
    assert len({str(stroke) for _, stroke in LINES}) == len(LINES)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("looks", "objects")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == list(lines)


def test_curves_keep_the_unit_square(axes):
    points = np.array([0.2, 0.4])
    curve_chart(axes, {"entropy": (points, points)}, ("recall", "precision"), legend="AUPRC")
    assert axes.get_xlim()[0] <= 0 < 1 <= axes.get_xlim()[1]
    assert axes.get_ylim()[0] <= 0 < 1 <= axes.get_ylim()[1]
    assert axes.get_legend().get_title().get_text() == "AUPRC"


def test_bars_that_stand_out(axes):
    counts = {"road": 1, "dog": 2, "sign": 5}
    highlighted_bars(axes, counts, {"dog"}, value_name="segments", legend=("unknown", "known"))
    axes.figure.canvas.draw()
    bars = {bar.get_y() + bar.get_height() / 2: bar for bar in axes.patches}
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["road", "dog", "sign"]
    drawn = {round(y): (bar.get_width(), to_hex(bar.get_facecolor()).upper()) for y, bar in bars.items()}
    assert drawn[1] == (2, ORANGE)
    assert {colour for row, (_, colour) in drawn.items() if row != 1} == {GREY}
    assert [text.get_text().strip() for text in axes.texts] == ["1 (12 %)", "2 (25 %)", "5 (62 %)"]
