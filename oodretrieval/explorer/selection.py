"""Which segments are shown, and which of them are selected. Knows no toolkit."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from oodretrieval.explorer.categories import Grouping
from oodretrieval.explorer.observable import Observable, Observed, is_same
from oodretrieval.explorer.polygons import points_inside
from oodretrieval.results.columns import Columns
from oodretrieval.search.row_filter import RowFilter, parse_filter

How = Literal["replace", "add", "remove"]
"""What becomes of the segments that were selected before: no longer, still, or all but those meant now."""


class Selection(Observable):
    """What a person looks at: the filter, the colours that are hidden, the selected segments.

    Args:
        columns: What filters speak of.
        threshold: Gives which segments are above it, ``(n,)`` bool, and a value that says when that has changed.
        grouping: Gives the colours.
        changes: Gives values that say when columns that change may have changed.
        number: Of segments, ``n``.

    Attributes:
        selected: Which segments are selected, ``(n,)`` bool; None for none. Observed.
        filter: Which ones are shown; None for all. Observed.
        hidden: Names of the colours that are not. Observed.
    """

    selected = Observed[NDArray[np.bool_] | None]()
    filter = Observed[RowFilter | None]()
    hidden = Observed[frozenset[str]]()

    def __init__(
        self,
        columns: Columns,
        threshold: Callable[[], tuple[NDArray[np.bool_], object]],
        grouping: Callable[[], Grouping],
        changes: Callable[[], tuple[object, ...]],
        number: int,
    ) -> None:
        super().__init__()
        self._columns, self._threshold, self._grouping = columns, threshold, grouping
        self._changes, self._number = changes, number
        self.selected, self.filter, self.hidden = None, None, frozenset()
        self._shown: tuple[tuple[Any, ...], NDArray[np.bool_]] | None = None

    def __len__(self) -> int:
        """Number of selected segments."""
        return 0 if self.selected is None else int(self.selected.sum())

    # -- what is shown -------------------------------------------------------------------------------------

    @property
    def visible(self) -> NDArray[np.bool_]:
        """Which segments are shown, ``(n,)``: above the threshold, in the filter, of a colour that is not hidden."""
        above, step = self._threshold()
        grouping = self._grouping() if self.hidden else None
        key = (step, self.filter, self.hidden, grouping, *(self._changes() if self.filter else ()))
        before = self._shown
        if before is not None and len(before[0]) == len(key) and all(map(is_same, before[0], key)):
            return before[1]
        shown = above.copy()
        if self.filter is not None:
            shown &= self.filter.rows(self._columns)
        if grouping is not None:
            names = [group.name not in self.hidden for group in grouping.groups]
            shown &= np.array(names, np.bool_)[grouping.codes]
        shown.setflags(write=False)
        self._shown = key, shown
        return shown

    @property
    def selected_shown(self) -> NDArray[np.bool_] | None:
        """Which segments are selected and shown, ``(n,)``; None where there are none: what is hidden stays selected."""
        chosen = None if self.selected is None else self.visible & self.selected
        return chosen if chosen is not None and chosen.any() else None

    @property
    def count_shown(self) -> int:
        """How many segments are selected and shown."""
        chosen = self.selected_shown
        return 0 if chosen is None else int(chosen.sum())

    @property
    def scope(self) -> NDArray[np.intp]:
        """Rows that a command is about: the selected ones that are shown; where there are none, all that are shown."""
        chosen = self.selected_shown
        return np.flatnonzero(self.visible if chosen is None else chosen)

    def filter_by(self, text: str) -> int:
        """Show what a filter means alone.

        Args:
            text: As in :mod:`~oodretrieval.search.row_filter`; empty for all segments.

        Returns:
            How many segments are shown then.

        Raises:
            FilterError: If it cannot be read, or compares what cannot be compared; nothing is changed then.
        """
        if not text.strip():
            self.filter = None
        else:
            wanted = parse_filter(text, self._columns)
            wanted.rows(self._columns)  # an error now, not when it is drawn
            if self.filter is None or self.filter.text != wanted.text:
                self.filter = wanted
        return int(self.visible.sum())

    def toggle(self, name: str) -> bool:
        """Hide a colour, or show it again.

        Args:
            name: Of its group.

        Returns:
            Whether it is shown now.
        """
        self.hidden = self.hidden ^ {name}
        return name not in self.hidden

    # -- what is selected ----------------------------------------------------------------------------------

    def select(self, rows: ArrayLike, how: How = "replace") -> int:
        """Select segments; only those that are shown, but what is not shown can be given up.

        Adding to a selection adds to what is seen of it: what was hidden since is no longer selected.

        Args:
            rows: ``(k,)`` row numbers, or ``(n,)`` bool.
            how: ``replace``, ``add`` or ``remove``.

        Returns:
            How many are selected then.
        """
        meant = self._mask(rows)
        before = self._mask([]) if self.selected is None else self.selected
        if how == "remove":
            chosen = before & ~meant
        else:
            chosen = ((before if how == "add" else False) | meant) & self.visible
        if not np.array_equal(chosen, before):
            chosen.setflags(write=False)
            self.selected = chosen if chosen.any() else None
        return len(self)

    def select_inside(self, points: NDArray[np.floating], polygon: ArrayLike, how: How = "replace") -> int:
        """Select the segments whose points lie in a polygon: a lasso, or the four corners of a rectangle.

        Args:
            points: Of all segments, ``(n, 2)``.
            polygon: Corners ``(m, 2)`` in the same unit.
            how: ``replace``, ``add`` or ``remove``.

        Returns:
            How many are selected then.
        """
        return self.select(points_inside(points, polygon), how)

    def invert(self) -> int:
        """Select what is shown and was not selected.

        Returns:
            How many are selected then.
        """
        return self.select(self.visible if self.selected is None else ~self.selected)

    def clear(self) -> None:
        """Select nothing."""
        self.selected = None

    def _mask(self, rows: ArrayLike) -> NDArray[np.bool_]:
        chosen = np.asarray(rows)
        if chosen.dtype == np.bool_:
            return chosen
        mask = np.zeros(self._number, np.bool_)
        mask[chosen.astype(np.intp)] = True
        return mask
