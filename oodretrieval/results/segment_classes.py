"""What the segments of a catalogue are: by prediction and by truth."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.labels import ClassMapping
from oodretrieval.plain_classes import classes_of
from oodretrieval.stores import Catalogue

NO_TRUTH = -1
"""In place of a label id."""


@dataclass(frozen=True, eq=False)
class ClassNames:
    """Names of the classes of very many segments, each name once.

    Attributes:
        names: Different ones, sorted.
        codes: Index of each segment's name, ``(n,)``.
    """

    names: tuple[str, ...]
    codes: NDArray[np.intp]

    @classmethod
    def of(cls, names: Sequence[str], codes: NDArray[np.integer]) -> "ClassNames":
        """Sort the names, those that are the same together.

        Args:
            names: In any order, some maybe several times.
            codes: Index of each segment's name, ``(n,)``.

        Returns:
            The same names of the same segments.
        """
        distinct, places = np.unique(np.array(names, dtype=str), return_inverse=True)
        return cls(tuple(distinct.tolist()), places[codes])

    def of_each(self) -> NDArray[np.str_]:
        """The name of each segment.

        Returns:
            ``(n,)``.
        """
        return np.array(self.names, dtype=str)[self.codes]

    def of_row(self, row: int) -> str:
        """The name of one segment, without those of the others.

        Args:
            row: Of the segment.

        Returns:
            Its name.
        """
        return self.names[int(self.codes[row])]


class SegmentClasses:
    """Predicted and true classes of segments.

    Args:
        catalogue: Whose segments.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._table: pd.DataFrame = catalogue.segments
        self._made_by = catalogue.settings

    @cached_property
    def labels(self) -> NDArray[np.int64]:
        """Label id by truth, ``(n,)``; -1 without truth."""
        if "label" not in self._table.columns:
            return np.full(len(self._table), NO_TRUTH, np.int64)
        labels = self._table["label"].fillna(NO_TRUTH).to_numpy(np.int64)
        # a dataset without a table of labels has no truth, whatever its numbers say
        without = [dataset for dataset in self.datasets if not self.label_mapping(dataset)]
        return np.where(self._table["dataset"].isin(without), NO_TRUTH, labels)

    @cached_property
    def datasets(self) -> tuple[str, ...]:
        """Names of the datasets that the segments come from, sorted."""
        return tuple(sorted(set(self._table["dataset"])))

    @property
    def has_truth(self) -> bool:
        """Whether any segment has truth."""
        return bool((self.labels != NO_TRUTH).any())

    def label_mapping(self, dataset: str) -> ClassMapping:
        """The classes of a dataset's truth.

        Args:
            dataset: Its name.

        Returns:
            Label id → (name, colour); empty without truth.
        """
        return classes_of(self._made_by.get("label_mapping", {}).get(dataset, {}))

    @cached_property
    def pred_mapping(self) -> ClassMapping:
        """Predicted id → (name, colour)."""
        return classes_of(self._made_by.get("pred_mapping", {}))

    @cached_property
    def truths(self) -> ClassNames:
        """Names of the classes by truth; "no truth" without."""
        datasets, names = pd.factorize(self._table["dataset"])
        labels, ids = pd.factorize(self.labels)
        codes, pairs = pd.factorize(datasets * len(ids) + labels)
        tables = [self.label_mapping(str(name)) for name in names]
        places = [(tables[pair // len(ids)], int(ids[pair % len(ids)])) for pair in pairs.tolist()]
        found = ["no truth" if i == NO_TRUTH else _name(table, i, "label") for table, i in places]
        return ClassNames.of(found, codes)

    @cached_property
    def predictions(self) -> ClassNames:
        """Names of the predicted classes."""
        codes, ids = pd.factorize(self._table["class"].to_numpy(np.int64))
        return ClassNames.of([_name(self.pred_mapping, i, "class") for i in ids.tolist()], codes)

    @cached_property
    def truth_names(self) -> NDArray[np.str_]:
        """Name of the class by truth, ``(n,)``; "no truth" without."""
        return self.truths.of_each()

    @cached_property
    def predicted_names(self) -> NDArray[np.str_]:
        """Name of the predicted class, ``(n,)``."""
        return self.predictions.of_each()

    @cached_property
    def unknown(self) -> NDArray[np.bool_]:
        """Whether a segment is, by truth, of a class that the network never learned, ``(n,)``."""
        return self._labelled_as("unknown_ids")

    @cached_property
    def void(self) -> NDArray[np.bool_]:
        """Whether a segment is mostly of what its dataset's truth leaves open, ``(n,)``."""
        return self._labelled_as("void_ids")

    def _labelled_as(self, kind: str) -> NDArray[np.bool_]:
        found = np.zeros(len(self._table), np.bool_)
        for dataset, ids in self._made_by.get(kind, {}).items():
            found |= (self._table["dataset"] == dataset).to_numpy() & np.isin(self.labels, ids)
        return found

    def truth_name(self, row: int) -> str | None:
        """Name of the class by truth.

        Args:
            row: Of the segment.

        Returns:
            The name; None without truth.
        """
        return self.truths.of_row(row) if self.labels[row] != NO_TRUTH else None

    def predicted_name(self, row: int) -> str:
        """Name of the predicted class.

        Args:
            row: Of the segment.

        Returns:
            The name.
        """
        return self.predictions.of_row(row)

    def class_name(self, row: int) -> str:
        """What a segment is called: its class by truth, or, without truth, the predicted one.

        Args:
            row: Of the segment.

        Returns:
            The name.
        """
        return self.truth_name(row) or self.predicted_name(row)

    def same_class(self, row: int, other: int) -> bool | None:
        """Whether two segments are of one class by truth.

        Args:
            row: Of one segment.
            other: Of the other.

        Returns:
            Whether they are; None where that is not known.
        """
        ours, theirs = self.truth_name(row), self.truth_name(other)
        return None if ours is None or theirs is None else ours == theirs


def _name(mapping: ClassMapping, key: int, kind: str) -> str:
    return mapping[key][0] if key in mapping else f"{kind} {key}"
