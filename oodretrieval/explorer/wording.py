"""How every view calls what it shows: methods, distances, colours."""

from oodretrieval.explorer.settings import METHOD_NAMES
from oodretrieval.explorer.state import State

_COLOURED_BY = {"prediction": "predicted class", "clusters": "cluster", "tags": "tag"}
"""Colourings, and what to call them where their own name does not say it."""


def points_words(state: State) -> str:
    """What the points are.

    Args:
        state: Of the view.

    Returns:
        The method of projection; of points that are only there until it is done, that.
    """
    return "PCA for now" if state.preliminary else METHOD_NAMES[state.settings.method]


def colouring_words(state: State) -> str:
    """What colours mean.

    Args:
        state: Of the view.

    Returns:
        ``coloured by …``, or that there is one colour.
    """
    if state.colouring == "uniform":
        return "one colour"
    if state.colouring == "score":
        return f"coloured by {state.segments.score_name}"
    return f"coloured by {_COLOURED_BY.get(state.colouring, state.colouring)}"


def page_words(place: int, size: int, number: int) -> str:
    """Which part of a list a page of it shows.

    Args:
        place: Number of the page, from 0.
        size: What a page holds.
        number: Length of the list.

    Returns:
        To follow the words for the list; empty where one page shows all.

    Example:
        >>> page_words(0, 40, 60), page_words(1, 40, 60), page_words(0, 40, 12)
        (', 1 to 40 (Page down: more)', ', 41 to 60 (Page up: before)', '')
    """
    if number <= size:
        return ""
    last = min((place + 1) * size, number)
    return f", {place * size + 1} to {last} ({'Page down: more' if last < number else 'Page up: before'})"


def metric_words(metric: str) -> str:
    """A metric as people read it.

    Args:
        metric: Its name.

    Returns:
        ``centred cosine`` for ``centred_cosine``.
    """
    return metric.replace("_", " ")
