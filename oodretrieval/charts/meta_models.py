"""Charts of the analysis of a meta model: arrays in, figures out; for every common colour vision."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from oodretrieval.charts.bars_and_lines import curve_chart
from oodretrieval.charts.class_colours import colourise
from oodretrieval.charts.palette import BLUE, GREY, GRID, IOU_MAP, LINES, ORANGE, REFERENCE_LINE
from oodretrieval.labels import ClassMapping
from oodretrieval.places import spread

Vector = NDArray[np.float64]
Points = tuple[Vector, Vector]
_SHOWN_FEATURES = 30
_NAMED_PATHS = 7
_PANEL_WIDTH = 5.2
_ROWS = (1.0, 0.4, 0.7)
"""Inches of a rating picture below, between and above its panels."""


def correlation_figure(names: Sequence[str], values: Vector, title: str) -> Figure:
    """Horizontal bars of the correlations, the strongest on top.

    Args:
        names: Of the features, ``F``.
        values: -1…1, ``(F,)``.
        title: Above the bars.

    Returns:
        The chart.
    """
    order = np.argsort(-np.abs(values), kind="stable")[:_SHOWN_FEATURES][::-1]
    figure = Figure(figsize=(8, 1.4 + 0.24 * len(order)), layout="constrained")
    axes = figure.subplots()
    colours = [BLUE if values[i] >= 0 else ORANGE for i in order]
    axes.barh(range(len(order)), values[order], color=colours, height=0.75)
    for row, i in enumerate(order):
        aside = 0.015 if values[i] >= 0 else -0.015
        axes.text(
            values[i] + aside, row, f"{values[i]:+.2f}", va="center", ha="left" if aside > 0 else "right", fontsize=8
        )  # fmt: skip
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(order)), [names[i] for i in order], fontsize=8)
    axes.set_ylim(-0.7, len(order) - 0.3)
    axes.set_xlim(-1.12, 1.12)
    axes.set_xlabel("correlation with the IoU")
    axes.set_title(title, fontsize=11)
    axes.grid(axis="x", color=GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def path_figure(
    names: Sequence[str], penalties: Vector, weights: Vector, chosen: float, title: str
) -> Figure:
    """Weights of the lasso over its falling penalty, with the number of metrics that are left.

    Args:
        names: Of the features, ``F``.
        penalties: λ, falling, ``(L,)``.
        weights: ``(L, F)``.
        chosen: λ to mark; 0 for none.
        title: Above the chart.

    Returns:
        The chart.
    """
    figure = Figure(figsize=(9.5, 5.6), layout="constrained")
    axes = figure.subplots()
    entered = np.where((weights != 0).any(axis=0), (weights != 0).argmax(axis=0), len(penalties))
    first = np.argsort(entered, kind="stable")[:_NAMED_PATHS]
    others = [i for i in range(len(names)) if i not in set(first.tolist())]
    axes.plot(penalties, weights[:, others], color=GREY, linewidth=0.7)
    for number, i in enumerate(first):
        colour, stroke = LINES[number]
        axes.plot(penalties, weights[:, i], color=colour, linestyle=stroke, linewidth=1.8, label=names[i])
    if chosen:
        axes.axvline(
            chosen, color="black", linewidth=1, linestyle=(0, (1, 2)), label="chosen by held-out images"
        )
    axes.set_xscale("log")
    axes.invert_xaxis()
    axes.axhline(0, color="black", linewidth=0.6)
    axes.set_xlabel("penalty λ")
    axes.set_ylabel("weight of the standardised metric")
    axes.legend(title="first to enter, in order", fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5))
    _count_axis(axes, penalties, (weights != 0).sum(axis=1))
    axes.set_title(title, fontsize=11)
    axes.spines[["right"]].set_visible(False)
    return figure


def _count_axis(axes: Axes, penalties: Vector, counts: NDArray[np.integer]) -> None:
    """Above the chart: how many metrics are left at a penalty."""
    above = axes.secondary_xaxis("top")
    shown = spread(len(penalties), 9)
    above.set_xticks(penalties[shown], [str(counts[i]) for i in shown], fontsize=8)
    above.minorticks_off()
    above.set_xlabel("metrics left", fontsize=9)


def roc_figure(curves: Mapping[str, Points], title: str) -> Figure:
    """ROC curves of IoU > 0.

    Args:
        curves: Name, with its AUROC → false and true positive rates.
        title: Above the chart.

    Returns:
        The chart.
    """
    figure = Figure(figsize=(6.6, 6), layout="constrained")
    axes = figure.subplots()
    curve_chart(
        axes, curves, ("false positive rate", "true positive rate"), legend="score: AUROC", place="lower right"
    )  # fmt: skip
    axes.plot([0, 1], [0, 1], color="black", linewidth=0.8, linestyle=REFERENCE_LINE)
    axes.set_aspect("equal")
    axes.set_title(title, fontsize=11)
    return figure


def scatter_figure(parts: Mapping[str, Points], sizes: Mapping[str, Vector], title: str) -> Figure:
    """Predicted over true IoU, one panel a part, the colour of a segment showing its size.

    Args:
        parts: Name → true and predicted IoU.
        sizes: Name → pixels of the segments.
        title: Above all.

    Returns:
        The chart.
    """
    figure = Figure(figsize=(1.2 + 5.2 * len(parts), 5.4), layout="constrained")
    panels = figure.subplots(1, len(parts), squeeze=False)[0]
    largest = max((float(size.max()) for size in sizes.values() if len(size)), default=1.0)
    drawn = None
    for axes, (name, (true, predicted)) in zip(panels, parts.items(), strict=True):
        order = np.argsort(sizes[name], kind="stable")
        drawn = axes.scatter(
            true[order],
            predicted[order],
            c=sizes[name][order],
            norm=LogNorm(1, max(largest, 10)),
            cmap=f"{IOU_MAP}_r",
            s=9,
            alpha=0.6,
            linewidths=0,
        )
        axes.plot([0, 1], [0, 1], color=ORANGE, linewidth=1.2, linestyle="--")
        axes.set_xlim(-0.02, 1.02)
        axes.set_ylim(-0.02, 1.02)
        axes.set_aspect("equal")
        axes.set_xlabel("true IoU")
        axes.set_ylabel("predicted IoU")
        axes.set_title(f"{name} ({len(true)})", fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
    if drawn is not None:
        shades = ScalarMappable(drawn.norm, drawn.cmap)  # the points themselves are translucent
        figure.colorbar(shades, ax=list(panels), fraction=0.04, pad=0.02, label="pixels of the segment")
    figure.suptitle(title, fontsize=11)
    return figure


def importance_figure(
    kinds: Mapping[str, tuple[float, float]], features: Mapping[str, tuple[float, float]], title: str
) -> Figure:
    """How much R² falls without each kind of metric, and without the most important single ones.

    Args:
        kinds: Kind → mean and deviation of the loss of R².
        features: The same of single features.
        title: Above both.

    Returns:
        The chart.
    """
    figure = Figure(figsize=(12, 5.6), layout="constrained")
    left, right = figure.subplots(1, 2)
    most = sorted(features, key=lambda name: -features[name][0])[:20]
    _loss_bars(left, kinds, "all metrics of a kind shuffled")
    _loss_bars(right, {name: features[name] for name in most}, "single metrics, the 20 most important")
    figure.suptitle(title, fontsize=11)
    return figure


def _loss_bars(axes: Axes, losses: Mapping[str, tuple[float, float]], title: str) -> None:
    names = sorted(losses, key=lambda name: losses[name][0])
    means, spreads = zip(*(losses[name] for name in names), strict=True)
    axes.barh(names, means, xerr=spreads, color=BLUE, height=0.7, ecolor="black", capsize=2)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_xlabel("loss of R² (bar), deviation over repetitions (line)")
    axes.set_title(title, fontsize=10)
    axes.tick_params(axis="y", labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)


def rating_figure(
    true: Vector | None,
    predicted: Vector,
    labels: tuple[NDArray[np.integer], ClassMapping] | None,
    prediction: tuple[NDArray[np.integer], ClassMapping],
    title: str,
) -> Figure:
    """The rating of every segment of an image next to what is there: true IoU, predicted IoU, truth, prediction.

    Args:
        true: True IoU of the segment at each pixel, ``(H, W)``; NaN where there is none; None without truth.
        predicted: Predicted IoU, ``(H, W)``.
        labels: Label ids ``(H, W)`` and their names and colours, or None.
        prediction: Predicted ids ``(H, W)`` and their names and colours.
        title: Above all.

    Returns:
        The chart.
    """
    height, width = predicted.shape
    panel = _PANEL_WIDTH * height / width
    total = 2 * panel + sum(_ROWS)
    figure = Figure(figsize=(2 * _PANEL_WIDTH + 1.5, total))
    figure.suptitle(title, fontsize=11, y=1 - 0.15 / total, va="top")
    bottom, top = _ROWS[0] / total, (_ROWS[0] + _ROWS[1] + panel) / total
    across = figure.get_figwidth()
    for place, (values, name) in enumerate(((true, "true IoU"), (predicted, "predicted IoU"))):
        axes = figure.add_axes(_box(place, top, panel, figure))
        _bare(axes, name if values is not None else f"{name}: no truth at hand")
        if values is not None:
            drawn = axes.imshow(values, cmap=IOU_MAP, vmin=0, vmax=1, interpolation="nearest")
    bar = figure.add_axes((1 - 0.95 / across, top, 0.2 / across, panel / total))
    figure.colorbar(drawn, cax=bar, label="IoU of each segment; grey: none")
    for place, (ids, name) in enumerate(((labels, "truth"), (prediction, "predicted classes"))):
        axes = figure.add_axes(_box(place, bottom, panel, figure))
        _bare(axes, name if ids is not None else f"{name}: none at hand")
        if ids is not None:
            axes.imshow(colourise(*ids), interpolation="nearest")
            _class_legend(axes, *ids)
    return figure


def _box(place: int, bottom: float, panel: float, figure: Figure) -> tuple[float, float, float, float]:
    """Left, bottom, width and height of a panel, as shares of the figure."""
    across, total = figure.get_size_inches()
    left = 0.15 + place * (_PANEL_WIDTH + 0.15)
    return left / across, bottom, _PANEL_WIDTH / across, panel / total


def _bare(axes: Axes, title: str) -> None:
    axes.set_facecolor(GREY)
    axes.set_title(title, fontsize=10)
    axes.set_xticks([])
    axes.set_yticks([])


def _class_legend(axes: Axes, ids: NDArray[np.integer], mapping: ClassMapping) -> None:
    handles = []
    for i in (i for i in map(int, np.unique(ids)) if i in mapping):
        name, (red, green, blue) = mapping[i]
        colour = (red / 255, green / 255, blue / 255)
        handles.append(Patch(facecolor=colour, edgecolor="black", linewidth=0.4, label=name))
    axes.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.5, -0.01),
        ncols=4,
        fontsize=8,
        frameon=False,
        columnspacing=1.2,
    )
