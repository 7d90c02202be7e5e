"""Candidates in the order of their score, and from which score on they are shown. Knows no toolkit."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from oodretrieval.explorer.observable import Observable, Observed
from oodretrieval.results.candidates import Candidates
from oodretrieval.search import inspection_order
from oodretrieval.stores import Catalogue

STEPS = 10
"""A step of the threshold hides, or shows again, one of this number of equal parts of the segments."""


class Ranking(Observable):
    """The segments of a catalogue as a person inspects them: the highest score first, each thing once.

    Args:
        scores: Score of each segment, ``(n,)`` with ``n >= 1``, higher where more unknown.
        first: Which segment each one repeats, itself if none, ``(n,)``
            (:func:`~oodretrieval.search.first_sightings`).

    Attributes:
        scores: As given.
        first: As given.
        keep_to: Gives which segments may be listed at all, ``(n,)`` bool, the same array while that stays; those above
            the threshold where nothing else is set.
        place: Place of the candidate that is inspected, from 0; None before the first. Observed.
        step: How far the threshold is raised, 0 … :data:`STEPS` - 1. Observed.
    """

    place = Observed[int | None]()
    step = Observed[int]()

    def __init__(self, scores: NDArray[np.floating], first: NDArray[np.intp]) -> None:
        super().__init__()
        self.scores, self.first = scores, first
        self.place, self.step = None, 0
        order = inspection_order(scores)
        self._all = order[first[order] == order]
        self.keep_to: Callable[[], NDArray[np.bool_]] | None = None
        self._shown: tuple[int, NDArray[np.bool_] | None, list[int]] | None = None
        self._repeats = np.bincount(first, minlength=len(first)) - 1

    @classmethod
    def of(cls, catalogue: Catalogue) -> "Ranking | None":
        """The ranking of a catalogue by the score that selected.

        Args:
            catalogue: Whose segments.

        Returns:
            The ranking; None for a catalogue without scores.
        """
        candidates = Candidates.of(catalogue)
        return None if candidates is None else cls(candidates.scores, candidates.first)

    @property
    def rows(self) -> list[int]:
        """Rows that are shown, highest score first, repetitions left out."""
        kept = None if self.keep_to is None else self.keep_to()
        if self._shown is None or self._shown[0] != self.step or self._shown[1] is not kept:
            listed = self.visible if kept is None else kept
            self._shown = self.step, kept, self._all[listed[self._all]].tolist()
        return self._shown[2]

    @property
    def threshold(self) -> float:
        """Lowest score that is shown; the lowest of all before it is raised."""
        finite = self.scores[np.isfinite(self.scores)]
        return float(np.quantile(finite, self.step / STEPS)) if len(finite) else float("nan")

    @property
    def visible(self) -> NDArray[np.bool_]:
        """Which segments are shown, ``(n,)``."""
        return self.scores >= self.threshold if self.step else np.ones(len(self.scores), np.bool_)

    def repeats(self, row: int) -> int:
        """How many segments of near frames repeat a first sighting.

        Args:
            row: Of the first sighting.

        Returns:
            Their number, itself not among them.
        """
        return int(self._repeats[row])

    def move(self, by: int) -> int:
        """Go to a candidate further on or back, not beyond the ends.

        Args:
            by: How many places; negative ones lead back. The first move leads to the first candidate or the last.

        Returns:
            Its row.

        Raises:
            IndexError: If no candidate is shown.
        """
        last = len(self.rows) - 1
        wanted = (0 if by > 0 else last) if self.place is None else self.place + by
        self.place = min(max(wanted, 0), last)
        return self.rows[self.place]

    def raise_threshold(self, by: int) -> float:
        """Raise or lower the threshold; the inspected candidate stays the inspected one while it is shown.

        Args:
            by: How many steps; negative ones lower it.

        Returns:
            The lowest score that is shown.
        """
        rows = self.rows
        inspected = None if self.place is None or self.place >= len(rows) else rows[self.place]
        with self.together():
            self.step = min(max(self.step + by, 0), STEPS - 1)
            if inspected is not None:
                rows = self.rows
                self.place = rows.index(inspected) if inspected in rows else None
        return self.threshold
