"""Orders in which segments can be looked at, and what each finds how soon."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.errors import TableError
from oodretrieval.evaluation import auprc, auroc, block_weights, drawn_ranks, interval, looks_until_found
from oodretrieval.results.rules import Resampling, interval_columns

LOOKS = (50, 100, 500)
FIRST = 100
"""Looks of which it is told how many show something unknown."""
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
class LookOrders:
    """Several orders of the same segments, and many random ones.

    Attributes:
        names: Of the orders that are not random.
        scores: Of each segment in each order, higher first, ``(orders, segments)``.
        looks: At which look each segment comes, from 1, ``(orders + random orders, segments)``.
    """

    names: tuple[str, ...]
    scores: NDArray[np.float64]
    looks: NDArray[np.float64]

    @classmethod
    def of(cls, table: pd.DataFrame, further: Mapping[str, str], seed: int = 0) -> "LookOrders":
        """The usual orders, as far as the table has their columns, and some by further columns.

        Args:
            table: One row per segment; ties keep its order.
            further: Name → column of it, lowest first, or with ``-`` in front highest first.
            seed: Of the random orders.

        Raises:
            TableError: If there is no such column of numbers.
        """
        usual = {name: column for name, column in ORDERS.items() if column.removeprefix("-") in table.columns}
        wanted = usual | dict(further)
        scores = np.array([_higher_first(table, column) for column in wanted.values()])
        rng = np.random.default_rng(seed)
        orders = [*(-scores).argsort(axis=1, kind="stable")]
        orders += [rng.permutation(len(table)) for _ in range(RANDOM_ORDERS)]
        looks = np.empty((len(orders), len(table)))
        for row, order in zip(looks, orders, strict=True):
            row[order] = np.arange(1, len(table) + 1)
        return cls(tuple(wanted), scores, looks)


def _higher_first(table: pd.DataFrame, column: str) -> NDArray[np.float64]:
    name = column.removeprefix("-")
    if name not in table.columns or not pd.api.types.is_numeric_dtype(table[name]):
        numbers = table.select_dtypes("number").columns
        raise TableError(
            f"args.orders: the segment table has no column of numbers {name!r}; it has {', '.join(numbers)}"
        )
    values = table[name].to_numpy(np.float64)
    return values if column.startswith("-") else -values


@dataclass
class Finds:
    """When the objects of all images are found, gathered image by image.

    Args:
        orders: In which segments are looked at.
        resampling: How images are drawn for intervals.

    Attributes:
        labels: Label id of each object, one array per image.
        found_at: The look that finds each object, ``(orders + random orders, objects)`` per image.
        rows: Places of the segments in the table, one array per image.
    """

    orders: LookOrders
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

    def figures(self, unknown: NDArray[np.bool_], names: Mapping[int, str]) -> dict[str, Any]:
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
        figures: dict[str, Any] = {}
        for place, name in enumerate(self.orders.names):
            figures[name] = {
                **self._ranked(self.orders.scores[place], unknown),
                "unknown_among_first": int(among[place]),
                "found": self._found(np.s_[place : place + 1], names),
            }
        random = np.s_[len(self.orders.names) :]
        figures[RANDOM] = {
            "unknown_among_first": float(among[random].mean()),
            "found": self._found(random, names),
        }
        return figures

    def _ranked(self, scores: NDArray[np.float64], unknown: NDArray[np.bool_]) -> dict[str, Any]:
        """AUROC and average precision of a score over the segments of all images, with their intervals."""
        rows = np.concatenate(self.rows)
        frames = np.repeat(np.arange(len(self.rows)), [len(part) for part in self.rows])
        weights = block_weights(
            len(self.rows), block=self.resampling.block, repetitions=self.resampling.repetitions
        )
        values = {"auroc": auroc(unknown[rows], scores[rows]), "auprc": auprc(unknown[rows], scores[rows])}
        drawn = drawn_ranks(weights, frames, unknown[rows], scores[rows])
        return {
            **values,
            "intervals": {key: interval(drawn[key], value=values[key]) for key in values},
            "resamples_left_out": int(np.isnan(drawn["auroc"]).sum()),
        }

    def _found(self, orders: slice, names: Mapping[int, str]) -> dict[str, dict[str, float]]:
        """Objects found after so many looks; the mean over these orders."""
        labels, looks = np.concatenate(self.labels), np.concatenate(self.found_at, axis=1)[orders]
        chosen = {"all": np.ones(len(labels), bool)} | {name: labels == i for i, name in names.items()}
        return {
            name: {str(n): float((looks[:, which] <= n).sum(axis=1).mean()) for n in LOOKS}
            for name, which in chosen.items()
        }

    def curves(self) -> Iterator[tuple[str, NDArray[np.float64]]]:
        """Order → objects found after each number of looks, from 0, ``(segments + 1,)``."""
        looks = np.concatenate(self.found_at, axis=1)
        segments = self.orders.looks.shape[1]
        found = np.array([(np.sort(row) <= np.arange(segments + 1)[:, None]).sum(axis=1) for row in looks])
        yield from zip(self.orders.names, found.astype(np.float64), strict=False)
        yield RANDOM, found[len(self.orders.names) :].mean(axis=0)


def order_table(figures: Mapping[str, Any]) -> pd.DataFrame:
    """Quality of each order over segments and over objects."""
    rows = {}
    for name, values in figures.items():
        row: dict[str, Any] = {}
        if "auroc" in values:
            row = interval_columns(values, {"AUROC": "auroc", "AP": "auprc"})
        row[f"unknown among first {FIRST}"] = f"{values['unknown_among_first']:g}"
        rows[name] = row | {f"objects after {n}": f"{values['found']['all'][str(n)]:g}" for n in LOOKS}
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index.name = "order of looking"
    return table


def class_table(figures: Mapping[str, Any]) -> pd.DataFrame:
    """Objects of each class found after so many looks, in each order."""
    rows = {
        f"{name}, {n} looks": {
            label: f"{found[str(n)]:g}" for label, found in values["found"].items() if label != "all"
        }
        for name, values in figures.items()
        for n in LOOKS
    }
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index.name = "order of looking"
    return table
