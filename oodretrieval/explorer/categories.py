"""Segments by colour. Knows no toolkit."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

CLUSTER_COLOURS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8C564B", "#B8A800"),
    *("#5E4FA2", "#1B1B1B", "#66A61E", "#A6761D", "#E7298A", "#7F7F7F", "#17BECF", "#9E0142"),
)
SCORE_COLOURS = ("#FDE737", "#BBAF71", "#7D7C78", "#3F4C6B", "#00204D")
"""Cividis from light to dark, which the colour-blind see in order, too."""
UNIFORM = "#35618F"
FAINT = "#DDDDDD"
NAMELESS = (150, 150, 150)


@dataclass(frozen=True, eq=False)
class Category:
    """Segments of one colour.

    Attributes:
        name: What they have in common.
        colour: ``#rrggbb``.
        rows: Their rows in the catalogue, ``(k,)``.
        unknown: Whether they are of a class that the network never learned.
        faint: Whether they are below the threshold: drawn small, behind all others.
    """

    name: str
    colour: str
    rows: NDArray[np.intp]
    unknown: bool = False
    faint: bool = False


def by_name(
    names: NDArray[np.str_], colours: Mapping[str, tuple[int, int, int]], unknown: NDArray[np.bool_]
) -> list[Category]:
    """Categories by the names of classes.

    Args:
        names: Name of each segment's class, ``(n,)``.
        colours: Name → (red, green, blue), 0…255; a name without one is grey.
        unknown: Whether the network never learned it, ``(n,)``.

    Returns:
        Unknown ones first, then the most frequent first.
    """
    found = []
    # a name that is known in one dataset may be unknown in another
    for name, strange in sorted(set(zip(names.tolist(), unknown.tolist(), strict=True))):
        rows = np.flatnonzero((names == name) & (unknown == strange))
        found.append(Category(name, _hex(colours.get(name, NAMELESS)), rows, strange))
    return sorted(found, key=lambda category: (not category.unknown, -len(category.rows)))


def by_cluster(clusters: NDArray[np.integer]) -> list[Category]:
    """Categories by number of cluster, ``(n,)``; counted from 1 for people."""
    return [
        Category(f"cluster {i + 1}", CLUSTER_COLOURS[i % len(CLUSTER_COLOURS)], np.flatnonzero(clusters == i))
        for i in range(int(clusters.max()) + 1)
    ]


def by_value(values: NDArray[np.floating], name: str) -> list[Category]:
    """Categories by fifths of a score, the highest first and darkest.

    Args:
        values: Score of each segment, ``(n,)`` with ``n >= 1``, finite.
        name: What to call it.
    """
    ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    fifths = ranks * len(SCORE_COLOURS) // len(values)
    found = []
    for fifth in sorted(set(fifths.tolist()), reverse=True):
        rows = np.flatnonzero(fifths == fifth)
        low, high = values[rows].min(), values[rows].max()
        found.append(Category(f"{name} {low:.2f} … {high:.2f}", SCORE_COLOURS[fifth], rows))
    return found


def _hex(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def below(categories: list[Category], visible: NDArray[np.bool_]) -> list[Category]:
    """The same categories of what is visible alone, and last a faint one of the rest.

    Args:
        categories: Of all segments.
        visible: Which are shown, ``(n,)``.
    """
    if visible.all():
        return categories
    shown = [replace(category, rows=category.rows[visible[category.rows]]) for category in categories]
    hidden = Category("below the threshold", FAINT, np.flatnonzero(~visible), faint=True)
    return [*(category for category in shown if len(category.rows)), hidden]
