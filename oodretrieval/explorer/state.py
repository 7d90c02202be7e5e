"""What the explorer knows: segments, where they lie, how they are coloured, what is near what. No toolkit in it."""

from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.errors import StoreError, UnknownNameError
from oodretrieval.explorer.categories import UNIFORM, Category, below, by_cluster, by_name, by_value
from oodretrieval.explorer.ranking import Ranking
from oodretrieval.explorer.segment_values import SegmentValues
from oodretrieval.explorer.settings import ExplorerSettings
from oodretrieval.labels import ClassMapping
from oodretrieval.masks import RunLengthMask
from oodretrieval.results.candidates import score_name
from oodretrieval.search import NearestNeighbours
from oodretrieval.search.clustering import METHODS as CLUSTERINGS
from oodretrieval.search.neighbours import METRICS
from oodretrieval.stores import PREDICTED_IOU, SELECT_SCORE, Catalogue
from oodretrieval.stores.boxes import crop_boxes, segment_boxes

Colouring = Literal["truth", "prediction", "score", "uniform", "clusters"]
METHODS = ("tsne", "isomap", "pca")
NO_TRUTH = -1


class State:
    """Everything but the picture.

    Args:
        catalogue: What is explored.
        settings: How.

    Attributes:
        points: Where the segments are drawn, ``(n, 2)``; None until that is computed.
        preliminary: Whether ``points`` are a PCA that stands in for a projection under way.
        space: Vectors that neighbours and clusters are searched in, ``(n, D)``; None until computed.
        metric: Distance metric.
        neighbours: How many nearest neighbours are wanted.
        colouring: What the colours mean.
        ranking: The segments by score, each thing once; None for a catalogue without scores.
        density: Whether the density is drawn.
        clustering: Method of clustering.
        clusters: Group of each segment, ``(n,)``; None before the first clustering.
        hovered: Row under the pointer, or None.
        query: Row whose neighbours are looked at, or None.

    Raises:
        StoreError: If the catalogue has no segments.
        UnknownNameError: If a method, metric or embedding is unknown.
    """

    def __init__(self, catalogue: Catalogue, settings: ExplorerSettings) -> None:
        for kind, name, known in (
            ("distance metric", settings.distance_metric, METRICS),
            ("projection method", settings.method, METHODS),
        ):
            if name not in known:
                raise UnknownNameError(kind, name, known)
        self.catalogue, self.settings = catalogue, settings
        self.embedding = settings.net or catalogue.default_embedding
        self.vectors = catalogue.vectors_of(self.embedding)
        self.segments: pd.DataFrame = catalogue.segments
        if not len(self.segments):
            raise StoreError(f"catalogue {catalogue.name} is empty; select more in compute_embeddings")
        self.points: NDArray[np.float32] | None = None
        self.preliminary = False
        self.space: NDArray[np.floating] | None = self.vectors if not settings.embedding_size else None
        self.metric = settings.distance_metric
        self.neighbours = min(max(settings.neighbours, 0), len(self) - 1)
        self.ranking = Ranking.of(catalogue)
        self.density = False
        self.clustering = next(iter(CLUSTERINGS))
        self.clusters: NDArray[np.int64] | None = None
        self.hovered: int | None = None
        self.query: int | None = None
        self._made_by = catalogue.settings
        self._index: tuple[str, int, NearestNeighbours] | None = None
        self.colouring: Colouring = self._telling_colouring()

    def _telling_colouring(self) -> Colouring:
        """What says most at first sight: truth, without it the score, without that the predicted class."""
        if self.has_truth:
            return "truth"
        return "score" if self.select_by else "prediction"

    def __len__(self) -> int:
        return len(self.segments)

    # -- segments ------------------------------------------------------------------------------------------

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """Label id by truth, ``(n,)``; -1 without truth."""
        if "label" not in self.segments.columns:
            return np.full(len(self), NO_TRUTH, np.int64)
        labels = self.segments["label"].fillna(NO_TRUTH).to_numpy(np.int64)
        # a dataset without a table of labels has no truth, whatever its numbers say
        without = [dataset for dataset in set(self.segments["dataset"]) if not self.label_mapping(dataset)]
        return np.where(self.segments["dataset"].isin(without), NO_TRUTH, labels)

    @property
    def has_truth(self) -> bool:
        """Whether any segment has truth."""
        return bool((self.labels != NO_TRUTH).any())

    def label_mapping(self, dataset: str) -> ClassMapping:
        """Label id → (name, colour) of a dataset; empty without truth."""
        return _mapping(self._made_by.get("label_mapping", {}).get(dataset, {}))

    @cached_property
    def pred_mapping(self) -> ClassMapping:
        """Predicted id → (name, colour)."""
        return _mapping(self._made_by.get("pred_mapping", {}))

    def value(self, row: int, column: str) -> Any:
        """One value of a segment."""
        return self.segments[column].iloc[row]

    def image_path(self, row: int) -> Path:
        """Image file of a segment."""
        return Path(str(self.value(row, "image_path")))

    def box(self, row: int) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of a segment, pixels, half-open."""
        return segment_boxes(self.segments.iloc[[row]])[0]

    def mask(self, row: int) -> RunLengthMask | None:
        """The mask of a segment in its image; None where the catalogue keeps none.

        Raises:
            StoreError: If the file of masks is damaged.
        """
        return self.catalogue.masks[row]

    def crop_box(self, row: int) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of the crop that was embedded, pixels, half-open."""
        return crop_boxes(self.segments.iloc[[row]])[0]

    def predicted_name(self, row: int) -> str:
        """Name of the predicted class."""
        return str(self._predicted_names[row])

    def truth_name(self, row: int) -> str | None:
        """Name of the class by truth; None without truth."""
        return str(self._truth_names[row]) if self.labels[row] != NO_TRUTH else None

    def is_unknown(self, row: int) -> bool:
        """Whether a segment is, by truth, of a class that the network never learned."""
        return bool(self._unknown[row])

    def same_class(self, row: int, other: int) -> bool | None:
        """Whether two segments are of one class by truth; None where that is not known."""
        ours, theirs = self.truth_name(row), self.truth_name(other)
        return None if ours is None or theirs is None else ours == theirs

    def caption(self, row: int) -> str:
        """What is known of a segment, in two or three lines."""
        truth = self.truth_name(row)
        unknown = ", never learned" if self.is_unknown(row) else ""
        lines = [f"predicted {self.predicted_name(row)}"]
        if PREDICTED_IOU in self.segments.columns:
            lines[0] += f", IoU {self.value(row, PREDICTED_IOU):.2f}"
        if self.select_by not in ("", PREDICTED_IOU):
            lines[0] += f", {self.score_name} {self.value(row, SELECT_SCORE):.2f}"
        if truth is not None:
            lines.insert(0, f"{truth} (truth{unknown})")
        if self.clusters is not None:
            lines.append(f"cluster {self.clusters[row] + 1}")
        return "\n".join(lines)

    @property
    def select_by(self) -> str:
        """Name of the score that the segments were selected by; empty for catalogues without one."""
        return str(self._made_by.get("select_by", "")) if SELECT_SCORE in self.segments.columns else ""

    @property
    def score_name(self) -> str:
        """What to call the score that the segments were selected by, which is higher where more unknown."""
        return score_name(self.select_by)

    def place(self, row: int) -> str:
        """Where a segment comes from, in one line."""
        dataset, image, segment = (self.value(row, name) for name in ("dataset", "image_id", "segment_id"))
        return f"{dataset} · {image} · segment {segment}"

    def segment_values(self, row: int) -> SegmentValues:
        """What is known of every segment of this segment's image: the score that selected, or the predicted IoU.

        Of a catalogue that keeps only the selected ones' (see :data:`PREDICTED_IOU`), of those.
        """
        table = self._judged
        by_score = self.select_by not in ("", PREDICTED_IOU) and SELECT_SCORE in table.columns
        here = tuple(self.value(row, name) for name in ("dataset", "image_id"))
        return SegmentValues.of(table, here, SELECT_SCORE if by_score else PREDICTED_IOU, self.score_name)

    @property
    def judges_all(self) -> bool:
        """Whether the values of segments are known that were not selected."""
        return PREDICTED_IOU in self.catalogue.table_names

    @cached_property
    def _judged(self) -> pd.DataFrame:
        return self.catalogue.table(PREDICTED_IOU) if self.judges_all else self.segments

    @cached_property
    def _truth_names(self) -> NDArray[np.str_]:
        tables = {dataset: self.label_mapping(dataset) for dataset in set(self.segments["dataset"])}
        pairs = zip(self.segments["dataset"], self.labels, strict=True)
        return np.array(
            ["no truth" if i == NO_TRUTH else _name(tables[d], int(i), "label") for d, i in pairs], dtype=str
        )

    @cached_property
    def _predicted_names(self) -> NDArray[np.str_]:
        return np.array(
            [_name(self.pred_mapping, int(i), "class") for i in self.segments["class"]], dtype=str
        )

    @cached_property
    def _unknown(self) -> NDArray[np.bool_]:
        found = np.zeros(len(self), np.bool_)
        for dataset, ids in self._made_by.get("unknown_ids", {}).items():
            found |= (self.segments["dataset"] == dataset).to_numpy() & np.isin(self.labels, ids)
        return found

    # -- colours -------------------------------------------------------------------------------------------

    def categories(self) -> list[Category]:
        """The segments by colour, the most frequent first, unknown classes before all others.

        What is below the threshold comes last, as one.
        """
        found = self._categories()
        return found if self.ranking is None else below(found, self.ranking.visible)

    def _categories(self) -> list[Category]:
        if self.colouring == "truth":
            colours = {
                name: c for d in set(self.segments["dataset"]) for name, c in self.label_mapping(d).values()
            }
            return by_name(self._truth_names, colours, self._unknown)
        if self.colouring == "prediction":
            colours = dict(self.pred_mapping.values())
            return by_name(self._predicted_names, colours, np.zeros(len(self), np.bool_))
        if self.colouring == "score" and self.select_by:
            return by_value(self.segments[SELECT_SCORE].to_numpy(np.float64), self.score_name)
        if self.colouring == "clusters" and self.clusters is not None:
            return by_cluster(self.clusters)
        return [Category("segments", UNIFORM, np.arange(len(self)))]

    # -- search --------------------------------------------------------------------------------------------

    def nearest(self, row: int) -> list[tuple[int, float]]:
        """The nearest neighbours of a segment without itself: rows and distances, nearest first.

        Raises:
            StoreError: If the space to search in is not computed yet.
        """
        if self.space is None:
            raise StoreError("the space to search in is still being computed; wait for it")
        if not self.neighbours:
            return []
        if self._index is None or self._index[:2] != (self.metric, id(self.space)):
            self._index = (self.metric, id(self.space), NearestNeighbours(self.space, self.metric))
        found, distances = self._index[2].query(self.space[row], self.neighbours + 1)
        others = [(int(i), float(d)) for i, d in zip(found, distances, strict=True) if i != row]
        return others[: self.neighbours]

    def want_neighbours(self, count: int) -> int:
        """Set how many neighbours are wanted, 0 … n - 1; returns what it is then."""
        self.neighbours = min(max(count, 0), len(self) - 1)
        return self.neighbours

    def cycle_metric(self) -> str:
        """Take the next metric; returns its name."""
        self.metric = _next(METRICS, self.metric)
        return self.metric

    def cycle_clustering(self) -> str:
        """Take the next method of clustering; returns its name."""
        self.clustering = _next(tuple(CLUSTERINGS), self.clustering)
        return self.clustering


def _next(names: tuple[str, ...], name: str) -> str:
    return names[(names.index(name) + 1) % len(names)]


def _mapping(listed: dict[str, Any]) -> ClassMapping:
    return {int(key): (str(name), (int(c[0]), int(c[1]), int(c[2]))) for key, (name, c) in listed.items()}


def _name(mapping: ClassMapping, key: int, kind: str) -> str:
    return mapping[key][0] if key in mapping else f"{kind} {key}"
