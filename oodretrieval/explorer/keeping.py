"""How an explorer was left, kept next to the catalogue, so that it comes back so. Tags are kept by themselves."""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from oodretrieval.choices import METRICS
from oodretrieval.errors import OODRetrievalError, StoreError
from oodretrieval.explorer.presentation import Limits, Presentation
from oodretrieval.explorer.state import State
from oodretrieval.search import metric_in_use
from oodretrieval.search.clustering import METHODS as CLUSTERINGS
from oodretrieval.stores import FORMAT_VERSION, plain, read_json, write_json

logger = logging.getLogger(__name__)

FILE = "explorer.json"
_MOST = 200_000
"""Segments up to which clusters are kept, which are one number each."""


class Keeping:
    """Writes and reads how a state and its presentation stand.

    Args:
        state: What is kept.
        presentation: Of one view of it.

    Attributes:
        path: The file.
        limits: What the scatter showed, for the points that are to come; None for all points.
    """

    def __init__(self, state: State, presentation: Presentation) -> None:
        self._state, self._presentation = state, presentation
        self.path: Path = state.catalogue.path / FILE
        self.limits: Limits | None = None
        self._written: dict[str, Any] = {}

    def save(self) -> None:
        """Write how it stands, if that has changed; a catalogue that cannot be written to is explored all the same."""
        standing = plain(self._standing())
        if standing == self._written:
            return
        self._written = standing
        try:
            write_json(self.path, {"format_version": FORMAT_VERSION, **standing})
        except StoreError as error:
            logger.info("how the explorer stands is not kept: %s", error)

    def restore(self) -> str:
        """Let state and presentation stand as they were left.

        What means nothing any more is left out: rows of a catalogue that was made again, a filter over a column that is
        gone.

        Returns:
            What was restored, in words; empty for nothing.
        """
        if not self.path.is_file():
            return ""
        try:
            content = read_json(self.path, "it is written again")
            restored = self._restore(content)
        except (OODRetrievalError, KeyError, TypeError, ValueError) as error:
            logger.info("how the explorer was left cannot be read: %s", error)
            return ""
        self._written = plain(self._standing())
        return restored

    def _standing(self) -> dict[str, Any]:
        state, chosen = self._state, self._state.selection
        clusters = state.clusters if len(state) <= _MOST else None
        is_final = state.points is not None and not state.preliminary
        return {
            "made_of": self._made_of(),
            "filter": "" if chosen.filter is None else chosen.filter.text,
            "hidden": sorted(chosen.hidden),
            "selected": [] if chosen.selected is None else np.flatnonzero(chosen.selected)[:_MOST].tolist(),
            "colouring": state.colouring,
            "clustering": state.clustering,
            "groups": state.groups,
            "clusters": None if clusters is None else clusters.tolist(),
            "metric": state.metric,
            "neighbours": state.neighbours,
            "once": state.once,
            "query": state.query,
            "step": 0 if state.ranking is None else state.ranking.step,
            "density": self._presentation.density,
            # what is shown of points that are there for now means nothing for those that are to come
            "limits": self._presentation.limits if is_final else self.limits,
            "method": state.settings.method,
        }

    def _restore(self, content: dict[str, Any]) -> str:
        state, chosen = self._state, self._state.selection
        same = content["made_of"] == plain(self._made_of())
        restored = []
        with state.together(), self._presentation.together():
            if content["metric"] in METRICS:
                state.metric = metric_in_use(content["metric"], len(state))
            state.clustering = (
                content["clustering"] if content["clustering"] in CLUSTERINGS else state.clustering
            )
            state.want_neighbours(int(content["neighbours"]))
            state.once = bool(content.get("once", state.once))
            if same and content["clusters"] is not None:
                state.clusters, state.groups = np.array(content["clusters"], np.int64), int(content["groups"])
            state.colour_by(str(content["colouring"]))
            chosen.hidden = frozenset(map(str, content["hidden"]))
            if content["filter"]:
                chosen.filter_by(str(content["filter"]))
                restored.append(f"filter {content['filter']}")
            if state.ranking is not None:
                state.ranking.raise_threshold(int(content["step"]) - state.ranking.step)
            if same and content["selected"]:
                restored.append(f"{chosen.select(content['selected'])} selected")
            if same and content["query"] is not None:
                state.query = int(content["query"])
            self._presentation.density = bool(content["density"])
            if same and content["limits"] and content["method"] == state.settings.method:
                left, bottom, right, top = map(float, content["limits"])
                self.limits = left, bottom, right, top
        return ", ".join(restored)

    def _made_of(self) -> dict[str, Any]:
        """What rows and points of the catalogue depend on."""
        return {"catalogue": self._state.catalogue.key, "embedding": self._state.embedding}
