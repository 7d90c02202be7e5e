"""Curves that suggest a number of clusters: where the elbow bends, where the silhouette is highest."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from oodretrieval.charts.palette import BLUE
from oodretrieval.search import elbow


def draw_elbow(axes: Axes, spread: NDArray[np.floating], title: str) -> None:
    """The spread within clusters over their number, with the number at which it bends most.

    Args:
        axes: Where to draw.
        spread: With 1, 2, 3, … clusters, ``(k,)`` with ``k >= 1``.
        title: Above the curve.
    """
    axes.plot(np.arange(1, len(spread) + 1), spread, "o-", color=BLUE)
    bend = elbow(spread)
    _mark(axes, bend, f"bends most at {bend}", 0.94)
    axes.set_ylabel("squared distances to the nearest centre")
    axes.set_ylim(bottom=0)
    _finish(axes, (1, len(spread)), title)


def draw_silhouette(axes: Axes, values: NDArray[np.floating], title: str) -> None:
    """The silhouette over the number of clusters, with the number at which it is highest.

    Args:
        axes: Where to draw.
        values: With 2, 3, … clusters, ``(k,)`` with ``k >= 1``; NaN where there is none.
        title: Above the curve.
    """
    numbers = np.arange(2, len(values) + 2)
    axes.plot(numbers, values, "o-", color=BLUE)
    if np.isfinite(values).any():
        best = int(numbers[np.nanargmax(values)])
        _mark(axes, best, f"highest at {best}", 0.06)
    axes.set_ylabel("silhouette (1 far apart, 0 touching, below 0 mixed up)")
    _finish(axes, (2, len(values) + 1), title)


def _mark(axes: Axes, number: int, text: str, height: float) -> None:
    """A line at a number of clusters, its text at a height of 0…1."""
    axes.axvline(number, color="#999999", linestyle="--", linewidth=1)
    axes.annotate(
        text, (number, height), xycoords=("data", "axes fraction"), xytext=(6, 0),
        textcoords="offset points", fontsize=9,
    )  # fmt: skip


def _finish(axes: Axes, numbers: tuple[int, int], title: str) -> None:
    axes.set_xlabel("number of clusters")
    axes.set_title(title, fontsize=10.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlim(numbers[0] - 0.5, numbers[1] + 0.5)
    axes.grid(alpha=0.3)
