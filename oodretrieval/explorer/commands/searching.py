"""Search by examples: what is like the selection, like an image file or a box in it, or like a description."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from oodretrieval.choices import COSINE
from oodretrieval.explorer.details import FoundPage
from oodretrieval.explorer.prompt import Prompt
from oodretrieval.explorer.session import Session
from oodretrieval.explorer.wording import metric_words
from oodretrieval.results.tagged import NOT_OF_INTEREST

COLUMNS, LINES = 5, 4
_BOX = re.compile(r"^(?P<path>.+?)\s+(?P<box>\d+(?:\s*,\s*\d+){3})$")


@dataclass(frozen=True, eq=False)
class _Search:
    """What is searched for.

    Attributes:
        words: What it is, for people.
        examples: Gives the vectors that are wanted, ``(p, D)``.
        rows: Candidates that it names, which are not found.
        metric: Distance metric; texts do not lie about the mean of the crops, and are compared by cosine.
    """

    words: str
    examples: Callable[[], NDArray[np.float64]]
    rows: NDArray[np.intp]
    metric: str


def ask_for_search(session: Session) -> None:
    """Ask what to search for.

    Args:
        session: Whose view.
    """
    chosen = session.state.selection
    count, marked = chosen.count_shown, session.presentation.marked

    def take(text: str) -> str:
        if text:
            problem = _problem(text)
            if not problem:
                _show(session, _by_example(session, text))
            return problem
        if not count and marked is None:
            return "nothing is selected, and no segment is marked; type an image file or a description"
        rows = chosen.scope if count else np.array([marked], np.intp)
        _show(session, _by_rows(session, rows))
        return ""

    own = f"the {count} selected" if count else "the marked segment" if marked is not None else ""
    ways = (
        f"Enter alone: {own}" if own else "",
        "an image file: photo.jpg",
        "a box in it: photo.jpg 40,60,200,180",
        "a description, where the embedding has text: red cone",
    )
    question = "\n".join(["search for what is like …", *(f"· {way}" for way in ways if way)])
    session.presentation.prompt = Prompt(question, take)


def _problem(text: str) -> str:
    """What is wrong with an answer that looks like an image file; empty where nothing is."""
    path, box = _parts(text)
    if _is_image(path):
        return "" if _is_file(path) else f"there is no file {str(path)!r}"
    mistyped = not box and any(_is_image(Path(word)) for word in text.split())
    return "a box is left,top,right,bottom in pixels: photo.jpg 40,60,200,180" if mistyped else ""


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in Image.registered_extensions()


def _is_file(path: Path) -> bool:
    """Whether it is; a description may be longer than any name of a file, or begin with a tilde."""
    try:
        return path.expanduser().is_file()
    except (OSError, RuntimeError, ValueError):
        return False


def _parts(text: str) -> tuple[Path, tuple[int, ...]]:
    """Path and box of an answer that names an image."""
    found = _BOX.match(text)
    if found is None:
        return Path(text), ()
    return Path(found["path"]), tuple(int(number) for number in found["box"].split(","))


def _by_rows(session: Session, rows: NDArray[np.intp]) -> _Search:
    vectors = session.state.vectors
    words = f"the {len(rows)} selected" if len(rows) > 1 else session.state.segments.origin(int(rows[0]))
    return _Search(words, lambda: np.asarray(vectors[rows], np.float64), rows, session.state.metric)


def _by_example(session: Session, text: str) -> _Search:
    path, box = _parts(text)
    none = np.zeros(0, np.intp)
    if not _is_file(path):
        return _Search(f"“{text}”", lambda: session.examples.of_text(text), none, COSINE)
    words = f"{path.name}{f' {list(box)}' if box else ''}"
    return _Search(words, lambda: session.examples.of_image(path, box), none, session.state.metric)


def follow_search(session: Session, changed: frozenset[str]) -> None:
    """Search again where what was found is shown, and how much or what of is wanted has changed.

    Args:
        session: Whose view.
        changed: Attributes of the state.
    """
    wanted = {"neighbours", "once", "filter", "hidden", "step"}
    if changed & wanted and isinstance(session.presentation.detail, FoundPage):
        session.search_again()


def _show(session: Session, search: _Search) -> None:
    """Search away from the view, and show what was found."""
    state = session.state
    session.search_again = partial(_show, session, search)
    tags = state.tags
    unlike = np.zeros(0, np.intp)
    if NOT_OF_INTEREST in tags.names:
        unlike = np.setdiff1d(np.flatnonzero(tags.groups.rows[NOT_OF_INTEREST]), search.rows)
    among = state.selection.visible.copy()
    number, metric, once = max(1, state.neighbours), search.metric, state.once
    named = np.r_[search.rows, unlike]
    if once:  # nor what repeats one of them in a near frame
        things = state.search.things
        among &= ~np.isin(things, things[named])
    among[named] = False
    if not among.any():
        session.say("nothing else is shown")
        return
    words = search.words + (f", unlike {len(unlike)} that are not of interest" if len(unlike) else "")

    def read() -> FoundPage:
        against = np.asarray(state.vectors[unlike], np.float64) if len(unlike) else None
        found = state.search.like(state.vectors, search.examples(), against, metric, number, among, once)
        rows = tuple(row for row, _ in found)
        captions = tuple(f"{session.short_name(row)}\n{away:.3g}" for row, away in found)
        heading = f"{len(rows)} like {words}; {metric_words(metric)} distance; o selects them, too"
        pictures = session.thumbnails.of_rows(rows)
        lines = max(LINES, -(-len(rows) // COLUMNS))
        return FoundPage(heading, rows, pictures, captions, COLUMNS, lines)

    session.show_detail("searching", read)
