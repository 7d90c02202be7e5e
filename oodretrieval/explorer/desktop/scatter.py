"""Segments as points: by colour, with a legend, with their density behind them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from oodretrieval.charts.palette import DENSITY_MAP
from oodretrieval.explorer.categories import Category

MOST_IN_LEGEND = 18
_CELLS = 160
_MARGIN = 0.04
_ROOM = 1.35
"""Width that is kept free for a legend, inches."""


def draw_categories(
    axes: Axes, points: NDArray[np.floating], categories: Sequence[Category], legend: bool
) -> None:
    """Draw every segment in the colour of its category; replaces what was there.

    Args:
        axes: Where.
        points: ``(n, 2)``.
        categories: Which share ``n`` rows among them. Unknown ones become larger diamonds, drawn last, faint
            ones small dots, drawn first.
        legend: Whether there is a legend; one colour for all needs none.
    """
    axes.clear()
    size = float(np.clip(9000 / len(points), 9, 46))
    for category in sorted(categories, key=lambda category: (not category.faint, category.unknown)):
        axes.scatter(
            points[category.rows, 0],
            points[category.rows, 1],
            s=size * (0.4 if category.faint else 1.3 if category.unknown else 1.0),
            c=category.colour,
            marker="D" if category.unknown else "o",
            edgecolors="#202020" if category.unknown else "#ffffff",
            linewidths=0.7 if category.unknown else 0.35,
            label=f"{category.name} ({len(category.rows)})",
            zorder=3 if category.unknown else 2,
        )
    fit_limits(axes, points, legend)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_color("#bbbbbb")
    if legend and len(categories) > 1:
        _legend(axes, categories)


def _legend(axes: Axes, categories: Sequence[Category]) -> None:
    handles, names = axes.get_legend_handles_labels()
    by_name = dict(zip(names, handles, strict=True))
    order = [f"{category.name} ({len(category.rows)})" for category in categories]
    shown = order[:MOST_IN_LEGEND]
    title = f"and {len(order) - len(shown)} more" if len(order) > len(shown) else None
    legend = axes.legend(
        [by_name[name] for name in shown],
        shown,
        loc="upper left",
        fontsize=8.5,
        framealpha=0.88,
        edgecolor="#dddddd",
        borderpad=0.6,
        handletextpad=0.3,
        title=title,
        title_fontsize=8,
        alignment="left",
    )
    legend.set_zorder(5)


def fit_limits(axes: Axes, points: NDArray[np.floating], legend: bool) -> None:
    """Limits for all points with a margin, one unit as long in x as in y.

    A legend has room on the left in every colouring, so that the points do not jump from one to the next.

    Matplotlib's own equal aspect would complain about limits that are fixed in both directions.

    Args:
        axes: The scatter, at its present size on screen.
        points: ``(n, 2)``.
        legend: Whether there may be a legend.
    """
    low, high = points.min(axis=0).astype(float), points.max(axis=0).astype(float)
    size = np.maximum(axes.bbox.size, 1.0)
    figure: Any = axes.get_figure(root=True)
    room = np.array([min(_ROOM * figure.dpi, 0.3 * size[0]) if legend else 0.0, 0.0])
    unit = float(((high - low) / (size - room)).max()) * (1 + 2 * _MARGIN) or 1.0 / float(size.max())
    middle, half = (low + high) / 2, (size - room) * unit / 2
    (left, bottom), (right, top) = middle - half - room * unit, middle + half
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)


def draw_density(axes: Axes, points: NDArray[np.floating]) -> None:
    """Shade where segments are dense, behind them.

    Args:
        axes: Where.
        points: ``(n, 2)``.
    """
    low, high = points.min(axis=0).astype(float), points.max(axis=0).astype(float)
    reach = 0.65 * float((high - low).max()) or 1.0
    (left, bottom), (right, top) = (low + high) / 2 - reach, (low + high) / 2 + reach
    counts, x_edges, y_edges = np.histogram2d(
        points[:, 0], points[:, 1], bins=_CELLS, range=[[left, right], [bottom, top]]
    )
    # half of Scott's rule, which is for one bell and would melt groups into one
    width = 0.5 * float(points.std(axis=0).mean()) * len(points) ** (-1 / 6)
    smooth = gaussian_filter(counts, max(1.5, width * _CELLS / (2 * reach)))
    limits = axes.get_xlim(), axes.get_ylim()
    highest = float(smooth.max())
    x, y = (x_edges[:-1] + x_edges[1:]) / 2, (y_edges[:-1] + y_edges[1:]) / 2
    levels = np.linspace(0.06, 1.0, 9) * highest
    axes.contourf(x, y, smooth.T, levels=levels, cmap=DENSITY_MAP, vmin=0, vmax=1.7 * highest, zorder=0)
    axes.set_xlim(limits[0])
    axes.set_ylim(limits[1])
