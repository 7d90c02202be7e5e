"""Tags: given, taken off, renamed, merged, removed; and everything undone and done again."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from oodretrieval.errors import StoreError
from oodretrieval.explorer.commands.reviewing import give_answer, is_at_hand
from oodretrieval.explorer.prompt import Prompt
from oodretrieval.explorer.session import Session
from oodretrieval.stores.tags import tag_name


def ask_for_tag(session: Session) -> None:
    """Ask for the name of the selected segments, else of the marked one; in a review, of the one at hand.

    Args:
        session: Whose view.
    """
    if is_at_hand(session):
        _ask_in_review(session)
        return
    rows = _subject(session)
    if rows is None:
        return

    def take(text: str) -> str:
        try:
            new = session.state.tags.tag(rows, text)
        except StoreError as error:
            return str(error)
        session.say(tagged_words(session, new, text))
        return ""

    question = f"name for {_called(session, rows)}"
    session.presentation.prompt = Prompt(question, take, choices=session.state.tags.names)


def tagged_words(session: Session, number: int, name: str) -> str:
    """What was done when a tag was given.

    Args:
        session: Whose state.
        number: Of candidates that did not have the tag.
        name: Of the tag, as it was typed.

    Returns:
        One line; another tag that differs from this one by capitals alone is said, as that is mostly a slip.
    """
    return f"{number} tagged as {name.strip()}{_twin_words(session, name)}; Ctrl + z takes it back"


def _twin_words(session: Session, name: str) -> str:
    name = name.strip()
    same = (other for other in session.state.tags.names if other.casefold() == name.casefold())
    twin = next((other for other in same if other != name), "")
    return f"; {twin} is another tag, z merges the two" if twin else ""


def _ask_in_review(session: Session) -> None:
    def take(text: str) -> str:
        try:
            give_answer(session, tag_name(text))
        except StoreError as error:
            return str(error)
        session.say(session.presentation.status + _twin_words(session, text))
        return ""

    question = "name for the candidate at hand; it gets the next number"
    session.presentation.prompt = Prompt(question, take, choices=session.state.tags.names)


def ask_for_tag_to_take_off(session: Session) -> None:
    """Ask which tag to take off the selected segments; without a selection, off the marked one.

    Args:
        session: Whose view.
    """
    rows = _subject(session)
    if rows is None:
        return
    tags = session.state.tags
    held = tuple(name for name in tags.names if tags.groups.rows[name][rows].any())
    if not held:
        session.say(f"{_called(session, rows)} has no tag")
        return

    def take(text: str) -> str:
        if text not in held:
            return f"it has {', '.join(held)}"
        session.say(f"{tags.untag(rows, text)} no longer tagged as {text}")
        return ""

    if len(held) == 1:
        take(held[0])
    else:
        question = f"which tag to take off {_called(session, rows)}: {', '.join(held)}"
        session.presentation.prompt = Prompt(question, take, choices=held)


def ask_for_tag_to_change(session: Session) -> None:
    """Ask which tag to rename, to merge into another, or to remove.

    Args:
        session: Whose view.
    """
    names = session.state.tags.names
    if not names:
        session.say("there are no tags; w names the selected segments")
        return
    listed = ", ".join(f"{name} ({session.state.tags.count(name)})" for name in names)

    def take(text: str) -> str:
        if text not in names:
            return f"there are {', '.join(names)}"
        question = f"new name of {text}; that of another tag merges them, an empty one removes it"
        session.presentation.prompt = Prompt(question, partial(_change, session, text), choices=names)
        return ""

    session.presentation.prompt = Prompt(f"which tag to change: {listed}", take, choices=names)


def _change(session: Session, name: str, text: str) -> str:
    tags = session.state.tags
    try:
        if text.strip():
            tags.rename(name, text)
        else:
            tags.remove(name)
    except StoreError as error:
        return str(error)
    session.say(f"{name} is {f'now {text.strip()}' if text.strip() else 'removed'}; Ctrl + z takes it back")
    return ""


def undo(session: Session) -> None:
    """Take the last change back: of tags, selection, filter, colours, clusters, threshold.

    Args:
        session: Whose state.
    """
    done = session.state.history.undo()
    session.say(f"undone: {done}" if done else "nothing to undo")


def redo(session: Session) -> None:
    """Do the change again that was undone last.

    Args:
        session: Whose state.
    """
    done = session.state.history.redo()
    session.say(f"done again: {done}" if done else "nothing to do again")


def _subject(session: Session) -> NDArray[np.intp] | None:
    """Rows of the selection that are shown; without one, the marked segment."""
    chosen, marked = session.state.selection.selected_shown, session.presentation.marked
    if chosen is not None:
        return np.flatnonzero(chosen)
    if marked is None:
        session.say("nothing is selected; select something, or hold the pointer over a segment")
        return None
    return np.array([marked])


def _called(session: Session, rows: NDArray[np.intp]) -> str:
    if len(rows) == 1:
        return f"the segment {session.state.segments.origin(int(rows[0]))}"
    return f"{len(rows)} candidates"
