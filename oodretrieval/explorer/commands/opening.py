"""How a session starts: the candidates or the keys next to the scatter, and the projection under way."""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from oodretrieval.explorer import worker_process
from oodretrieval.explorer.commands.candidates import follow_ranking, show_candidates
from oodretrieval.explorer.commands.neighbours import follow_query
from oodretrieval.explorer.commands.pointer import follow_captions, leave_segment
from oodretrieval.explorer.commands.reviewing import follow_tags
from oodretrieval.explorer.commands.searching import follow_search
from oodretrieval.explorer.commands.selected import follow_selection
from oodretrieval.explorer.session import Session
from oodretrieval.explorer.settings import METHOD_NAMES
from oodretrieval.explorer.work import Job
from oodretrieval.search.cost import projection_cost
from oodretrieval.search.sampled_pca import sampled_pca

_QUICK = 20_000_000
"""Values of an embedding whose PCA is done at once."""


def start(session: Session) -> None:
    """Let the session follow its state, show the first page of candidates, and have the points projected.

    Args:
        session: A new one, whose view is listening.
    """
    session.state.subscribe(partial(follow_query, session))
    session.state.subscribe(partial(follow_ranking, session))
    session.state.subscribe(partial(follow_selection, session, show_candidates))
    session.state.subscribe(partial(follow_tags, session))
    session.state.subscribe(partial(follow_captions, session))
    session.state.subscribe(partial(follow_search, session))
    restored = session.keeping.restore()
    session.state.history.forget()
    if session.state.tags.problem:
        session.say(session.state.tags.problem)
    elif restored:
        session.say(f"as you left it: {restored}")
    if session.state.ranking is not None:
        show_candidates(session)
    if not session.work.immediate:
        worker_process.warm()
    _project(session)


def _project(session: Session) -> None:
    """Get the points to draw and the space to search in, from what is kept or computed; a PCA until they are there."""
    state, size = session.state, session.state.settings.embedding_size
    if not session.work.immediate and session.projections.kept(2) is None:
        _show_first(session)
    name = METHOD_NAMES[state.settings.method]
    title = f"{name} of {len(state)} segments{_cost(session, 2)}"
    session.work.start("points", title, _projection(session, 2), partial(_take_points, session))
    if size not in (0, 2):
        title = f"{name} to {size} dimensions{_cost(session, size)}"
        session.work.start("space", title, _projection(session, size), partial(_take_space, session))


def _cost(session: Session, dimensions: int) -> str:
    """What is still to be computed, if it takes long: a comma and a few words."""
    if session.projections.kept(dimensions) is not None:
        return ""
    number, columns = session.state.vectors.shape[0], session.state.vectors.shape[1]
    words = projection_cost(session.state.settings.method, number, columns, dimensions=dimensions).words()
    return f", {words}" if words else ""


def _show_first(session: Session) -> None:
    """Show principal components of a sample: at once, or in the background where reading all vectors takes a while."""
    state = session.state

    def take(points: NDArray[np.float32]) -> None:
        if state.points is None:
            with state.together():
                state.points, state.preliminary = points, True

    if state.vectors.size <= _QUICK:
        take(sampled_pca(state.vectors))
    else:
        session.work.start("first", "PCA of a sample", lambda job: sampled_pca(state.vectors), take)


def _projection(session: Session, dimensions: int) -> Callable[[Job], NDArray[np.float32]]:
    return lambda job: session.projections.compute(
        dimensions, session.calculation(job), session.state.vectors
    )


def _take_points(session: Session, points: NDArray[np.float32]) -> None:
    leave_segment(session)
    kept, session.keeping.limits = session.keeping.limits, None
    session.presentation.limits = kept  # others, of other points, mean nothing
    with session.state.together():
        session.state.points, session.state.preliminary = points, False
        if session.state.settings.embedding_size == 2:
            session.state.space = points


def _take_space(session: Session, space: NDArray[np.float32]) -> None:
    session.state.space = space
