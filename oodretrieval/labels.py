"""Class ids, names and colours, and the way from label ids to predicted ids.

A dataset labels pixels with **label ids**; a network outputs **predicted ids**. The two are never mixed:
a :class:`LabelSet` holds both and the table between them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from oodretrieval.errors import ConfigurationError, UnknownNameError

NO_CLASS = 255
"""The predicted id that means "no class of the network": void and unknown label ids map to it."""

ANY_CLASS = 254
"""In place of a predicted id: the label says that something is known, but not which class it is."""

BACKGROUND = "background"
"""Name of the predicted class that is none of the others."""

BLACK = (0, 0, 0)

ClassMapping = Mapping[int, tuple[str, tuple[int, int, int]]]
"""Class id → (name, (red, green, blue)), 0…255 each."""


@dataclass(frozen=True)
class LabelSet:
    """The label ids of a dataset, the predicted ids of a network, and how they relate.

    Attributes:
        label_mapping: Label id → (name, colour).
        pred_mapping: Predicted id → (name, colour), ids 0 … C-1.
        label_to_pred: Label id → predicted id, or 255 where the network has no such class. Labels that only distinguish
            known from unknown things lead to 254 and 255, for a network of any classes; ``pred_mapping`` is then
            empty.
        void_ids: Label ids that mean nothing and are ignored everywhere.
        category_mapping: For label sets that agree with the network's only on coarser categories:
            name of the category → (label ids, predicted ids). Empty where the classes themselves agree.

    Raises:
        ConfigurationError: If the tables contradict each other.
    """

    label_mapping: ClassMapping
    pred_mapping: ClassMapping
    label_to_pred: Mapping[int, int]
    void_ids: frozenset[int] = frozenset()
    category_mapping: Mapping[str, tuple[frozenset[int], frozenset[int]]] | None = None

    def __post_init__(self) -> None:
        if set(self.label_mapping) != set(self.label_to_pred):
            odd = sorted(set(self.label_mapping) ^ set(self.label_to_pred))
            raise ConfigurationError(
                f"label_mapping and label_to_pred must have the same ids; differ in {odd}"
            )
        if sorted(self.pred_mapping) != list(range(len(self.pred_mapping))):
            raise ConfigurationError(
                f"predicted ids must be 0 … C-1 without gaps, got {sorted(self.pred_mapping)}"
            )
        allowed = {*self.pred_mapping, NO_CLASS} if self.pred_mapping else {ANY_CLASS, NO_CLASS}
        if bad := {k: v for k, v in self.label_to_pred.items() if v not in allowed}:
            raise ConfigurationError(f"label_to_pred maps to ids that pred_mapping lacks: {bad}")
        mapped_void = sorted(i for i in self.void_ids if self.label_to_pred.get(i, NO_CLASS) != NO_CLASS)
        if mapped_void:
            raise ConfigurationError(f"void ids must map to {NO_CLASS}; these do not: {mapped_void}")

    @classmethod
    def binary(cls, known: int = 0, unknown: int = 1, void: int = NO_CLASS) -> "LabelSet":
        """Labels that only distinguish known from unknown things, as sets of anomalies have them; for any network.

        Nothing is said of which class is known, so that neither IoU nor meta models are measured with them.

        Args:
            known: Label id of what is some class of the network.
            unknown: Label id of what is none.
            void: Label id of what means nothing.

        Returns:
            A label set without predicted classes.

        Raises:
            ConfigurationError: If two of the ids are the same.

        Example:
            >>> sorted(LabelSet.binary().unknown_ids)
            [1]
        """
        if len({known, unknown, void}) < 3:
            raise ConfigurationError(
                f"known, unknown and void need ids of their own, got {known}, {unknown}, {void}"
            )
        return cls(
            label_mapping={
                known: ("known", (190, 190, 190)),
                unknown: ("unknown", (255, 102, 0)),
                void: ("void", BLACK),
            },
            pred_mapping={},
            label_to_pred={known: ANY_CLASS, unknown: NO_CLASS, void: NO_CLASS},
            void_ids=frozenset({void}),
        )

    @property
    def num_classes(self) -> int:
        """Number of predicted classes; 0 where the labels only distinguish known from unknown things."""
        return len(self.pred_mapping)

    @property
    def class_names(self) -> list[str]:
        """Names of the predicted classes, in the order of their ids."""
        return [self.pred_mapping[i][0] for i in range(self.num_classes)]

    @property
    def unknown_ids(self) -> frozenset[int]:
        """Label ids that are something, but nothing that the network was taught."""
        return frozenset(i for i, p in self.label_to_pred.items() if p == NO_CLASS and i not in self.void_ids)

    @property
    def background_id(self) -> int | None:
        """Predicted id of the class named ``background``; None where there is none."""
        return next((i for i, (name, _) in self.pred_mapping.items() if name == BACKGROUND), None)

    @cached_property
    def _table(self) -> NDArray[np.uint8]:
        return lookup_table(self.label_to_pred)

    def to_predicted(self, labels: NDArray[np.integer]) -> NDArray[np.uint8]:
        """Translate label ids to predicted ids.

        Args:
            labels: Label ids, any shape, 0…65535. Ids that the set does not know count as void.

        Returns:
            Predicted ids of the same shape, 255 for void and unknown, 254 for what is known without a class.
        """
        return looked_up(labels, self._table)

    def label_name(self, label: int) -> str:
        """Name of the label id ``label``; ``"label <id>"`` where the set does not know it."""
        return self.label_mapping[label][0] if label in self.label_mapping else f"label {label}"

    def with_unknown(self, names: Iterable[str]) -> "LabelSet":
        """The same labels for a network that was not taught the named classes.

        The remaining predicted ids close up, so that they run from 0 without gaps.

        Args:
            names: Names of predicted classes to take away.

        Returns:
            A label set in which these classes are unknown.

        Raises:
            UnknownNameError: If a name is none of the predicted classes.
        """
        taken = set(names)
        known = {name for name, _ in self.pred_mapping.values()}
        for name in taken - known:
            raise UnknownNameError("class", name, known)
        kept = [i for i, (name, _) in sorted(self.pred_mapping.items()) if name not in taken]
        new_id = {ANY_CLASS: ANY_CLASS} | {old: new for new, old in enumerate(kept)}
        categories = self.category_mapping and {
            name: (labels, frozenset(new_id[p] for p in predicted if p in new_id))
            for name, (labels, predicted) in self.category_mapping.items()
        }
        return replace(
            self,
            category_mapping=categories,
            pred_mapping={new_id[old]: self.pred_mapping[old] for old in kept},
            label_to_pred={i: new_id.get(p, NO_CLASS) for i, p in self.label_to_pred.items()},
        )

    def with_new_classes(self, names: Mapping[str, tuple[int, int, int]]) -> "LabelSet":
        """The same labels for a network that was taught more classes: new predicted ids follow the old ones.

        Args:
            names: Name of a new class → (red, green, blue). Labels of this name that were unknown belong to it; a name
                that is a predicted class already changes nothing.

        Returns:
            A label set with these predicted classes, too.

        Raises:
            ConfigurationError: If there are no classes to add to, or more than a prediction holds.
        """
        if not self.pred_mapping:
            raise ConfigurationError("labels that only distinguish known from unknown things have no classes")
        known = {name for name, _ in self.pred_mapping.values()}
        new = [name for name in names if name not in known]
        ids = {name: self.num_classes + place for place, name in enumerate(new)}
        if self.num_classes + len(new) > ANY_CLASS:
            raise ConfigurationError(f"{self.num_classes + len(new)} classes, but ids end at {ANY_CLASS - 1}")
        taught = {
            i: ids[self.label_mapping[i][0]] for i in self.unknown_ids if self.label_mapping[i][0] in ids
        }
        return replace(
            self,
            pred_mapping={**self.pred_mapping, **{ids[name]: (name, names[name]) for name in new}},
            label_to_pred={**self.label_to_pred, **taught},
        )

    def with_background(self, *, void: bool = True, unknown: bool = False) -> "LabelSet":
        """The same labels for a network whose predicted id 0 is background; the other predicted ids move up by one.

        Args:
            void: Void label ids become background, and are void no longer; else they stay void.
            unknown: Unknown label ids become background, and are unknown no longer; else they stay unknown.

        Returns:
            A label set with one predicted class more.

        Raises:
            ConfigurationError: If there is a background already, or no label id would become background, or there are
                no classes.
        """
        if not self.pred_mapping:
            raise ConfigurationError(
                "labels that only distinguish known from unknown things say nothing of a background; use the dataset "
                "as it is, also with a network that has one"
            )
        if self.background_id is not None:
            raise ConfigurationError(
                f"predicted id {self.background_id} is named {BACKGROUND!r} already; use the dataset as it is"
            )
        taken = (self.void_ids if void else frozenset()) | (self.unknown_ids if unknown else frozenset())
        if not taken & self.label_to_pred.keys():
            raise ConfigurationError(
                f"no label id would become background with void={void}, unknown={unknown}: the labels have "
                f"{len(self.void_ids)} void and {len(self.unknown_ids)} unknown ids; choose what there is"
            )
        moved = {i: p if p == NO_CLASS else p + 1 for i, p in self.label_to_pred.items()}
        categories = self.category_mapping and {
            name: (labels, frozenset(p + 1 for p in predicted))
            for name, (labels, predicted) in self.category_mapping.items()
        }
        return replace(
            self,
            pred_mapping=background_in_front(self.pred_mapping),
            label_to_pred={i: 0 if i in taken else p for i, p in moved.items()},
            void_ids=self.void_ids - taken,
            category_mapping=categories,
        )


def background_in_front(classes: ClassMapping) -> ClassMapping:
    """Predicted classes with a black background as id 0, the others moved up by one.

    Args:
        classes: Predicted id → name and colour, without a background.

    Returns:
        The same with the background, K + 1 classes.

    Example:
        >>> background_in_front({0: ("road", (128, 64, 128))})
        {0: ('background', (0, 0, 0)), 1: ('road', (128, 64, 128))}
    """
    return {0: (BACKGROUND, BLACK), **{i + 1: shown for i, shown in sorted(classes.items())}}


def lookup_table(mapping: Mapping[int, int]) -> NDArray[np.uint8]:
    """An array that translates ids by indexing; its last entry stands for every larger id.

    Args:
        mapping: Id → id, keys 0…65535, values 0…255.

    Returns:
        ``(max id + 2,)``, 255 where ``mapping`` says nothing.

    Example:
        >>> lookup_table({0: 3, 2: 1}).tolist()
        [3, 255, 1, 255]
    """
    table = np.full(max(mapping, default=-1) + 2, NO_CLASS, np.uint8)
    for key, value in mapping.items():
        table[key] = value
    return table


def looked_up(ids: NDArray[np.integer], table: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What a table has for each id; its last entry for those beyond it.

    Args:
        ids: Any shape, 0…65535.
        table: ``(n, …)``, ``n >= 1``, e.g. of :func:`lookup_table`.

    Returns:
        The shape of the ids, and of an entry.

    Example:
        >>> looked_up(np.array([[0, 2, 300]]), lookup_table({0: 3, 2: 1})).tolist()
        [[3, 1, 255]]
    """
    wide = ids.astype(np.intp)  # 8 bits do not hold the length of a table of 256
    return table.take(np.minimum(wide, len(table) - 1), axis=0)
