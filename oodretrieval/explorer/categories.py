"""Segments by colour. Knows no toolkit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.charts.palette import CLUSTERS, FAINT, GREY
from oodretrieval.colours import NAMELESS, hex_colour
from oodretrieval.explorer.colour_scale import LEVELS, ColourScale, level_colours
from oodretrieval.results.segment_classes import ClassNames
from oodretrieval.search.row_comparisons import Groups

LEFT_OUT = "left out"
"""Name of the category of what is below the threshold, filtered away or hidden."""
MOST_COLOURS = 64
"""Values of a column that have a category of their own; the others share one."""
_FEW = 12
"""Different numbers from which on a column of whole numbers has a colour bar."""


@dataclass(frozen=True)
class Group:
    """What segments of one colour have in common.

    Attributes:
        name: In words.
        colour: ``#rrggbb``.
        unknown: Whether it is a class that the network never learned.
        on_scale: Whether it is a colour of the scale, which the colour bar shows instead of an entry of its own.
    """

    name: str
    colour: str
    unknown: bool = False
    on_scale: bool = False


@dataclass(frozen=True, eq=False)
class Grouping:
    """Every segment in one group.

    Attributes:
        codes: Index of each segment's group, ``(n,)``.
        groups: In the order in which they are listed.
        scale: Of the number that the colours stand for; None for groups of another kind.
    """

    codes: NDArray[np.intp]
    groups: tuple[Group, ...]
    scale: ColourScale | None = None


@dataclass(frozen=True, eq=False)
class Category:
    """Segments of one colour that are shown.

    Attributes:
        name: What they have in common.
        colour: ``#rrggbb``.
        rows: Their rows in the catalogue, ``(k,)``.
        unknown: Whether they are of a class that the network never learned.
        faint: Whether they are left out: drawn small, behind all others.
        total: How many there are, shown or not.
        selected: How many of those shown are selected; None where nothing is selected at all.
        hidden: Whether the person hid them.
        on_scale: As of their group.
    """

    name: str
    colour: str
    rows: NDArray[np.intp]
    unknown: bool = False
    faint: bool = False
    total: int = 0
    selected: int | None = None
    hidden: bool = False
    on_scale: bool = False

    @property
    def count(self) -> str:
        """How many: ``412``, or ``47 / 412`` where some are left out, or, once something is selected, how many are."""
        shown = len(self.rows)
        if self.selected is not None and not self.faint:
            return f"{self.selected} / {shown}"
        return f"{shown}" if shown == self.total or self.faint else f"{shown} / {self.total}"

    @property
    def label(self) -> str:
        """Name and number, for a legend."""
        return f"{self.name} ({self.count})"


def categories(
    grouping: Grouping,
    visible: NDArray[np.bool_],
    selection: NDArray[np.bool_] | None = None,
    hidden: frozenset[str] = frozenset(),
) -> list[Category]:
    """The segments by colour, as a legend lists them.

    Args:
        grouping: Of all segments.
        visible: Which are shown, ``(n,)``.
        selection: Which are selected, ``(n,)``; None for none.
        hidden: Names of the groups that the person hid; they stay in the list.

    Returns:
        Groups with a visible segment, and hidden ones; last a faint one of the rest, if there is any.
    """
    number = len(grouping.groups)
    totals = np.bincount(grouping.codes, minlength=number)
    rows = _rows_by_code(grouping.codes, visible, number)
    found = [
        Category(
            group.name, group.colour, rows[place], group.unknown, total=int(totals[place]),
            selected=None if selection is None else int(selection[rows[place]].sum()),
            hidden=group.name in hidden, on_scale=group.on_scale,
        )
        for place, group in enumerate(grouping.groups)
    ]  # fmt: skip
    shown = [category for category in found if len(category.rows) or (category.hidden and category.total)]
    if visible.all():
        return shown
    rest = np.flatnonzero(~visible)
    return [*shown, Category(LEFT_OUT, FAINT, rest, faint=True, total=len(rest))]


def _rows_by_code(codes: NDArray[np.intp], visible: NDArray[np.bool_], number: int) -> list[NDArray[np.intp]]:
    rows = np.flatnonzero(visible)
    here = codes[rows]
    small = (
        here.astype(np.uint16) if number <= np.iinfo(np.uint16).max else here
    )  # sorted by radix: ten times as fast
    order = np.argsort(small, kind="stable")
    edges = np.cumsum(np.bincount(here, minlength=number))
    return np.split(rows[order], edges[:-1])


def by_name(
    classes: ClassNames, colours: Mapping[str, tuple[int, int, int]], unknown: NDArray[np.bool_]
) -> Grouping:
    """Groups by the names of classes.

    Args:
        classes: Name of each segment's class, ``(n,)``.
        colours: Name → (red, green, blue), 0…255; a name without one is grey.
        unknown: Whether the network never learned it, ``(n,)``.

    Returns:
        Unknown ones first, then the most frequent first.
    """
    # a name that is known in one dataset may be unknown in another
    pairs = 2 * classes.codes + unknown
    counts = np.bincount(pairs, minlength=2 * len(classes.names))
    present = np.flatnonzero(counts)
    found = [
        Group(name, hex_colour(colours.get(name, NAMELESS)), bool(pair % 2))
        for pair, name in ((pair, classes.names[pair // 2]) for pair in present.tolist())
    ]
    place = np.zeros(len(counts), np.intp)
    place[present] = np.arange(len(present))
    order = sorted(range(len(found)), key=lambda i: (not found[i].unknown, -counts[present[i]]))
    return _ordered(place[pairs], found, order)


def by_cluster(clusters: NDArray[np.integer]) -> Grouping:
    """Groups by cluster.

    Args:
        clusters: Number of each segment's cluster, ``(n,)``, from 0; -1 for none.

    Returns:
        By number; counted from 1 for people; last what is in none.
    """
    number = int(clusters.max()) + 1
    groups = [Group(f"cluster {i + 1}", CLUSTERS[i % len(CLUSTERS)]) for i in range(number)]
    codes = np.where(clusters < 0, number, clusters).astype(np.intp)
    return Grouping(codes, (*groups, Group("no cluster", GREY)))


def by_value(values: NDArray[np.floating], name: str) -> Grouping:
    """Groups by a number: a colour bar.

    Args:
        values: Of each segment, ``(n,)`` with ``n >= 1``; what is not finite has a group of its own.
        name: What to call it.

    Returns:
        The highest first and darkest.
    """
    known = np.isfinite(values)
    codes = np.full(len(values), LEVELS, np.intp)
    scale = None
    if known.any():
        scale = ColourScale.of(values[known], name)
        codes[known] = LEVELS - 1 - scale.levels(values[known])
    shades = [Group(f"{name} {place}", shade, on_scale=True) for place, shade in enumerate(level_colours())]
    return Grouping(codes, (*reversed(shades), Group(f"{name} not known", GREY)), scale)


def by_column(values: NDArray[Any], name: str) -> Grouping:
    """Groups by a column: by its values where those are few or texts, else by a colour bar.

    Args:
        values: Of each segment, ``(n,)`` numbers, truth values or texts.
        name: Of the column.

    Returns:
        Values by themselves: the most frequent first, what is beyond :data:`MOST_COLOURS` together as the last.
    """
    if values.dtype.kind == "f" or (values.dtype.kind in "iu" and len(np.unique(values)) > _FEW):
        return by_value(values.astype(np.float64), name)
    texts = values.dtype.kind in "OUT"
    codes, distinct = pd.factorize(pd.Series(values, dtype=object if texts else None), use_na_sentinel=False)
    order = np.argsort(-np.bincount(codes), kind="stable").tolist()
    words = [str(each) if texts else f"{name} {each}" for each in distinct]
    groups = [Group(word, GREY) for word in words]
    found = _ordered(codes, groups, order)
    coloured = [
        Group(group.name, CLUSTERS[place % len(CLUSTERS)]) for place, group in enumerate(found.groups)
    ]
    if len(coloured) <= MOST_COLOURS:
        return Grouping(found.codes, tuple(coloured))
    rest = Group(f"{len(coloured) - MOST_COLOURS} others", GREY)
    return Grouping(np.minimum(found.codes, MOST_COLOURS), (*coloured[:MOST_COLOURS], rest))


def by_tag(tags: Groups, colours: Mapping[str, str]) -> Grouping:
    """Groups by tags; what has several tags is a group by itself, in the colour of the first.

    Args:
        tags: Which rows have which.
        colours: Tag → ``#rrggbb``.

    Returns:
        Single tags in order, then those together, last what has none.
    """
    names = sorted(tags.rows)
    together = np.zeros(tags.number, np.int64)
    codes: dict[tuple[str, ...], int] = {}
    for name in names:  # numbers stand for sets of tags; there are few different ones
        with_it = tags.rows[name]
        for code in np.unique(together[with_it]).tolist():
            before = next((held for held, number in codes.items() if number == code), ())
            new = codes.setdefault((*before, name), len(codes) + 1)
            together[with_it & (together == code)] = -new
        together = np.abs(together)
    held = [(), *codes]
    counts = np.bincount(together, minlength=len(held))
    order = sorted(range(1, len(held)), key=lambda i: (len(held[i]), held[i]))
    groups = [Group(" + ".join(each) or "no tag", colours[each[0]] if each else FAINT) for each in held]
    return _ordered(together, groups, [*(i for i in order if counts[i] or len(held[i]) == 1), 0])


def _ordered(codes: NDArray[Any], groups: Sequence[Group], order: Sequence[int]) -> Grouping:
    """The same groups in another order; one that the order leaves out must be empty."""
    place = np.zeros(len(groups), np.intp)
    place[list(order)] = np.arange(len(order))
    return Grouping(place[codes], tuple(groups[i] for i in order))
