"""What is explored and what was found in it: points, neighbours, clusters, colours. Knows no toolkit and no view."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.choices import METRICS
from oodretrieval.errors import StoreError, UnknownNameError
from oodretrieval.explorer.catalogue_segments import CatalogueSegments
from oodretrieval.explorer.categories import Category, Grouping, categories
from oodretrieval.explorer.colour_groups import checked_colouring, colour_groups
from oodretrieval.explorer.history import UNDOABLE, History
from oodretrieval.explorer.observable import Observable, Observed, is_same
from oodretrieval.explorer.ranking import Ranking
from oodretrieval.explorer.selection import Selection
from oodretrieval.explorer.settings import METHOD_NAMES, ExplorerSettings
from oodretrieval.explorer.tagging import Tagging
from oodretrieval.explorer.visible_neighbours import VisibleNeighbours
from oodretrieval.results.columns import Columns
from oodretrieval.search import metric_in_use
from oodretrieval.search.clustering import METHODS as CLUSTERINGS
from oodretrieval.stores import Catalogue


class State(Observable):
    """What is explored and what was found in it; whatever shows it follows its changes.

    Changes of the ranking are announced as ``place`` and ``step``, those of the selection as ``selected``, ``filter``
    and ``hidden``, of the tags as ``tags``, of what can be undone as ``history``.

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
        once: Whether neighbours of near frames that show one thing are found once, or each by itself. Observed.
        query: Row whose neighbours are wanted, or None. Observed.
        found: Its neighbours and their distances, nearest first; None until they are found. Observed.
        colouring: What the colours mean. Observed.
        clustering: Method of clustering. Observed.
        groups: How many clusters were asked for; 0 before the first clustering. Observed.
        clusters: Group of each segment, ``(n,)``, -1 for none; None before the first clustering. Observed.
        ranking: The segments by score, each thing once; None for a catalogue without scores.
        search: For nearest neighbours.
        columns: Everything that is known of the segments, by name.
        selection: What is shown and selected.
        tags: What a person named them.
        history: What was done, for undoing.

    Raises:
        StoreError: If the catalogue has no segments.
        UnknownNameError: If a method, metric or embedding is unknown.
    """

    points = Observed[NDArray[np.float32] | None]()
    preliminary = Observed[bool]()
    space = Observed[NDArray[np.floating] | None]()
    metric = Observed[str]()
    neighbours = Observed[int]()
    once = Observed[bool]()
    query = Observed[int | None]()
    found = Observed[list[tuple[int, float]] | None]()
    colouring = Observed[str]()
    clustering = Observed[str]()
    groups = Observed[int]()
    clusters = Observed[NDArray[np.int64] | None]()

    def __init__(self, catalogue: Catalogue, settings: ExplorerSettings) -> None:
        super().__init__()
        if settings.method not in METHOD_NAMES:
            raise UnknownNameError("projection method", settings.method, tuple(METHOD_NAMES))
        self.metric = metric_in_use(settings.distance_metric, len(catalogue))
        self.catalogue, self.settings = catalogue, settings
        self.embedding = settings.net or catalogue.default_embedding
        self.vectors = catalogue.vectors_of(self.embedding)
        self.segments = CatalogueSegments(catalogue)
        self.ranking = Ranking.of(catalogue)
        if self.ranking is not None:
            self.ranking.subscribe(lambda changed: self.announce(*changed))
        self.points, self.preliminary = None, False
        self.space = self.vectors if not settings.embedding_size else None
        self.once, self.query, self.found = settings.once, None, None
        self.want_neighbours(settings.neighbours)
        self.clustering, self.groups, self.clusters = next(iter(CLUSTERINGS)), 0, None
        self.colouring = self._most_instructive_colouring()
        self.history = History()
        self.tags = Tagging(catalogue, self.history)
        self.columns = Columns(
            catalogue, self.segments.classes, lambda: self.tags.groups, lambda: self.clusters
        )
        self.selection = Selection(
            self.columns,
            self._above_threshold,
            lambda: self.grouping,
            lambda: (self.tags.version, self.clusters),
            len(self),
        )
        if self.ranking is not None:
            self.ranking.keep_to = lambda: self.selection.visible
        for part in (self.history, self.tags, self.selection):
            part.subscribe(lambda changed: self.announce(*changed))
        self._grouped: tuple[tuple[Any, ...], Grouping] | None = None
        self._listed: tuple[tuple[Any, ...], list[Category]] | None = None
        self._standing = self._memento()
        self.subscribe(self._remember)
        self.search = VisibleNeighbours(catalogue, settings, self.vectors, self.ranking)

    def _most_instructive_colouring(self) -> str:
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
        lines = [self.segments.caption(row)]
        if self.clusters is not None and self.clusters[row] >= 0:
            lines.append(f"cluster {self.clusters[row] + 1}")
        if tags := self.tags.of_row(row):
            lines.append(f"tagged {', '.join(tags)}")
        return "\n".join(lines)

    # -- colours -------------------------------------------------------------------------------------------

    @property
    def grouping(self) -> Grouping:
        """The segments by colour, whether they are shown or not."""
        key = self.colouring, self.clusters, self.tags.version if self.colouring == "tags" else 0
        if self._grouped is None or not all(map(is_same, self._grouped[0], key)):
            groups = colour_groups(self.colouring, self.segments, self.columns, self.clusters, self.tags)
            self._grouped = key, groups
        return self._grouped[1]

    @property
    def depends_on_tags(self) -> bool:
        """Whether colours, or what is shown, change with the tags."""
        shown = self.selection.filter
        return self.colouring == "tags" or (shown is not None and "tags" in shown.names)

    def categories(self) -> list[Category]:
        """The segments by colour, with their numbers.

        Returns:
            The most frequent first, unknown classes before all others; last, as one, what is left out.
        """
        chosen = self.selection
        key = self.grouping, chosen.visible, chosen.selected, chosen.hidden
        if self._listed is None or not all(map(is_same, self._listed[0], key)):
            self._listed = key, categories(*key[:2], chosen.selected_shown, chosen.hidden)
        return self._listed[1]

    def colour_by(self, name: str) -> None:
        """Let the colours mean something else.

        Args:
            name: truth, prediction, score, uniform, clusters, tags, or a column.

        Raises:
            SettingsError: If there is no such column, or the catalogue has no truth, or no score.
        """
        checked = checked_colouring(name, self.segments, self.columns)
        if checked != self.colouring:
            with self.together():
                self.colouring, self.selection.hidden = checked, frozenset()

    def show_clusters(self, clusters: NDArray[np.int64], rows: NDArray[np.intp] | None = None) -> None:
        """Take clusters that were found, and colour by them.

        Args:
            clusters: Group of each segment, from 0, -1 for none, ``(n,)``, or ``(k,)`` of the rows.
            rows: Which were clustered, ``(k,)``; all where not given.
        """
        found = clusters
        if rows is not None:
            found = np.full(len(self), -1, np.int64)
            found[rows] = clusters
        with self.together():
            self.clusters, self.colouring, self.selection.hidden = found, "clusters", frozenset()

    # -- undoing -------------------------------------------------------------------------------------------

    def _above_threshold(self) -> tuple[NDArray[np.bool_], object]:
        chosen = self.ranking
        return (np.ones(len(self), np.bool_), 0) if chosen is None else (chosen.visible, chosen.step)

    def _memento(self) -> dict[str, Any]:
        chosen = self.selection
        return {
            "selected": chosen.selected,
            "filter": chosen.filter,
            "hidden": chosen.hidden,
            "colouring": self.colouring,
            "clusters": self.clusters,
            "step": 0 if self.ranking is None else self.ranking.step,
        }

    def _restore(self, memento: dict[str, Any]) -> None:
        with self.together(), self.selection.together():
            for name in ("selected", "filter", "hidden"):
                setattr(self.selection, name, memento[name])
            self.colouring, self.clusters = memento["colouring"], memento["clusters"]
            if self.ranking is not None:
                self.ranking.step = memento["step"]

    def _remember(self, changed: frozenset[str]) -> None:
        done = [title for name, title in UNDOABLE.items() if name in changed]
        if not done:
            return
        before, after = self._standing, self._memento()
        self._standing = after
        self.history.record(done[0], lambda: self._restore(before), lambda: self._restore(after))

    # -- search --------------------------------------------------------------------------------------------

    def nearest(self, row: int) -> list[tuple[int, float]]:
        """The nearest neighbours of a segment among what is shown, as many as are wanted; the last answer is kept.

        With :attr:`once` each thing is found once, by the nearest of the segments that show it (:meth:`seen`).

        Args:
            row: Of the segment.

        Returns:
            Rows and distances, nearest first, without the segment itself.

        Raises:
            StoreError: If the space to search in is not computed yet.
        """
        if self.space is None:
            raise StoreError("the space to search in is still being computed; wait for it")
        shown = self.selection.visible
        return self.search.nearest(row, self.space, self.metric, self.neighbours, shown, self.once)

    def seen(self, row: int) -> int:
        """How many segments that are shown show the same thing in near frames.

        Args:
            row: Of one of them.

        Returns:
            Their number, itself among them; 1 where each counts by itself.
        """
        return self.search.seen(row, self.selection.visible) if self.once else 1

    def want_neighbours(self, count: int) -> int:
        """Set how many neighbours are wanted.

        Args:
            count: Any number; it is brought into 0 … n - 1.

        Returns:
            What it is then.
        """
        self.neighbours = min(max(count, 0), len(self) - 1)
        return self.neighbours

    def cycle_metric(self) -> str:
        """Take the next metric of those by which so large a catalogue is compared.

        Returns:
            Its name.
        """
        usable = tuple(name for name in METRICS if metric_in_use(name, len(self)) == name)
        self.metric = _next(usable, self.metric)
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
