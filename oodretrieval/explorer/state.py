"""What is explored and what was found in it: points, neighbours, clusters, colours. Knows no toolkit and no view."""

from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from oodretrieval.charts.palette import UNIFORM
from oodretrieval.errors import StoreError, UnknownNameError
from oodretrieval.explorer.catalogue_segments import CatalogueSegments
from oodretrieval.explorer.categories import Category, below, by_cluster, by_name, by_value
from oodretrieval.explorer.observable import Observable, Observed
from oodretrieval.explorer.ranking import Ranking
from oodretrieval.explorer.settings import ExplorerSettings
from oodretrieval.search import NearestNeighbours
from oodretrieval.search.clustering import METHODS as CLUSTERINGS
from oodretrieval.search.neighbours import METRICS
from oodretrieval.stores import Catalogue

Colouring = Literal["truth", "prediction", "score", "uniform", "clusters"]
METHOD_NAMES = {"tsne": "t-SNE", "isomap": "Isomap", "pca": "PCA"}
"""Methods of projection, and what to call them."""


class State(Observable):
    """What is explored and what was found in it; whatever shows it follows its changes.

    Changes of the ranking are announced as ``place`` and ``step``.

    Args:
        catalogue: What is explored.
        settings: How.

    Attributes:
        segments: What the catalogue says of its segments.
        vectors: Their embedding, ``(n, D)``; may be memory-mapped.
        embedding: Its name.
        points: Where the segments lie in the plane, ``(n, 2)``; None until that is computed. Observed.
        preliminary: Whether ``points`` are a PCA that stands in for a projection under way. Observed.
        space: Vectors that neighbours and clusters are searched in, ``(n, D)``; None until computed. Observed.
        metric: Distance metric. Observed.
        neighbours: How many nearest neighbours are wanted. Observed.
        query: Row whose neighbours are wanted, or None. Observed.
        colouring: What the colours mean. Observed.
        clustering: Method of clustering. Observed.
        groups: How many clusters were asked for; 0 before the first clustering. Observed.
        clusters: Group of each segment, ``(n,)``; None before the first clustering. Observed.
        ranking: The segments by score, each thing once; None for a catalogue without scores.

    Raises:
        StoreError: If the catalogue has no segments.
        UnknownNameError: If a method, metric or embedding is unknown.
    """

    points = Observed[NDArray[np.float32] | None]()
    preliminary = Observed[bool]()
    space = Observed[NDArray[np.floating] | None]()
    metric = Observed[str]()
    neighbours = Observed[int]()
    query = Observed[int | None]()
    colouring = Observed[Colouring]()
    clustering = Observed[str]()
    groups = Observed[int]()
    clusters = Observed[NDArray[np.int64] | None]()

    def __init__(self, catalogue: Catalogue, settings: ExplorerSettings) -> None:
        super().__init__()
        for kind, name, known in (
            ("distance metric", settings.distance_metric, METRICS),
            ("projection method", settings.method, tuple(METHOD_NAMES)),
        ):
            if name not in known:
                raise UnknownNameError(kind, name, known)
        self.catalogue, self.settings = catalogue, settings
        self.embedding = settings.net or catalogue.default_embedding
        self.vectors = catalogue.vectors_of(self.embedding)
        self.segments = CatalogueSegments(catalogue)
        self.ranking = Ranking.of(catalogue)
        if self.ranking is not None:
            self.ranking.subscribe(lambda changed: self.announce(*changed))
        self.points, self.preliminary = None, False
        self.space = self.vectors if not settings.embedding_size else None
        self.metric, self.query = settings.distance_metric, None
        self.neighbours = self._possible(settings.neighbours)
        self.clustering, self.groups, self.clusters = next(iter(CLUSTERINGS)), 0, None
        self.colouring = self._most_instructive_colouring()
        self._index: tuple[str, NDArray[np.floating], NearestNeighbours] | None = None
        self._found: tuple[tuple[int, int], list[tuple[int, float]]] | None = None

    def _most_instructive_colouring(self) -> Colouring:
        """What says most at first sight: truth, without it the score, without that the predicted class."""
        if self.segments.classes.has_truth:
            return "truth"
        return "score" if self.segments.select_by else "prediction"

    def __len__(self) -> int:
        return len(self.segments)

    def caption(self, row: int) -> str:
        """What is known of a segment.

        Args:
            row: Of the segment.

        Returns:
            One to three lines: classes and scores, and the cluster once there are clusters.
        """
        known = self.segments.caption(row)
        return known if self.clusters is None else f"{known}\ncluster {self.clusters[row] + 1}"

    # -- colours -------------------------------------------------------------------------------------------

    def categories(self) -> list[Category]:
        """The segments by colour.

        Returns:
            The most frequent first, unknown classes before all others; last, as one, what is below the threshold.
        """
        found = self._categories()
        return found if self.ranking is None else below(found, self.ranking.visible)

    def _categories(self) -> list[Category]:
        classes = self.segments.classes
        if self.colouring == "truth":
            return by_name(classes.truth_names, self._truth_colours, classes.unknown)
        if self.colouring == "prediction":
            known = np.zeros(len(self), np.bool_)
            return by_name(classes.predicted_names, dict(classes.pred_mapping.values()), known)
        if self.colouring == "score" and self.segments.select_by:
            return by_value(self.segments.scores, self.segments.score_name)
        if self.colouring == "clusters" and self.clusters is not None:
            return by_cluster(self.clusters)
        return [Category("segments", UNIFORM, np.arange(len(self)))]

    @cached_property
    def _truth_colours(self) -> dict[str, tuple[int, int, int]]:
        tables = map(self.segments.classes.label_mapping, self.segments.classes.datasets)
        return {name: colour for table in tables for name, colour in table.values()}

    def show_clusters(self, clusters: NDArray[np.int64]) -> None:
        """Take clusters that were found, and colour by them.

        Args:
            clusters: Group of each segment, ``(n,)``, from 0.
        """
        with self.together():
            self.clusters, self.colouring = clusters, "clusters"

    # -- search --------------------------------------------------------------------------------------------

    def nearest(self, row: int) -> list[tuple[int, float]]:
        """The nearest neighbours of a segment, as many as are wanted; the last answer is kept.

        Args:
            row: Of the segment.

        Returns:
            Rows and distances, nearest first, without the segment itself.

        Raises:
            StoreError: If the space to search in is not computed yet.
        """
        if self.space is None:
            raise StoreError("the space to search in is still being computed; wait for it")
        if self._index is None or self._index[0] != self.metric or self._index[1] is not self.space:
            self._index = self.metric, self.space, NearestNeighbours(self.space, self.metric)
            self._found = None
        asked = row, self.neighbours
        if self._found is None or self._found[0] != asked:
            self._found = asked, self._search(row, self.space[row], self._index[2])
        return self._found[1]

    def _search(
        self, row: int, vector: NDArray[np.floating], index: NearestNeighbours
    ) -> list[tuple[int, float]]:
        if not self.neighbours:
            return []
        found, distances = index.query(vector, self.neighbours + 1)
        others = [(int(i), float(d)) for i, d in zip(found, distances, strict=True) if i != row]
        return others[: self.neighbours]

    def want_neighbours(self, count: int) -> int:
        """Set how many neighbours are wanted.

        Args:
            count: Any number; it is brought into 0 … n - 1.

        Returns:
            What it is then.
        """
        self.neighbours = self._possible(count)
        return self.neighbours

    def _possible(self, count: int) -> int:
        return min(max(count, 0), len(self) - 1)

    def cycle_metric(self) -> str:
        """Take the next metric.

        Returns:
            Its name.
        """
        self.metric = _next(METRICS, self.metric)
        return self.metric

    def cycle_clustering(self) -> str:
        """Take the next method of clustering.

        Returns:
            Its name.
        """
        self.clustering = _next(tuple(CLUSTERINGS), self.clustering)
        return self.clustering


def _next(names: tuple[str, ...], name: str) -> str:
    return names[(names.index(name) + 1) % len(names)]
