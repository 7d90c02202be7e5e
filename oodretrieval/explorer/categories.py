"""Segments by colour. Knows no toolkit."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from oodretrieval.charts.palette import CLUSTERS, FAINT, NAMELESS, SHADES, hex_colour


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
        found.append(Category(name, hex_colour(colours.get(name, NAMELESS)), rows, strange))
    return sorted(found, key=lambda category: (not category.unknown, -len(category.rows)))


def by_cluster(clusters: NDArray[np.integer]) -> list[Category]:
    """Categories by cluster.

    Args:
        clusters: Number of each segment's cluster, ``(n,)``, from 0.

    Returns:
        By number; counted from 1 for people.
    """
    return [
        Category(f"cluster {i + 1}", CLUSTERS[i % len(CLUSTERS)], np.flatnonzero(clusters == i))
        for i in range(int(clusters.max()) + 1)
    ]


def by_value(values: NDArray[np.floating], name: str) -> list[Category]:
    """Categories by fifths of a score.

    Args:
        values: Score of each segment, ``(n,)`` with ``n >= 1``, finite.
        name: What to call it.

    Returns:
        The highest first and darkest.
    """
    ranks = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    fifths = ranks * len(SHADES) // len(values)
    found = []
    for fifth in sorted(set(fifths.tolist()), reverse=True):
        rows = np.flatnonzero(fifths == fifth)
        low, high = values[rows].min(), values[rows].max()
        found.append(Category(f"{name} {low:.2f} … {high:.2f}", SHADES[fifth], rows))
    return found


def below(categories: list[Category], visible: NDArray[np.bool_]) -> list[Category]:
    """The same categories of what is visible alone, and last a faint one of the rest.

    Args:
        categories: Of all segments.
        visible: Which are shown, ``(n,)``.

    Returns:
        Those that have a visible segment; no faint one where all are visible.
    """
    if visible.all():
        return categories
    shown = [replace(category, rows=category.rows[visible[category.rows]]) for category in categories]
    hidden = Category("below the threshold", FAINT, np.flatnonzero(~visible), faint=True)
    return [*(category for category in shown if len(category.rows)), hidden]
