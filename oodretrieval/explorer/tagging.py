"""The tags of a catalogue's candidates, by row; every step is on disk before it is seen. Knows no toolkit."""

from collections.abc import Callable, Iterable

from numpy.typing import ArrayLike

from oodretrieval.charts.palette import CLUSTERS
from oodretrieval.explorer.history import History
from oodretrieval.explorer.observable import Observable
from oodretrieval.results.tagged import CandidateRows
from oodretrieval.search.row_comparisons import Groups
from oodretrieval.stores import Catalogue
from oodretrieval.stores.tag_journal import TagJournal
from oodretrieval.stores.tags import TagStep, TagTable


class Tagging(Observable):
    """Tags by row. Changes are announced as ``tags``.

    Args:
        catalogue: Whose candidates.
        history: Where steps are remembered.

    Attributes:
        version: Grows with every change.
    """

    def __init__(self, catalogue: Catalogue, history: History) -> None:
        super().__init__()
        self._rows, self._history = CandidateRows(catalogue), history
        self._journal = TagJournal(catalogue.path)
        self._table = TagTable()
        self._groups: Groups | None = None
        self.version = 0
        self._take(self._journal.read())

    # -- what there is -------------------------------------------------------------------------------------

    @property
    def names(self) -> tuple[str, ...]:
        """Tags, sorted."""
        return self._table.names

    @property
    def problem(self) -> str:
        """What was wrong with the file of the tags; empty if nothing was."""
        return self._journal.problem

    def colour(self, name: str) -> str:
        """The colour of a tag.

        Args:
            name: Of the tag.

        Returns:
            ``#rrggbb``.

        Raises:
            KeyError: If there is no such tag.
        """
        return self._table.colours[name]

    def count(self, name: str) -> int:
        """Number of candidates of this catalogue with the tag ``name``."""
        return int(self.groups.any_of([name]).sum())

    @property
    def elsewhere(self) -> int:
        """Number of tagged candidates that this catalogue has not, or no longer."""
        keys = {key for name in self.names for key in self._table.candidates(name)}
        return int((self._rows.rows(keys) < 0).sum())

    @property
    def groups(self) -> Groups:
        """Tag → which rows have it."""
        if self._groups is None:
            self._groups = self._rows.groups(self._table)
        return self._groups

    def of_row(self, row: int) -> tuple[str, ...]:
        """Tags of a candidate.

        Args:
            row: Of the candidate.

        Returns:
            Their names, sorted.
        """
        return tuple(name for name in self.names if self.groups.rows[name][row])

    # -- steps ---------------------------------------------------------------------------------------------

    def tag(self, rows: ArrayLike, name: str, colour: str = "") -> int:
        """Give a tag to candidates.

        Args:
            rows: Of the candidates, ``(k,)`` row numbers, or ``(n,)`` bool.
            name: Of the tag; a new one is made.
            colour: Of a new tag, as ``#rrggbb``; by default one that no other tag has.

        Returns:
            How many did not have it.

        Raises:
            StoreError: If the name is none, or the step cannot be saved; then nothing is changed.
        """
        step = self._table.tagging(self._rows.keys(rows), name, colour or self._free_colour())
        self._do(step)
        return sum(map(len, step.added.values()))

    def untag(self, rows: ArrayLike, name: str) -> int:
        """Take a tag off candidates.

        Args:
            rows: Of the candidates, ``(k,)`` row numbers, or ``(n,)`` bool.
            name: Of the tag.

        Returns:
            How many had it.

        Raises:
            StoreError: If the step cannot be saved; then nothing is changed.
        """
        step = self._table.untagging(self._rows.keys(rows), name)
        self._do(step)
        return sum(map(len, step.removed.values()))

    def replace(self, row: int, name: str, others: Iterable[str], colour: str = "") -> None:
        """Give a tag to a candidate instead of others, in one step.

        Args:
            row: Of the candidate.
            name: Of the tag; empty for none.
            others: Tags that it does not keep.
            colour: Of a new tag.

        Raises:
            StoreError: If the name is none, or the step cannot be saved; then nothing is changed.
        """
        keys = self._rows.keys([row])
        removed = {other: self._table.untagging(keys, other).removed[other] for other in others}
        if not name:
            self._do(TagStep("take an answer back", {}, removed))
            return
        step = self._table.tagging(keys, name, colour or self._free_colour())
        left = {other: gone for other, gone in removed.items() if other != name and gone}
        self._do(TagStep(step.title, step.added, left, step.colours))

    def rename(self, name: str, other: str) -> None:
        """Rename a tag; into one that there is already, it merges the two.

        Args:
            name: Of the tag.
            other: Its new name.

        Raises:
            StoreError: If there is no such tag, the new name is none, or the step cannot be saved.
        """
        self._do(self._table.renaming(name, other))

    def remove(self, name: str) -> None:
        """Remove a tag from all its candidates.

        Args:
            name: Of the tag.

        Raises:
            StoreError: If there is no such tag, or the step cannot be saved.
        """
        self._do(self._table.removing(name))

    def recolour(self, name: str, colour: str) -> None:
        """Give a tag another colour.

        Args:
            name: Of the tag.
            colour: As ``#rrggbb``.

        Raises:
            StoreError: If there is no such tag, or the step cannot be saved.
        """
        self._do(self._table.recolouring(name, colour))

    def refresh(self) -> bool:
        """Take what others tagged since then.

        Returns:
            Whether there was something.

        Raises:
            StoreError: If the file cannot be read.
        """
        if self._journal.is_replaced:
            self._table = TagTable()
            self._take(self._journal.read())
            return True
        return self._take(self._journal.read())

    def _do(self, step: TagStep) -> None:
        if step.is_empty:
            return
        self._save(step)()
        self._history.record(step.title, self._save(step.inverse()), self._save(step))

    def _save(self, step: TagStep) -> Callable[[], None]:
        def save() -> None:
            if self._journal.is_replaced:
                self._table = TagTable()
            self._take(self._journal.append(step))

        return save

    def _take(self, steps: list[TagStep]) -> bool:
        for step in steps:
            self._table.apply(step)
        if steps:
            self._groups = None
            self.version += 1
            self.announce("tags")
        return bool(steps)

    def _free_colour(self) -> str:
        used = {colour.upper() for colour in self._table.colours.values()}
        free = [colour for colour in CLUSTERS if colour.upper() not in used]
        return free[0] if free else CLUSTERS[len(used) % len(CLUSTERS)]
