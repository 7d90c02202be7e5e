"""Candidates in the order of their score, and from which score on they are shown. Knows no toolkit."""

import numpy as np
from numpy.typing import NDArray

from oodretrieval.results.candidates import Candidates
from oodretrieval.search import inspection_order
from oodretrieval.stores import Catalogue

STEPS = 10
"""A step of the threshold hides, or shows again, one of so many equal parts of the segments."""


class Ranking:
    """The segments of a catalogue as a person inspects them: the highest score first, each thing once.

    Args:
        scores: Score of each segment, ``(n,)`` with ``n >= 1``, higher where more unknown.
        first: Which segment each one repeats, itself if none, ``(n,)``
            (:func:`~oodretrieval.search.first_sightings`).

    Attributes:
        scores: As given.
        first: As given.
        place: Place of the candidate that is inspected, from 0; None before the first.
        step: How far the threshold is raised, 0 … :data:`STEPS` - 1.
    """

    def __init__(self, scores: NDArray[np.floating], first: NDArray[np.intp]) -> None:
        self.scores, self.first = scores, first
        self.place: int | None = None
        self.step = 0
        order = inspection_order(scores)
        self._rows: list[int] = [int(row) for row in order if first[row] == row]
        self._places = {row: place for place, row in enumerate(self._rows)}
        self._repeats = np.bincount(first, minlength=len(first)) - 1

    @classmethod
    def of(cls, catalogue: Catalogue) -> "Ranking | None":
        """The ranking of a catalogue by the score that selected; None for a catalogue without one."""
        candidates = Candidates.of(catalogue)
        return None if candidates is None else cls(candidates.scores, candidates.first)

    @property
    def rows(self) -> list[int]:
        """Rows above the threshold, highest score first, repetitions left out."""
        return [row for row in self._rows if self.visible[row]]

    @property
    def threshold(self) -> float:
        """Lowest score that is shown; the lowest of all before it is raised."""
        finite = self.scores[np.isfinite(self.scores)]
        return float(np.quantile(finite, self.step / STEPS)) if len(finite) else float("nan")

    @property
    def visible(self) -> NDArray[np.bool_]:
        """Which segments are shown, ``(n,)``."""
        return self.scores >= self.threshold if self.step else np.ones(len(self.scores), np.bool_)

    def place_of(self, row: int) -> int:
        """Place of a segment, or of what it repeats, among all candidates, from 0."""
        return self._places[int(self.first[row])]

    def repeats(self, row: int) -> int:
        """How many segments of near frames repeat a first sighting."""
        return int(self._repeats[row])

    def move(self, by: int) -> int:
        """Go to the candidate ``by`` places on, not beyond the ends; returns its row."""
        last = len(self.rows) - 1
        wanted = (0 if by > 0 else last) if self.place is None else self.place + by
        self.place = min(max(wanted, 0), last)
        return self.rows[self.place]

    def go_to(self, row: int) -> None:
        """Inspect a segment, or what it repeats."""
        rows, row = self.rows, int(self.first[row])
        self.place = rows.index(row) if row in rows else None

    def raise_threshold(self, by: int) -> float:
        """Raise the threshold by steps, lower it by negative ones; returns the lowest score that is shown."""
        inspected = None if self.place is None else self.rows[self.place]
        self.step = min(max(self.step + by, 0), STEPS - 1)
        if inspected is not None:
            self.go_to(inspected)
        return self.threshold
