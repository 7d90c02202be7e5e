"""Charts of a segmentation: the mean IoU on both sides of a threshold of the predicted IoU."""

from matplotlib.figure import Figure

from oodretrieval.charts.bars_and_lines import line_chart
from oodretrieval.evaluation import IouCurves


def iou_curve_figure(curves: IouCurves, title: str) -> Figure:
    """Mean IoU above and below every threshold, and the share of the pixels above.

    Args:
        curves: What is drawn over its thresholds.
        title: Above the chart.

    Returns:
        The chart.
    """
    figure = Figure(figsize=(8, 4.8), layout="constrained")
    axes = figure.subplots()
    t = curves.thresholds
    lines = {
        "mean IoU of the pixels in segments with predicted IoU ≥ t": (t, curves.above),
        "mean IoU of the pixels in segments with predicted IoU < t": (t, curves.below),
        "share of the pixels with predicted IoU ≥ t": (t, curves.share_above),
    }
    line_chart(axes, lines, ("threshold t of the predicted IoU", "mean IoU over the classes present; share"))
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1.02)
    figure.suptitle(title, fontsize=11)
    return figure
