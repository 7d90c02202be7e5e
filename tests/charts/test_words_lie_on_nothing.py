"""Legends and names of charts stand next to what they name, however little is drawn."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from oodretrieval.charts.discovery import discovery_figure
from oodretrieval.charts.retrieval import retrieval_figure
from oodretrieval.evaluation import RetrievalMeasures

LOOKS = np.arange(5.0)


def of_classes(value, count):
    names = [f"class {number}" for number in range(count)]
    return RetrievalMeasures(value, value, dict.fromkeys(names, value), dict.fromkeys(names, 12), {})


@pytest.mark.parametrize("count", [1, 2, 9])
def test_the_legend_of_retrieval_hides_no_bar(count):
    figure = retrieval_figure(of_classes(0.92, count), of_classes(0.1, count), "Retrieval\ndefault embedding")
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    (axes,) = figure.axes
    legend = axes.get_legend().get_window_extent(renderer)
    drawn = [bar.get_window_extent(renderer) for bar in axes.patches]
    drawn += [text.get_window_extent(renderer) for text in axes.texts]
    assert len(drawn) == 2 * count and not any(legend.overlaps(each) for each in drawn)


def test_curves_of_discovery_are_named_outside_of_the_panels():
    curves = {"objects": (LOOKS, LOOKS / 4), "predicted segments": (LOOKS, LOOKS / 8)}
    limits = {"objects inspected, all": 0.92, "predicted segments inspected, all": 0.55}
    shares = dict.fromkeys(("touched", "found", "outlined"), curves)
    figure = discovery_figure(shares, {"found": limits, "outlined": limits}, "A scene")
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    assert all(not axes.texts and axes.get_legend() is None for axes in figure.axes)
    (legend,) = figure.legends
    assert {text.get_text() for text in legend.get_texts()} == {*curves, *limits}
    place = legend.get_window_extent(renderer)
    assert not any(place.overlaps(axes.get_window_extent(renderer)) for axes in figure.axes)
