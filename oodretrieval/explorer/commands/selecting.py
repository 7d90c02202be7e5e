"""Which segments are shown and selected: filter, lasso, rectangle, groups, neighbours."""

import numpy as np
from numpy.typing import ArrayLike

from oodretrieval.errors import FilterError
from oodretrieval.explorer.commands.selected import show_selection
from oodretrieval.explorer.details import FoundPage
from oodretrieval.explorer.prompt import Prompt
from oodretrieval.explorer.selection import How
from oodretrieval.explorer.session import Session


def ask_for_filter(session: Session) -> None:
    """Ask what to show; what is wrong with the answer is shown below it.

    Args:
        session: Whose view.
    """
    shown = session.state.selection.filter
    question = 'show only, such as: predicted in ("car", "bin") and predicted_iou < 0.4\nempty (Delete) for everything'

    def take(text: str) -> str:
        try:
            count = session.state.selection.filter_by(text)
        except FilterError as error:
            return str(error)
        session.say(f"{count} of {len(session.state)} candidates shown")
        return ""

    before = "" if shown is None else shown.text
    session.presentation.prompt = Prompt(question, take, before, choices=tuple(session.state.columns))


def draw_lasso(session: Session) -> None:
    """Let the pointer draw a lasso, or move the view again.

    Args:
        session: Whose view.
    """
    _use(session, "lasso")


def draw_rectangle(session: Session) -> None:
    """Let the pointer draw a rectangle, or move the view again.

    Args:
        session: Whose view.
    """
    _use(session, "rectangle")


def _use(session: Session, tool: str) -> None:
    presentation = session.presentation
    presentation.tool = "" if presentation.tool == tool else tool
    if presentation.tool:
        session.say(f"{tool}: draw it; Shift adds, Ctrl takes away; Escape ends")
    else:
        session.say("the pointer moves the view")


def select_polygon(session: Session, polygon: ArrayLike, how: How = "replace") -> None:
    """Select the segments in a polygon that was drawn.

    Args:
        session: Whose state.
        polygon: Corners ``(m, 2)`` in the coordinates of the projection.
        how: ``replace``, ``add`` or ``remove``.
    """
    if session.state.points is not None:
        session.state.selection.select_inside(session.state.points, polygon, how)
        say_selected(session)
        show_selection(session)


def toggle_segment(session: Session, row: int) -> None:
    """Select a segment, too, or no longer.

    Args:
        session: Whose state.
        row: Of the segment.
    """
    chosen = session.state.selection
    held = chosen.selected is not None and bool(chosen.selected[row])
    chosen.select([row], "remove" if held else "add")
    say_selected(session)


def select_group(session: Session) -> None:
    """Select what has the colour of the marked segment: its class, its cluster, its tag.

    Args:
        session: Whose state.
    """
    row = session.presentation.marked
    if row is None:
        session.say("no segment is marked; hold the pointer over one")
        return
    codes = session.state.grouping.codes
    session.state.selection.select(codes == codes[row])
    say_selected(session)
    show_selection(session)


def select_neighbours(session: Session) -> None:
    """Select the segment whose neighbours are shown, and these; what a search found, besides what is selected.

    Args:
        session: Whose state.
    """
    shown = session.presentation.detail
    if isinstance(shown, FoundPage):
        session.state.selection.select(list(shown.rows), "add")
        say_selected(session)
        return
    query, found = session.state.query, session.state.found
    if query is None or found is None:
        session.say("no neighbours are shown; the right button shows those of a segment")
        return
    session.state.selection.select([query, *(row for row, _ in found)])
    say_selected(session)


def select_all(session: Session) -> None:
    """Select everything that is shown.

    Args:
        session: Whose state.
    """
    session.state.selection.select(np.ones(len(session.state), np.bool_))
    say_selected(session)
    show_selection(session)


def invert_selection(session: Session) -> None:
    """Select what is shown and was not selected.

    Args:
        session: Whose state.
    """
    session.state.selection.invert()
    say_selected(session)
    show_selection(session)


def clear_selection(session: Session) -> None:
    """Select nothing.

    Args:
        session: Whose state.
    """
    session.state.selection.clear()
    say_selected(session)


def say_selected(session: Session) -> None:
    """Say how many segments are selected.

    Args:
        session: Whose view.
    """
    chosen = session.state.selection
    count, shown = chosen.count_shown, int(chosen.visible.sum())
    session.say(f"{count} of {shown} selected" if count else f"nothing selected of {shown}")
