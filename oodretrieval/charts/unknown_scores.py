"""Charts of the scores of unknown things: curves over all pixels, and maps of single images."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from oodretrieval.charts.bars_and_lines import curve_chart
from oodretrieval.charts.palette import BLACK, ORANGE, REFERENCE_LINE, SCORE_MAP
from oodretrieval.evaluation import ScoreCounts, detection_measures
from oodretrieval.evaluation.ood_components import IGNORE, UNKNOWN

Rates = NDArray[np.float64]
POINTS = 2000
"""Of a curve."""


def detection_figure(counts: Mapping[str, ScoreCounts], title: str) -> Figure:
    """ROC and precision over recall of every score, side by side.

    Args:
        counts: Score → its counts.
        title: Above both.

    Returns:
        The chart.
    """
    figure = Figure(figsize=(12, 5.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    measures = {name: detection_measures(count) for name, count in counts.items()}
    roc, recall = {}, {}
    for name, count in counts.items():
        alarms, hits, precision = _thinned(*count.curve())
        roc[f"{_words(name)}  {measures[name].auroc:.3f}"] = np.append(0, alarms), np.append(0, hits)
        recall[f"{_words(name)}  {measures[name].auprc:.3f}"] = hits, precision
    curve_chart(left, roc, ("false positive rate", "true positive rate"), legend="AUROC", place="lower right")
    left.plot([0, 1], [0, 1], color=BLACK, linewidth=0.8, linestyle=REFERENCE_LINE)
    curve_chart(right, recall, ("recall", "precision"), legend="AUPRC", place="upper right")
    prevalence = next(iter(measures.values())).prevalence
    right.axhline(prevalence, color=BLACK, linewidth=0.8, linestyle=REFERENCE_LINE)
    right.text(0.01, prevalence + 0.01, f"chance {prevalence:.3f}", fontsize=9)
    figure.suptitle(f"{title}: pixels")
    return figure


def _thinned(alarms: Rates, hits: Rates, precision: Rates) -> tuple[Rates, Rates, Rates]:
    """Points at equal steps along the ROC curve, whose rates rise from 0 to 1 each."""
    way = np.linspace(0, 2, POINTS)
    places = np.unique(np.searchsorted(alarms + hits, way).clip(0, len(alarms) - 1))
    return alarms[places], hits[places], precision[places]


def _words(name: str) -> str:
    return name.replace("_", " ").replace("iou", "IoU")


def score_map_figure(
    image: NDArray[np.uint8],
    maps: Mapping[str, NDArray[np.float32]],
    truth: NDArray[np.uint8],
    scales: Mapping[str, tuple[float, float]],
    title: str,
) -> Figure:
    """An image and every score of its pixels, unknown objects outlined.

    Args:
        image: ``(H, W, 3)`` RGB.
        maps: Score → its values, ``(H, W)``, higher where more unknown.
        truth: ``(H, W)``: 1 unknown, 0 known, 255 void.
        scales: Score → the values that are darkest and brightest.
        title: Name of the image, above all.

    Returns:
        The picture.
    """
    panels = len(maps) + 1
    columns = min((4, 3), key=lambda number: -panels % number)  # fewer panels are left empty
    rows = -(-panels // columns)
    height, width = truth.shape
    figure = Figure(figsize=(3.6 * columns, rows * (3.1 * height / width + 0.3) + 0.4), layout="constrained")
    places: list[Axes] = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for axes in places:
        axes.axis("off")
    places[0].imshow(image)
    _outline(places[0], truth)
    places[0].set_title("image; unknown outlined", fontsize=10)
    for axes, (name, values) in zip(places[1:], maps.items(), strict=False):
        low, high = scales[name]
        shown = np.ma.masked_array(values, truth == IGNORE)
        drawn = axes.imshow(shown, cmap=SCORE_MAP, vmin=low, vmax=max(high, low + 1e-6))
        axes.set_facecolor("white")
        _outline(axes, truth)
        axes.set_title(_words(name), fontsize=10)
        figure.colorbar(drawn, ax=axes, fraction=0.035, pad=0.01).ax.tick_params(labelsize=7)
    figure.suptitle(f"{title}: bright is more unknown, void is white", fontsize=11)
    return figure


def _outline(axes: Axes, truth: NDArray[np.uint8]) -> None:
    unknown = truth == UNKNOWN
    if unknown.any() and not unknown.all():
        axes.contour(unknown, levels=[0.5], colors=ORANGE, linewidths=1.0)
