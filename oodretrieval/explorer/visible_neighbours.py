"""Nearest neighbours among the segments that are shown, by thing or by segment. Knows no toolkit."""

from functools import cached_property
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from oodretrieval.explorer.ranking import Ranking
from oodretrieval.explorer.settings import ExplorerSettings
from oodretrieval.results.candidates import groups_of
from oodretrieval.search import NearestNeighbours, neighbour_index, query_vector
from oodretrieval.stores import Catalogue

Found = list[tuple[int, float]]
"""Rows and distances, nearest first."""


class VisibleNeighbours:
    """Searches a catalogue's segments; the index and the last answer are kept.

    Args:
        catalogue: Whose segments.
        settings: Which embedding, and whether an index of faiss may be used, which the extra ``[faiss]`` brings.
        vectors: Of that embedding, ``(n, D)``; the catalogue knows their lengths.
        ranking: Of the segments; None for a catalogue without scores.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        settings: ExplorerSettings,
        vectors: NDArray[np.floating],
        ranking: Ranking | None,
    ) -> None:
        self._catalogue, self._vectors, self._ranking = catalogue, vectors, ranking
        self._embedding = settings.net or catalogue.default_embedding
        self._approximate = settings.approximate
        self._lock = Lock()
        self._index: tuple[str, NDArray[np.floating], NearestNeighbours] | None = None
        self._found: tuple[tuple[int, int, bool], NDArray[np.bool_], Found] | None = None

    @cached_property
    def things(self) -> NDArray[np.intp]:
        """Which segment each one repeats in a near frame, itself if none, ``(n,)``."""
        return groups_of(self._catalogue) if self._ranking is None else self._ranking.first

    def nearest(
        self,
        row: int,
        space: NDArray[np.floating],
        metric: str,
        wanted: int,
        visible: NDArray[np.bool_],
        once: bool,
    ) -> Found:
        """The nearest neighbours of a segment.

        Args:
            row: Of the segment, which is left out.
            space: Vectors to search in, ``(n, D)``.
            metric: Distance metric.
            wanted: How many neighbours; fewer where fewer are shown.
            visible: Which segments are shown, ``(n,)``.
            once: Each thing is found once, by the nearest segment that shows it, that of the query not at all.

        Returns:
            Rows and distances, nearest first.
        """
        with self._lock:
            index = self._index_of(space, metric)
            asked = row, wanted, once
            if self._found is None or self._found[0] != asked or self._found[1] is not visible:
                things = self.things if once else None
                found = nearest_visible(index, row, space[row], wanted, visible, things)
                self._found = asked, visible, found
            return self._found[2]

    def like(
        self,
        vectors: NDArray[np.floating],
        wanted: NDArray[np.floating],
        unwanted: NDArray[np.floating] | None,
        metric: str,
        number: int,
        among: NDArray[np.bool_],
        once: bool,
    ) -> Found:
        """What is like some examples, and unlike others.

        Args:
            vectors: To search in, ``(n, D)``.
            wanted: Examples, ``(p, D)``.
            unwanted: Examples of what is not wanted, ``(m, D)``; None for none.
            metric: Distance metric.
            number: How many are found at most, >= 1.
            among: Which segments may be found, ``(n,)``.
            once: Each thing is found once, by the nearest segment that shows it.

        Returns:
            Rows and distances, nearest first.

        Raises:
            ValueError: If the examples are of another width.
        """
        with self._lock:  # the view looks for neighbours meanwhile
            index = self._index_of(vectors, metric)
        vector = query_vector(wanted, unwanted, metric, index.centre)
        if once:
            found, distances, _ = index.query_groups(vector, number, self.things, among=among)
        else:
            found, distances = index.query(vector, number, among=among)
        return [(int(i), float(d)) for i, d in zip(found, distances, strict=True)]

    def _index_of(self, space: NDArray[np.floating], metric: str) -> NearestNeighbours:
        """The index of a space, built again where that or the metric is another one."""
        if self._index is None or self._index[0] != metric or self._index[1] is not space:
            known = self._catalogue.lengths_of(self._embedding) if space is self._vectors else None
            index = neighbour_index(space, metric, norms=known, approximate=self._approximate)
            self._index = metric, space, index
            self._found = None
        return self._index[2]

    @property
    def is_approximate(self) -> bool:
        """Whether the last answer may lack a neighbour."""
        return self._index is not None and getattr(self._index[2], "is_approximate", False)

    def seen(self, row: int, visible: NDArray[np.bool_]) -> int:
        """How many segments that are shown show the same thing in near frames.

        Args:
            row: Of one of them.
            visible: Which segments are shown, ``(n,)``.

        Returns:
            Their number, itself among them.
        """
        return max(1, int((visible & (self.things == self.things[row])).sum()))


def nearest_visible(
    index: NearestNeighbours,
    row: int,
    vector: NDArray[np.floating],
    wanted: int,
    visible: NDArray[np.bool_],
    things: NDArray[np.integer] | None = None,
) -> list[tuple[int, float]]:
    """Neighbours of a segment among those that are shown.

    Args:
        index: Of all segments.
        row: Of the query, which is left out.
        vector: Of the query, ``(D,)``.
        wanted: How many neighbours; fewer where fewer are shown.
        visible: Which segments are shown, ``(n,)``.
        things: Group of each segment, ``(n,)``: each is found once, by its nearest member, that of the query not at
            all. None where each segment counts by itself.

    Returns:
        Rows and distances, nearest first.
    """
    if not wanted or not visible.any():
        return []
    among = None if visible.all() else visible
    if things is None:
        found, distances = index.query(vector, wanted + 1, among=among)
    else:
        found, distances, _ = index.query_groups(vector, wanted + 1, things, among=among)
    own = found == row if things is None else things[found] == things[row]
    others = [(int(i), float(d)) for i, d in zip(found[~own], distances[~own], strict=True)]
    return others[:wanted]
