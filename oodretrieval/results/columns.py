"""Everything that is known of a catalogue's segments, by name: for filters, colours and tables."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from oodretrieval.clips import clip_names
from oodretrieval.results.candidates import score_name
from oodretrieval.results.segment_classes import SegmentClasses
from oodretrieval.results.tagged import CandidateRows, read_tags
from oodretrieval.search.row_comparisons import Column, Groups
from oodretrieval.search.row_filter import parse_filter
from oodretrieval.stores import SELECT_SCORE, Catalogue


class Columns(Mapping[str, Column]):
    """Columns of the catalogue, and what follows from them; each is read when it is asked for.

    ``predicted`` and ``truth`` are names of classes, ``unknown`` is whether the network never learned it by truth,
    ``image`` and ``drive`` (the image's name without its last number) say where it is, ``score`` is what it was
    selected by, which has its own name, too, such as ``novelty``, ``tags`` what a person named it and ``cluster`` its
    group, from 1, 0 for none.

    Args:
        catalogue: Whose segments.
        classes: What they are.
        tags: Gives which rows have which tag.
        clusters: Gives the group of each segment from 0, -1 for none, ``(n,)``; None before the first clustering.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        classes: SegmentClasses,
        tags: Callable[[], Groups],
        clusters: Callable[[], NDArray[np.int64] | None] = lambda: None,
    ) -> None:
        self._table = catalogue.segments
        self._clusters = clusters
        self._kept: dict[str, Column] = {}
        self._derived: dict[str, Callable[[], Column]] = {
            "predicted": lambda: classes.predicted_names,
            "image": lambda: self._table["image_id"].to_numpy(),
            "drive": lambda: np.array(clip_names(self._table["image_id"].tolist()), dtype=object),
        }
        if classes.has_truth:
            self._derived |= {"truth": lambda: classes.truth_names, "unknown": lambda: classes.unknown}
        if SELECT_SCORE in self._table.columns:
            self._derived |= dict.fromkeys(("score", *_own_name(catalogue)), self._scores)
        self._changing: dict[str, Callable[[], Column]] = {
            "tags": tags,
            "cluster": self._cluster_numbers,
        }

    def __iter__(self) -> Iterator[str]:
        yield from self._derived
        yield from self._changing
        yield from (name for name in self._table.columns if name not in self._derived)

    def __len__(self) -> int:
        return len(list(iter(self)))

    def __getitem__(self, name: str) -> Column:
        if name in self._changing:
            return self._changing[name]()
        if name not in self._kept:
            derived = self._derived.get(name)
            self._kept[name] = self._table[name].to_numpy() if derived is None else derived()
        return self._kept[name]

    @classmethod
    def of(cls, catalogue: Catalogue) -> "Columns":
        """Those of a catalogue as it lies on disk, with its tags.

        Args:
            catalogue: Whose candidates.

        Returns:
            Its columns, without clusters.

        Raises:
            StoreError: If the tags cannot be read.
        """
        groups = CandidateRows(catalogue).groups(read_tags(catalogue))
        return cls(catalogue, SegmentClasses(catalogue), lambda: groups)

    def _scores(self) -> NDArray[np.float64]:
        scores: NDArray[np.float64] = self._table[SELECT_SCORE].to_numpy(np.float64)
        return scores

    def _cluster_numbers(self) -> NDArray[np.int64]:
        clusters = self._clusters()
        return np.zeros(len(self._table), np.int64) if clusters is None else clusters + 1


def _own_name(catalogue: Catalogue) -> tuple[str, ...]:
    """What views call the score of a catalogue, as a column of that name; none where it is no word or is taken."""
    name = score_name(str(catalogue.settings.get("select_by", ""))).replace(" ", "_")
    return (name,) if name.isidentifier() and name not in catalogue.segments.columns else ()


def filtered_rows(catalogue: Catalogue, text: str) -> NDArray[np.bool_]:
    """The rows of a catalogue that a filter means.

    Args:
        catalogue: As it lies on disk, with its tags.
        text: The filter, e.g. ``predicted == "car" and predicted_iou < 0.5``; all rows if empty.

    Returns:
        ``(n,)``.

    Raises:
        FilterError: If the filter cannot be read, or names an unknown column.
        StoreError: If the tags cannot be read.
    """
    if not text.strip():
        return np.ones(len(catalogue), np.bool_)
    columns = Columns.of(catalogue)
    return parse_filter(text, columns).rows(columns)
