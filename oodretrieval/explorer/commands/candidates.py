"""Candidates by rank: the contact sheet, one after the other, and the threshold."""

from oodretrieval.explorer.commands.neighbours import show_neighbours, turn_neighbours
from oodretrieval.explorer.commands.pointer import show_image, show_panels
from oodretrieval.explorer.commands.selected import turn_selection
from oodretrieval.explorer.details import CandidatePage, FourPanels, NeighbourPage
from oodretrieval.explorer.ranking import Ranking
from oodretrieval.explorer.session import Session

COLUMNS, LINES = 5, 4
PAGE = COLUMNS * LINES
"""Candidates on a page of the contact sheet."""


def show_candidates(session: Session) -> None:
    """Show the page of the contact sheet that the inspected candidate is on; the first one at first.

    Args:
        session: Whose view.
    """
    ranking = _ranking(session)
    if ranking is not None:
        _show_page(session, ranking, (ranking.place or 0) // PAGE)


def next_page(session: Session) -> None:
    """Show the next page of the contact sheet, of what is selected, or of neighbours.

    Args:
        session: Whose view.
    """
    if not _turn_sheet(session, 1):
        _turn(session, 1)


def previous_page(session: Session) -> None:
    """Show the page of the contact sheet, of what is selected, or of neighbours before.

    Args:
        session: Whose view.
    """
    if not _turn_sheet(session, -1):
        _turn(session, -1)


def turn_shown(session: Session, by: int) -> None:
    """Show another page of the candidates that are shown; nothing happens where none are.

    Args:
        session: Whose view.
        by: How many pages; negative ones lead back.
    """
    if not _turn_sheet(session, by) and isinstance(session.presentation.detail, CandidatePage):
        _turn(session, by)


def next_candidate(session: Session) -> None:
    """Show the next candidate by score.

    Args:
        session: Whose view.
    """
    _inspect(session, 1)


def previous_candidate(session: Session) -> None:
    """Show the candidate before, by score.

    Args:
        session: Whose view.
    """
    _inspect(session, -1)


def raise_threshold(session: Session) -> None:
    """Hide the tenth of lowest score.

    Args:
        session: Whose state.
    """
    _move_threshold(session, 1)


def lower_threshold(session: Session) -> None:
    """Show the tenth again that was hidden last.

    Args:
        session: Whose state.
    """
    _move_threshold(session, -1)


def follow_ranking(session: Session, changed: frozenset[str]) -> None:
    """Show the contact sheet again where it is shown, and what is listed or how it is called has changed.

    Args:
        session: Whose view.
        changed: Attributes of the state.
    """
    if changed & {"step", "filter", "hidden", "tags"} and isinstance(
        session.presentation.detail, CandidatePage
    ):
        show_candidates(session)


def _ranking(session: Session) -> Ranking | None:
    ranking = session.state.ranking
    if ranking is None:
        session.say("no score in this catalogue; compute_embeddings writes it")
    elif not ranking.rows:
        session.say("no candidate is shown; change the filter, or show hidden colours again")
        return None
    return ranking


def _turn_sheet(session: Session, by: int) -> bool:
    """Show another page of what is selected, or of neighbours, where one is shown; returns whether it was."""
    return turn_selection(session, by) or turn_neighbours(session, by)


def _turn(session: Session, by: int) -> None:
    ranking = _ranking(session)
    if ranking is None:
        return
    shown = isinstance(session.presentation.detail, CandidatePage)
    page = (ranking.place or 0) // PAGE + (by if shown else 0)
    page = min(max(page, 0), (len(ranking.rows) - 1) // PAGE)
    ranking.place = page * PAGE
    _show_page(session, ranking, page)


def _show_page(session: Session, ranking: Ranking, page: int) -> None:
    page = min(page, (len(ranking.rows) - 1) // PAGE)
    first = page * PAGE
    rows = tuple(ranking.rows[first : first + PAGE])
    captions = tuple(_caption(session, ranking, row, place) for place, row in enumerate(rows, first + 1))
    again = " (×: how often it is seen in near frames)" if any(map(ranking.repeats, rows)) else ""
    heading = (
        f"Candidates {first + 1} to {first + len(rows)} of {len(ranking.rows)}, highest "
        f"{session.state.segments.score_name} first{again}"
    )

    def read() -> CandidatePage:
        pictures = session.thumbnails.of_rows(rows)
        return CandidatePage(heading, rows, pictures, captions, COLUMNS, LINES)

    session.show_detail("candidates", read)


def _caption(session: Session, ranking: Ranking, row: int, place: int) -> str:
    more = f" ×{ranking.repeats(row) + 1}" if ranking.repeats(row) else ""
    return f"{place}{more} · {ranking.scores[row]:.2f}\n{session.short_name(row)}"


def _inspect(session: Session, by: int) -> None:
    ranking = _ranking(session)
    if ranking is None:
        return
    row = ranking.move(by)
    place = (ranking.place or 0) + 1
    with session.presentation.together():
        session.presentation.marked = row
        session.say(f"candidate {place} of {len(ranking.rows)} · {session.state.segments.origin(row)}")
    match session.presentation.detail:
        case FourPanels():
            show_panels(session, row)
        case NeighbourPage():
            show_neighbours(session, row)
        case _:
            show_image(session, row)


def _move_threshold(session: Session, by: int) -> None:
    ranking = session.state.ranking
    if ranking is None:
        _ranking(session)  # says so
        return
    lowest = ranking.raise_threshold(by)
    shown, name = int(ranking.visible.sum()), session.state.segments.score_name
    session.say(f"{shown} of {len(session.state)} candidates shown: {name} from {lowest:.2f}")
