"""Sheets of candidate classes: words stand next to their own pictures, however many there are."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from oodretrieval.charts.candidate_classes import ClassRow, classes_figure

PICTURE = np.zeros((20, 30, 3), np.uint8)


def test_words_of_a_class_end_before_the_next_begins():
    many, few = [f"line {number}" for number in range(14)], ["one line"]
    rows = [ClassRow(words, [PICTURE] * 3, [PICTURE]) for words in (many, few, many)]
    figure = classes_figure(rows, "candidate classes", 2, 1)
    renderer = FigureCanvasAgg(figure).get_renderer()
    *words, heading = figure.texts
    assert heading.get_text().startswith("candidate classes: ")
    boxes = [text.get_window_extent(renderer) for text in words]
    assert len(boxes) == 3
    for above, below in pairwise(boxes):
        assert above.y0 > below.y1
    assert boxes[-1].y0 >= 0
    pictures = [axes.get_position().y1 * figure.bbox.height for axes in figure.axes]
    for box, first in zip(boxes, (0, 4, 8), strict=True):
        assert abs(box.y1 - pictures[first]) < 0.1 * figure.dpi, "they begin where their first picture does"


@pytest.mark.parametrize("outlying", [0, 1])
def test_the_heading_says_what_the_frames_mean(outlying):
    row = ClassRow(["1."], [PICTURE] * 2, [PICTURE] * outlying)
    (heading,) = (
        text.get_text() for text in classes_figure([row], "Class 9", 2, 1).texts if "Class" in text.get_text()
    )
    assert heading.startswith("Class 9: ") and ("(amber)" in heading) == bool(outlying)
