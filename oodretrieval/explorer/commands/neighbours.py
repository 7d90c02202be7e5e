"""Nearest neighbours of a segment: asked for, more or fewer of them, by another distance."""

from oodretrieval.explorer.details import NeighbourPage
from oodretrieval.explorer.session import Session
from oodretrieval.explorer.wording import metric_words, page_words

PAGE = 40
"""Neighbours on a page."""


def show_neighbours(session: Session, row: int) -> None:
    """Show the nearest neighbours of a segment; once the space to search in is there.

    Args:
        session: Whose view.
        row: Of the segment.
    """
    session.presentation.awaits_neighbours = True
    if session.state.space is None:
        session.say(
            "neighbours are searched in a projection that is still being computed; they will be shown then"
        )
    if session.state.query == row:
        if session.state.found is not None:
            _show_page(session)
    else:
        session.state.query = row  # which is followed


def follow_query(session: Session, changed: frozenset[str]) -> None:
    """Search again where what the neighbours depend on has changed, and show them where they are shown.

    Args:
        session: Whose view.
        changed: Attributes of the state.
    """
    shown = isinstance(session.presentation.detail, NeighbourPage)
    if changed & {"query", "space", "metric", "neighbours", "once", "filter", "hidden", "step"}:
        _search(session)
    if "found" in changed and (shown or session.presentation.awaits_neighbours):
        _show_page(session, _place_of(session))


def _search(session: Session) -> None:
    """Find the neighbours of the query, away from the view: in a large catalogue that takes seconds."""
    state, query = session.state, session.state.query
    state.found = None
    if query is None or state.space is None:
        return

    def take(found: list[tuple[int, float]]) -> None:
        if state.query == query:
            state.found = found

    session.work.start("neighbours", "searching neighbours", lambda job: state.nearest(query), take)


def turn_neighbours(session: Session, by: int) -> bool:
    """Show another page of the neighbours, where one is shown.

    Args:
        session: Whose view.
        by: How many pages; negative ones lead back.

    Returns:
        Whether one was shown.
    """
    shown = session.presentation.detail
    if isinstance(shown, NeighbourPage):
        _show_page(session, shown.place + by)
    return isinstance(shown, NeighbourPage)


def _place_of(session: Session) -> int:
    """The page to stay on: of the query whose neighbours are shown already."""
    shown = session.presentation.detail
    if isinstance(shown, NeighbourPage) and shown.rows[0] == session.state.query:
        return shown.place
    return 0


def _show_page(session: Session, place: int = 0) -> None:
    state, classes = session.state, session.state.segments.classes
    query, everything = state.query, state.found
    if query is None or everything is None:
        return
    session.presentation.awaits_neighbours = False
    place = min(max(place, 0), max(len(everything) - 1, 0) // PAGE)
    found = everything[place * PAGE : (place + 1) * PAGE]
    rows = (query, *(row for row, _ in found))
    known = [classes.same_class(query, row) for row, _ in found]
    relevant = None if any(same is None for same in known) else tuple(bool(same) for same in known)
    names = [classes.class_name(row) for row in rows]
    often = ["" if (count := state.seen(row)) == 1 else f" ×{count}" for row in rows]
    near = (
        f"{name}\n{away:.3g}{times}"
        for name, (_, away), times in zip(names[1:], found, often[1:], strict=True)
    )
    captions = (names[0] + often[0], *near)
    heading = f"{len(everything)} nearest neighbours by {metric_words(state.metric)} distance"
    heading += page_words(place, PAGE, len(everything))
    heading += " (approximate: some may be missing)" if state.search.is_approximate else ""
    heading += "; ×n: seen n times in near frames, = shows all" if any(often) else ""

    def read() -> NeighbourPage:
        pictures = session.thumbnails.of_rows(rows)
        return NeighbourPage(heading, rows, pictures, captions, relevant, place)

    session.show_detail("neighbours", read)


def more_neighbours(session: Session) -> None:
    """Show one neighbour more.

    Args:
        session: Whose state.
    """
    _want(session, session.state.neighbours + 1)


def fewer_neighbours(session: Session) -> None:
    """Show one neighbour less.

    Args:
        session: Whose state.
    """
    _want(session, session.state.neighbours - 1)


def _want(session: Session, count: int) -> None:
    before = session.state.neighbours
    now = session.state.want_neighbours(count)
    limit = "" if now != before else ", no more" if count > before else ", no less"
    session.say(f"{now} neighbours{limit}")


def toggle_once(session: Session) -> None:
    """Find each thing once among the neighbours, or everything that shows it.

    Args:
        session: Whose state.
    """
    session.state.once = not session.state.once
    session.say(
        "neighbours: each thing once, with how often near frames show it"
        if session.state.once
        else "neighbours: every segment by itself"
    )


def cycle_metric(session: Session) -> None:
    """Take the next distance metric.

    Args:
        session: Whose state.
    """
    session.say(f"distance: {metric_words(session.state.cycle_metric())}")
