"""What a selection and each order of inspection lead to, gathered image by image."""

from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.evaluation import (
    ObjectCounts,
    SelectionMeasures,
    TrueObject,
    block_weights,
    ratio_interval,
    selection_measures,
    true_objects,
)
from oodretrieval.labels import LabelSet
from oodretrieval.results.rules import Resampling
from oodretrieval.stages.evaluate.selection.inspection_orders import FoundObjects, InspectionOrders
from oodretrieval.stores import Prediction
from oodretrieval.stores.boxes import SIDES


@dataclass(frozen=True)
class ObjectRule:
    """Which objects count, and how; see :func:`~oodretrieval.evaluation.true_objects`.

    Attributes:
        ids: Label ids of the objects.
        min_height: Smallest height, pixels.
        min_width: Smallest width, pixels.
        published: Count found and hit as the published code does.
    """

    ids: Collection[int]
    min_height: int
    min_width: int
    published: bool = False

    @property
    def size(self) -> dict[str, Any]:
        """All but the way of counting."""
        return {"ids": self.ids, "min_height": self.min_height, "min_width": self.min_width}


class EvaluatedSelection:
    """Counts objects and segments of one image after the other.

    Args:
        table: The segments that can be inspected, with ``label``, ``selected`` (bool), id and box.
        label_set: What the labels mean.
        rule: Which objects count.
        orders: In which the segments can be inspected.
        resampling: How images are resampled for intervals.

    Attributes:
        sizes: Of the images, (H, W).
        found: What each order finds.
    """

    def __init__(
        self,
        table: pd.DataFrame,
        label_set: LabelSet,
        rule: ObjectRule,
        orders: InspectionOrders,
        resampling: Resampling,
    ) -> None:
        self.table, self.label_set, self.rule, self.resampling = table, label_set, rule, resampling
        self.unknown = table["label"].isin(label_set.unknown_ids).to_numpy()
        self._boxes, self._chosen = table[SIDES].to_numpy(), table["selected"].to_numpy(bool)
        self.found = FoundObjects(orders, resampling)
        self.sizes: set[tuple[int, ...]] = set()
        images = table.groupby("image_id").indices
        self._rows: dict[str, NDArray[np.intp]] = {str(k): np.asarray(v) for k, v in images.items()}
        self._objects: list[list[TrueObject]] = []
        self._segments: list[tuple[int, int, int, int]] = []

    def add(self, prediction: Prediction) -> None:
        """Count one image; one without truth shows nothing.

        Args:
            prediction: Of the image.
        """
        if prediction.labels is None:
            return
        rows = self._rows.get(prediction.image_id, np.empty(0, np.intp))
        unknown, chosen, boxes = self.unknown[rows], self._chosen[rows], self._boxes[rows]
        self.found.add(rows, boxes, prediction.labels, **self.rule.size)
        selected = self.table.iloc[rows[chosen]]
        published = self.rule.published
        self._objects.append(
            true_objects(
                prediction.labels,
                boxes[chosen],
                np.isin(prediction.components(), selected["segment_id"].to_numpy()),
                published=published,
                box_labels=selected["label"].to_numpy() if published else None,
                **self.rule.size,
            )
        )
        counts = len(rows), int(chosen.sum()), int(unknown.sum()), int((chosen & unknown).sum())
        self._segments.append(counts)
        self.sizes.add(prediction.labels.shape)

    def counts(self) -> dict[str, ObjectCounts]:
        """The unknown objects of all images.

        Returns:
            Class → its objects, hit and found.
        """
        return {self.label_set.label_name(i): count for i, count in self._over_all().per_class.items()}

    def measures(self) -> dict[str, Any]:
        """Everything measured, as plain values.

        Returns:
            Shares, counts, their ``intervals``, ``orders`` and ``majorities``.
        """
        found = self._over_all()
        names = {i: self.label_set.label_name(i) for i in found.per_class}
        return {
            **_plain(found, self.counts()),
            "intervals": self._intervals(),
            "orders": self.found.measures(self.unknown, names),
            "majorities": self._majorities(),
        }

    def _over_all(self) -> SelectionMeasures:
        return selection_measures(
            [item for items in self._objects for item in items],
            self.table["label"].to_numpy(),
            self._chosen,
            self.label_set.unknown_ids,
        )

    def _majorities(self) -> dict[str, int]:
        """Class that most pixels of a selected segment are → number of these segments."""
        labels = self.table["label"][self._chosen]
        return dict(Counter(self.label_set.label_name(int(i)) for i in labels).most_common())

    def _intervals(self) -> dict[str, tuple[float, float]]:
        weights = block_weights(
            len(self._segments), block=self.resampling.block, repetitions=self.resampling.repetitions
        )
        segments, selected, unknown, both = np.array(self._segments).T
        objects = [sum(item.counts for item in items) for items in self._objects]
        shares = {
            "share_selected": (selected, segments),
            "unknown_selected": (both, unknown),
            "precision": (both, selected),
            "prevalence": (unknown, segments),
            "share_found": ([sum(item.found for item in items) for items in self._objects], objects),
            "share_hit": ([sum(item.hit for item in items) for items in self._objects], objects),
        }
        return {name: ratio_interval(*parts, weights) for name, parts in shares.items()}


def _plain(measures: SelectionMeasures, counts: dict[str, ObjectCounts]) -> dict[str, Any]:
    content = asdict(measures)
    content["per_class"] = {name: asdict(count) for name, count in counts.items()}
    for key in ("objects", "found", "hit"):
        content[key] = sum(getattr(count, key) for count in counts.values())
    for key in ("found", "hit"):
        content[f"share_{key}"] = content[key] / content["objects"] if content["objects"] else np.nan
    return content
