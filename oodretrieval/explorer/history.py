"""What was done, so that it can be undone and done again. Knows no toolkit."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from oodretrieval.explorer.observable import Observable

LONGEST = 100
"""Steps that are remembered, at most."""
UNDOABLE = {
    "selected": "selection",
    "filter": "filter",
    "hidden": "hidden colours",
    "colouring": "colours",
    "clusters": "clusters",
    "step": "threshold",
}
"""What can be undone apart from tags, and what to call it."""


@dataclass(frozen=True)
class Change:
    """Something that was done.

    Attributes:
        title: What it was, for people.
        undo: Takes it back.
        redo: Does it again.
    """

    title: str
    undo: Callable[[], None]
    redo: Callable[[], None]


class History(Observable):
    """Changes in the order in which they were made; announced as ``history``."""

    def __init__(self) -> None:
        super().__init__()
        self._done: list[Change] = []
        self._undone: list[Change] = []
        self._replaying = False

    @property
    def next_undo(self) -> str | None:
        """What :meth:`undo` would take back, in words; None for nothing."""
        return self._done[-1].title if self._done else None

    @property
    def next_redo(self) -> str | None:
        """What :meth:`redo` would do again, in words; None for nothing."""
        return self._undone[-1].title if self._undone else None

    @property
    def is_replaying(self) -> bool:
        """Whether a change happens because it is undone or done again: then it is not recorded."""
        return self._replaying

    def record(self, title: str, undo: Callable[[], None], redo: Callable[[], None]) -> None:
        """Remember a change; what was undone before it can no longer be done again.

        Args:
            title: What it is, for people.
            undo: Takes it back.
            redo: Does it again.
        """
        if self._replaying:
            return
        self._done = [*self._done, Change(title, undo, redo)][-LONGEST:]
        self._undone = []
        self.announce("history")

    def forget(self) -> None:
        """Forget all changes: they cannot be undone any more."""
        self._done, self._undone = [], []
        self.announce("history")

    def undo(self) -> str | None:
        """Take the last change back.

        Returns:
            What it was; None if there is none. A change that cannot be taken back stays the last one, and what it
            raised goes to the caller.
        """
        if not self._done:
            return None
        change = self._done[-1]
        with self._replay():
            change.undo()
            self._undone.append(self._done.pop())
        return change.title

    def redo(self) -> str | None:
        """Do the change again that was taken back last.

        Returns:
            What it is; None if there is none.
        """
        if not self._undone:
            return None
        change = self._undone[-1]
        with self._replay():
            change.redo()
            self._done.append(self._undone.pop())
        return change.title

    @contextmanager
    def _replay(self) -> Iterator[None]:
        self._replaying = True
        try:
            yield
        finally:
            self._replaying = False
        self.announce("history")
