"""Orders in which segments can be inspected, and what each finds how soon."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.errors import TableError
from oodretrieval.evaluation import auprc, auroc, block_weights, interval, looks_until_found, resampled_ranks
from oodretrieval.results.rules import Resampling

LOOKS = (50, 100, 500)
"""Looks after which the objects found are counted."""
FIRST = 100
"""Looks among which the mostly unknown segments are counted."""
RANDOM = "random order"
RANDOM_ORDERS = 50
ORDERS = {
    "predicted IoU": "predicted_iou",
    "mean entropy": "-E",
    "mean variation ratio": "-V",
    "mean probability difference": "-D",
    "mean max logit": "max_logit",
    "mean energy": "energy",
    "nearest neighbour": "-nearest_neighbour",
    "novelty": "-novelty",
}
"""Order → column of the segment table whose lowest values come first; with ``-``, the highest."""


@dataclass(frozen=True, eq=False)
class InspectionOrders:
    """Several orders of the same segments, and many random ones.

    Attributes:
        names: Of the orders that are not random.
        scores: Of each segment in each order, higher first, ``(orders, segments)``.
        looks: At which look each segment comes, from 1, ``(orders + random orders, segments)``: 250 bytes a segment.
    """

    names: tuple[str, ...]
    scores: NDArray[np.float64]
    looks: NDArray[np.int32]

    @classmethod
    def of(cls, table: pd.DataFrame, further: Mapping[str, str], seed: int = 0) -> "InspectionOrders":
        """The usual orders, as far as the table has their columns, and some by further columns.

        Args:
            table: One row per segment; ties keep its order.
            further: Name → column of it, lowest first, or with ``-`` in front highest first.
            seed: Of the random orders.

        Returns:
            The orders, the usual ones first.

        Raises:
            TableError: If there is no such column of numbers.
        """
        usual = {name: column for name, column in ORDERS.items() if column.removeprefix("-") in table.columns}
        require_orders(table, list(further.values()))
        wanted = usual | dict(further)
        scores = np.array([_higher_first(table, column) for column in wanted.values()])
        rng = np.random.default_rng(seed)
        looks = np.empty((len(scores) + RANDOM_ORDERS, len(table)), np.int32)
        for place, row in enumerate(looks):
            ordered = place < len(scores)
            order = (-scores[place]).argsort(kind="stable") if ordered else rng.permutation(len(table))
            row[order] = np.arange(1, len(table) + 1)
        return cls(tuple(wanted), scores, looks)


def require_orders(table: pd.DataFrame, orders: Sequence[str]) -> None:
    """Refuse orders by columns that a segment table does not have.

    Args:
        table: Segment table, or part of it.
        orders: Columns, with ``-`` in front for the highest first.

    Raises:
        TableError: If one is no column of numbers.
    """
    for name in (column.removeprefix("-") for column in orders):
        if name not in table.columns or not pd.api.types.is_numeric_dtype(table[name]):
            numbers = table.select_dtypes("number").columns
            raise TableError(
                f"args.orders: the segment table has no column of numbers {name!r}; it has {', '.join(numbers)}"
            )


def _higher_first(table: pd.DataFrame, column: str) -> NDArray[np.float64]:
    values = table[column.removeprefix("-")].to_numpy(np.float64)
    return values if column.startswith("-") else -values


@dataclass
class FoundObjects:
    """When the objects of all images are found, gathered image by image.

    Args:
        orders: In which segments are inspected.
        resampling: How images are resampled for intervals.

    Attributes:
        labels: Label id of each object, one array per image.
        found_at: The look that finds each object, ``(orders + random orders, objects)`` per image.
        rows: Places of the segments in the table, one array per image.
    """

    orders: InspectionOrders
    resampling: Resampling
    labels: list[NDArray[np.int64]] = field(default_factory=list)
    found_at: list[NDArray[np.float64]] = field(default_factory=list)
    rows: list[NDArray[np.intp]] = field(default_factory=list)

    def add(
        self,
        rows: NDArray[np.intp],
        boxes: NDArray[np.integer],
        labels: NDArray[np.integer],
        **objects: Any,
    ) -> None:
        """Add one image.

        Args:
            rows: Places of its segments in the table, ``(k,)``.
            boxes: Their boxes, ``(k, 4)``.
            labels: Label ids, ``(H, W)``.
            objects: Which objects count, see :func:`~oodretrieval.evaluation.looks_until_found`.
        """
        names, looks = looks_until_found(labels, boxes, self.orders.looks[:, rows], **objects)
        self.labels.append(names)
        self.found_at.append(looks)
        self.rows.append(rows)

    def measures(self, unknown: NDArray[np.bool_], names: Mapping[int, str]) -> dict[str, Any]:
        """What each order is worth.

        Args:
            unknown: Whether the majority of each segment of the table is unknown, ``(segments,)``.
            names: Label id → name of the classes of objects.

        Returns:
            Order → ``auroc``, ``auprc``, ``intervals`` and ``resamples_left_out`` (those without anything unknown, or
            with nothing else) of its score over segments (not for random order),
            ``unknown_among_first``, and ``found``: class, or ``all`` → number of looks → objects found.
        """
        among = ((self.orders.looks <= FIRST) & unknown).sum(axis=1)
        found: dict[str, Any] = {}
        for place, name in enumerate(self.orders.names):
            found[name] = {
                **self._ranked(self.orders.scores[place], unknown),
                "unknown_among_first": int(among[place]),
                "found": self._found(np.s_[place : place + 1], names),
            }
        random = np.s_[len(self.orders.names) :]
        found[RANDOM] = {
            "unknown_among_first": float(among[random].mean()),
            "found": self._found(random, names),
        }
        return found

    def _ranked(self, scores: NDArray[np.float64], unknown: NDArray[np.bool_]) -> dict[str, Any]:
        """AUROC and average precision of a score over the segments of all images, with their intervals."""
        rows = np.concatenate(self.rows)
        frames = np.repeat(np.arange(len(self.rows)), [len(part) for part in self.rows])
        weights = block_weights(
            len(self.rows), block=self.resampling.block, repetitions=self.resampling.repetitions
        )
        values = {"auroc": auroc(unknown[rows], scores[rows]), "auprc": auprc(unknown[rows], scores[rows])}
        resampled = resampled_ranks(weights, frames, unknown[rows], scores[rows])
        return {
            **values,
            "intervals": {key: interval(resampled[key], value=values[key]) for key in values},
            "resamples_left_out": int(np.isnan(resampled["auroc"]).sum()),
        }

    def _found(self, orders: slice, names: Mapping[int, str]) -> dict[str, dict[str, float]]:
        """Objects found after each number of :data:`LOOKS`; the mean over these orders."""
        labels, looks = np.concatenate(self.labels), np.concatenate(self.found_at, axis=1)[orders]
        chosen = {"all": np.ones(len(labels), bool)} | {name: labels == i for i, name in names.items()}
        return {
            name: {str(n): float((looks[:, which] <= n).sum(axis=1).mean()) for n in LOOKS}
            for name, which in chosen.items()
        }

    def curves(self) -> Iterator[tuple[str, NDArray[np.float64]]]:
        """Objects found over segments inspected.

        Yields:
            Order, and the objects found after each number of looks, from 0, ``(segments + 1,)``.
        """
        looks = np.concatenate(self.found_at, axis=1)
        segments, usual = self.orders.looks.shape[1], len(self.orders.names)
        for name, row in zip(self.orders.names, looks, strict=False):
            yield name, _found_after(row, segments)
        yield RANDOM, _found_after(looks[usual:].ravel(), segments) / len(looks[usual:])


def _found_after(looks: NDArray[np.float64], segments: int) -> NDArray[np.float64]:
    """How many objects that are found by these looks are found after each number of looks, ``(segments + 1,)``."""
    there = looks[np.isfinite(looks)].astype(np.int64)
    return np.bincount(there, minlength=segments + 1).cumsum().astype(np.float64)
