"""Reviewing: the candidates most worth a look, twelve at a time, ranked again by the answers. Knows no toolkit."""

from collections.abc import Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from oodretrieval.choices import REVIEW_PAGE
from oodretrieval.explorer.observable import Observable, Observed
from oodretrieval.explorer.tagging import Tagging
from oodretrieval.results.tagged import NOT_OF_INTEREST, OF_INTEREST
from oodretrieval.search.candidates import inspection_order
from oodretrieval.search.feedback import Answer, RelevanceFeedback

NAMES = 8
"""Names that have a key of their own."""


class Review(Observable):
    """A review of some candidates. Answers are tags, so they are on disk as soon as they are given.

    Args:
        tags: Where answers are kept.
        feedback: Ranks the candidates, ``(k,)`` of them.
        rows: Their rows in the catalogue, ``(k,)``.

    Attributes:
        page: Rows that are shown, at most :data:`~oodretrieval.choices.REVIEW_PAGE`. Observed.
        place: Which of them the next answer is for, from 0. Observed.
    """

    page = Observed[tuple[int, ...]]()
    place = Observed[int]()

    def __init__(self, tags: Tagging, feedback: RelevanceFeedback, rows: NDArray[np.intp]) -> None:
        super().__init__()
        self._tags, self._feedback = tags, feedback
        self._rows = {int(row): place for place, row in enumerate(rows)}
        self._order: list[int] = []
        self._given: dict[int, Answer] = {}
        self._before: frozenset[int] = frozenset()
        self._names: list[str] = []
        self.page, self.place = (), 0
        self.take_answers()
        self._before = frozenset(self._given)

    def __len__(self) -> int:
        """Number of candidates."""
        return len(self._rows)

    def is_of(self, rows: NDArray[np.intp]) -> bool:
        """Whether it is a review of some candidates.

        Args:
            rows: In the catalogue, ``(k,)``, in any order.

        Returns:
            Whether these are its candidates.
        """
        return set(rows.tolist()) == set(self._rows)

    # -- answers -------------------------------------------------------------------------------------------

    def answer_of(self, row: int) -> Answer:
        """What was answered for a candidate.

        Args:
            row: Of the candidate.

        Returns:
            True of interest, False not, its name if it has one, None for no answer.
        """
        return self._given.get(row)

    def take_answers(self) -> frozenset[int]:
        """Take the answers from the tags, whoever gave them: here, in another window, or by undoing.

        Returns:
            Rows whose answer is another one now, or was taken back.
        """
        groups = self._tags.groups.rows
        found: dict[int, Answer] = {}
        said: list[Answer] = [False, True, *self.all_names]  # the later the more it says
        for answer in said:
            name = tag_of(answer)
            if name in groups:
                rows = np.flatnonzero(groups[name]).tolist()
                found |= dict.fromkeys([row for row in rows if row in self._rows], answer)
        changed = {
            row: found.get(row) for row in {*found, *self._given} if found.get(row) != self._given.get(row)
        }
        self._before &= found.keys()
        self._order = [row for row in self._order if row in found]
        self._order += [row for row in found if row not in set(self._order)]
        self._given = found
        if changed:
            self._feedback.update([self._rows[row] for row in changed], list(changed.values()))
            self.announce("answers")
        return frozenset(changed)

    def follow_undo(self, rows: frozenset[int]) -> None:
        """Ask again for the candidate whose answer was taken back; go on where it was given again.

        Args:
            rows: What undoing, or doing again, changed; of more than one, as of a lasso, no answer was taken back.
        """
        if len(rows) != 1 or not self.page:
            return
        (row,) = rows
        if row not in self.page:
            if self.answer_of(row) is not None:
                return
            self.page = (row, *self.page)[:REVIEW_PAGE]
        self.place = self.page.index(row)
        if self.answer_of(row) is not None:
            self._to_next_open()

    def resume(self) -> None:
        """Go on after a while: what was answered or named meanwhile is no look of this review."""
        known = set(self._given)
        self.take_answers()
        self._before |= self._given.keys() - known

    @property
    def all_names(self) -> tuple[str, ...]:
        """Tags that are names, sorted."""
        return tuple(name for name in self._tags.names if name not in (OF_INTEREST, NOT_OF_INTEREST))

    @property
    def names(self) -> tuple[str, ...]:
        """Names that have a key, in the order in which they got one."""
        self._names = [name for name in self._names if name in self.all_names]
        self._names += [name for name in self.all_names if name not in self._names]
        return tuple(self._names[:NAMES])

    def answer(self, answer: Answer) -> None:
        """Answer for the candidate at :attr:`place`, and go on to the next one without an answer.

        Args:
            answer: True, False, a name, or None to take an answer back.

        Raises:
            StoreError: If the answer cannot be saved, or the name is none; then nothing is changed.
        """
        if not self.page:
            return
        row = self.page[self.place]
        name = tag_of(answer)
        with self.together():
            self._tags.replace(row, name, [other for other in self._tags.of_row(row) if other != name])
            self.take_answers()
            self._to_next_open()

    def _to_next_open(self) -> None:
        places = [*range(self.place + 1, len(self.page)), *range(self.place)]
        self.place = next((place for place in places if self.answer_of(self.page[place]) is None), self.place)

    @property
    def is_page_done(self) -> bool:
        """Whether every candidate of the page has an answer."""
        return all(self.answer_of(row) is not None for row in self.page)

    # -- progress ------------------------------------------------------------------------------------------

    @property
    def looks(self) -> int:
        """Candidates that were answered since the review began."""
        return len(self._order) - len(self._before)

    @property
    def curve(self) -> NDArray[np.int64]:
        """Candidates of interest after each look, ``(looks,)``, in the order of the answers."""
        looked = [row for row in self._order if row not in self._before]
        return np.cumsum([self.answer_of(row) is not False for row in looked], dtype=np.int64)

    @property
    def progress(self) -> str:
        """How it stands, in words; what had a name or an answer when the review began counts by itself."""
        found = int(self.curve[-1]) if self.looks else 0
        before = f"; {len(self._before)} of these had an answer or a name before" if self._before else ""
        return f"{found} of interest in {self.looks} look{'' if self.looks == 1 else 's'}{before}"

    # -- pages ---------------------------------------------------------------------------------------------

    def ranked_again(self) -> tuple[int, ...]:
        """The candidates most worth a look, by what was answered so far. Reads vectors only, so it may run in a thread.

        Returns:
            At most :data:`~oodretrieval.choices.REVIEW_PAGE` rows without an answer, best first.
        """
        scores = self._feedback.scores()
        places = inspection_order(scores)
        rows = np.fromiter(self._rows, np.intp, len(self._rows))[places]
        open_rows = (
            row for row in rows[: REVIEW_PAGE + len(self._given)].tolist() if self.answer_of(row) is None
        )
        return tuple(islice(open_rows, REVIEW_PAGE))

    def show(self, page: Sequence[int]) -> None:
        """Show a page.

        Args:
            page: Rows.
        """
        with self.together():
            self.page, self.place = tuple(page), 0

    def move(self, by: int) -> None:
        """Go to another candidate of the page, not beyond its ends.

        Args:
            by: How many places; negative ones lead back.
        """
        self.place = min(max(self.place + by, 0), max(len(self.page) - 1, 0))


def tag_of(answer: Answer) -> str:
    """The tag that an answer is kept as.

    Args:
        answer: True, False, a name, or None for no answer.

    Returns:
        Its name; empty for no answer.
    """
    if isinstance(answer, str):
        return answer
    return "" if answer is None else OF_INTEREST if answer else NOT_OF_INTEREST
