"""The curve whose bend suggests a number of clusters."""

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
    axes.axvline(bend, color="#999999", linestyle="--", linewidth=1)
    axes.annotate(
        f"bends most at {bend}", (bend, 0.94), xycoords=("data", "axes fraction"), xytext=(6, 0),
        textcoords="offset points", fontsize=9,
    )  # fmt: skip
    axes.set_xlabel("number of clusters")
    axes.set_ylabel("squared distances to the nearest centre")
    axes.set_title(title, fontsize=10.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlim(0.5, len(spread) + 0.5)
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
