"""What is selected, as a sheet of crops: to see what is about to get a name, and to take out what does not belong."""

from collections.abc import Callable

import numpy as np

from oodretrieval.explorer.details import KeysHelp, SelectionPage
from oodretrieval.explorer.session import SELECTED, Session
from oodretrieval.explorer.wording import page_words

FEW = (5, 4)
"""Candidates in a line, and lines of a page, of small selections."""
MANY = (8, 6)
"""The same of larger ones."""


def show_selection(session: Session, place: int = 0) -> None:
    """Show what is selected, highest score first; nothing happens where nothing is.

    Args:
        session: Whose view.
        place: Number of the page, from 0; the nearest one there is.
    """
    if not _is_any_shown(session):
        return
    rows = session.state.selection.scope
    ranking = session.state.ranking
    columns, lines = FEW if len(rows) <= FEW[0] * FEW[1] else MANY
    size = columns * lines
    place = min(max(place, 0), (len(rows) - 1) // size)
    if ranking is not None:
        rows = rows[np.argsort(-ranking.scores[rows], kind="stable")]
    page = tuple(rows[place * size : (place + 1) * size].tolist())
    captions = tuple(session.short_name(row) for row in page)
    heading = f"{len(rows)} selected{page_words(place, size, len(rows))}; Shift + click takes one out"

    def read() -> SelectionPage:
        pictures = session.thumbnails.of_rows(page)
        return SelectionPage(heading, page, pictures, captions, columns, lines, place)

    session.show_detail(SELECTED, read)


def turn_selection(session: Session, by: int) -> bool:
    """Show another page of what is selected, where one is shown.

    Args:
        session: Whose view.
        by: How many pages; negative ones lead back.

    Returns:
        Whether one was shown.
    """
    shown = session.presentation.detail
    if isinstance(shown, SelectionPage):
        show_selection(session, shown.place + by)
    return isinstance(shown, SelectionPage)


def follow_selection(session: Session, otherwise: Callable[[Session], None], changed: frozenset[str]) -> None:
    """Show what is selected again where it is shown and has changed.

    Args:
        session: Whose view.
        otherwise: Shows something else where nothing that is shown is selected any more.
        changed: Attributes of the state.
    """
    shown = session.presentation.detail
    if not isinstance(shown, SelectionPage) or not changed & {"selected", "filter", "hidden", "step", "tags"}:
        return
    if _is_any_shown(session):
        show_selection(session, shown.place)
    elif session.state.ranking is not None:
        otherwise(session)
    else:
        session.presentation.detail = KeysHelp()


def _is_any_shown(session: Session) -> bool:
    chosen = session.state.selection
    return chosen.selected_shown is not None
