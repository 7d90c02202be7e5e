"""Clusters: asked for in the view, found in the background."""

from functools import partial

import numpy as np
from numpy.typing import NDArray

from oodretrieval.explorer.details import ElbowCurve, SilhouetteCurve
from oodretrieval.explorer.prompt import Prompt
from oodretrieval.explorer.session import Session
from oodretrieval.search import noise_share
from oodretrieval.search.clustering import DENSITY_METHODS
from oodretrieval.search.cost import clustering_cost

CLUSTERING_NAMES = {
    "kmeans": "k-means",
    "spectral": "spectral clustering",
    "agglomerative": "agglomerative (Ward)",
    "dbscan": "DBSCAN",
    "hdbscan": "HDBSCAN",
}


def cycle_clustering(session: Session) -> None:
    """Take the next method of clustering; clusters that are shown are found again with it.

    Args:
        session: Whose state.
    """
    session.say(f"clustering: {CLUSTERING_NAMES[session.state.cycle_clustering()]}")
    if session.state.colouring == "clusters" and session.state.groups:
        find_clusters(session, session.state.groups)


def ask_for_clusters(session: Session) -> None:
    """Ask for the number of clusters; what finds it by itself is begun.

    Args:
        session: Whose view.
    """
    state = session.state
    if state.space is None:
        session.say("clusters are searched in a projection that is still being computed; try again soon")
        return
    if state.clustering in DENSITY_METHODS:
        find_clusters(session, 0)
        return
    rows = state.selection.scope
    curves = "elbow or silhouette" if state.clustering == "kmeans" else "silhouette"
    name = CLUSTERING_NAMES[state.clustering]
    of = "" if len(rows) == len(state) else f" of the {len(rows)} segments that are selected or shown"
    question = (
        f"{name}: number of clusters{of}\n1 to {len(rows)}, or {curves}; Enter takes it, Escape does not"
    )
    session.presentation.prompt = Prompt(question, partial(_take_answer, session))


def _take_answer(session: Session, text: str) -> str:
    """Do what was answered; returns what is wrong with it."""
    if text.lower() == "elbow":
        if session.state.clustering != "kmeans":
            return "the elbow is one of k-means; Escape, and # for k-means"
        _show_elbow(session)
        return ""
    if text.lower() == "silhouette":
        _show_silhouette(session)
        return ""
    most = len(session.state.selection.scope)
    if not text.isdecimal() or not 1 <= int(text) <= most:
        return f"{text!r} is no number from 1 to {most}"
    find_clusters(session, int(text))
    return ""


def _show_elbow(session: Session) -> None:
    (space, _), seed = _searched(session), session.state.settings.seed

    def show(curve: NDArray[np.floating]) -> None:
        session.presentation.detail = ElbowCurve(curve)

    session.work.start(
        "detail",
        "k-means with 1, 2, 3, … clusters",
        lambda job: session.calculation(job)("elbow_curve", space, seed=seed),
        show,
    )


def _show_silhouette(session: Session) -> None:
    (space, _), state = _searched(session), session.state
    options = {"method": state.clustering, "seed": state.settings.seed}
    name = CLUSTERING_NAMES[state.clustering]

    def show(curve: NDArray[np.floating]) -> None:
        if len(curve):
            session.presentation.detail = SilhouetteCurve(curve, name)
        else:
            session.say("a silhouette needs at least three segments")

    session.work.start(
        "detail",
        f"silhouette of 2, 3, … clusters by {name}",
        lambda job: session.calculation(job)("silhouette_curve", space, **options),
        show,
    )


def find_clusters(session: Session, number: int) -> None:
    """Cluster what is selected, else what is shown, and colour by it.

    Args:
        session: Whose state.
        number: Of clusters, 1 … n; means nothing to a method that finds it by itself.
    """
    state = session.state
    given = None if state.clustering in DENSITY_METHODS else number
    state.groups = given or state.groups
    session.close_curve()
    options = {"method": state.clustering, "clusters": given, "seed": state.settings.seed}
    name, (space, rows) = CLUSTERING_NAMES[state.clustering], _searched(session)
    number, dimensions = (len(state), 1) if space is None else (space.shape[0], space.shape[1])

    def show(clusters: NDArray[np.int64]) -> None:
        state.show_clusters(clusters, rows)
        found = int(clusters.max(initial=-1)) + 1
        fewer = f" (there are no more different segments than {found})" if found < (given or 0) else ""
        noise = noise_share(clusters)
        session.say(f"{found} clusters by {name}{fewer}" + (f", {noise:.0%} in none" if noise else ""))

    asked = name if given is None else f"{name}, {given} clusters"
    session.work.start(
        "clusters",
        ", ".join(
            filter(None, (asked, clustering_cost(state.clustering, number, dimensions, given or 1).words()))
        ),
        lambda job: session.calculation(job)("cluster", space, **options),
        show,
    )


def _searched(session: Session) -> tuple[NDArray[np.floating] | None, NDArray[np.intp] | None]:
    """Vectors of what is selected, else of what is shown, and their rows; None for all rows."""
    space, rows = session.state.space, session.state.selection.scope
    if space is None or len(rows) == len(session.state):
        return space, None
    return space[rows], rows
