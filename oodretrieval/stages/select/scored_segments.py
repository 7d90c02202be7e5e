"""Scores of all segments of a dataset: its table is read block by block, and of each segment a few numbers stay."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.errors import StoreError
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.stages.select.selecting import Selector
from oodretrieval.stores import PREDICTED_IOU, SELECT_SCORE
from oodretrieval.stores.joined_tables import IMAGE
from oodretrieval.stores.segments import ROWS

KEPT = ["segment_id", PREDICTED_IOU, SELECT_SCORE]
"""Columns that stay of every segment, next to its image; with the dataset they are the table next to a catalogue."""
ELIGIBLE = "eligible"


@dataclass(frozen=True, eq=False)
class ScoredSegments:
    """What stays in memory of the segments of a dataset: some 30 bytes each.

    Attributes:
        work: Of which network on which dataset.
        images: Ids of the images that have segments, in order.
        rows: One row a segment, in the order of the table: number of its image (``image_id``), :data:`KEPT` as far as
            there is a score of that name, and whether it may be selected (``eligible``).
        lengths: Rows of each block of the table.
        failures: Image id → why it could not be scored.
    """

    work: StoredWork
    images: Sequence[str]
    rows: pd.DataFrame
    lengths: Sequence[int]
    failures: dict[str, str]

    @classmethod
    def of(
        cls, selector: Selector, work: StoredWork, eligible: Callable[[pd.DataFrame], NDArray[np.bool_]]
    ) -> "ScoredSegments":
        """Score the segments of the dataset.

        Args:
            selector: Scores them.
            work: Of which network on which dataset.
            eligible: Part of the segment table → which rows may be selected.

        Returns:
            What stays of them.

        Raises:
            TableError: If the score needs columns that the table lacks.
        """
        images: list[str] = []
        kept: list[pd.DataFrame] = []
        lengths: list[int] = []
        failures: dict[str, str] = {}
        for table in selector.scored(work, work.segments(), failures):
            numbers, ids = pd.factorize(table[IMAGE])
            few = table[[column for column in KEPT if column in table.columns]]
            few = few.assign(**{ELIGIBLE: eligible(table)})
            few.insert(0, IMAGE, (numbers + len(images)).astype(np.int32))
            images += map(str, ids)
            kept.append(few)
            lengths.append(len(few))
        return cls(work, images, pd.concat(kept, ignore_index=True), lengths, failures)

    def table(self, rows: slice) -> pd.DataFrame:
        """Some of the rows as they lie next to a catalogue: with the names of dataset and image.

        Args:
            rows: Which.

        Returns:
            ``dataset``, ``image_id``, and :data:`KEPT`.
        """
        few = self.rows[rows].drop(columns=ELIGIBLE).reset_index(drop=True)
        few[IMAGE] = pd.Series(self.images, dtype="str").take(few[IMAGE].to_numpy()).to_numpy()
        few.insert(0, "dataset", self.work.names.dataset)
        return few

    def candidates(self, chosen: NDArray[np.bool_]) -> pd.DataFrame:
        """Whole rows of those that are chosen, which are read again.

        Args:
            chosen: Of all rows, ``(n,)``.

        Returns:
            The segment table's columns, the scores, and ``dataset``.

        Raises:
            StoreError: If the table has changed since it was scored.
        """
        found: list[pd.DataFrame] = []
        start = 0
        for block, length in zip(self.work.segments().blocks(), self.lengths, strict=True):
            here = slice(start, start + length)
            start += length
            if not chosen[here].any() and (found or start < len(chosen)):
                continue
            table = block.read()
            if len(table) != length:
                raise StoreError(
                    f"the segments of {self.work.names} changed while they were being selected; run again"
                )
            scores = self.rows[here][[name for name in KEPT[1:] if name in self.rows.columns]]
            table = table.assign(**{name: scores[name].to_numpy() for name in scores.columns})
            table.insert(0, "dataset", self.work.names.dataset)
            found.append(table[chosen[here]])
        return pd.concat(found, ignore_index=True)


def tables_of(scored: Sequence[ScoredSegments]) -> Iterator[pd.DataFrame]:
    """The rows of all datasets, one below the other, in blocks that a file is written in.

    Args:
        scored: A dataset each.

    Yields:
        :data:`~oodretrieval.stores.segments.ROWS` rows at a time, the last ones perhaps fewer.
    """
    total = sum(len(one.rows) for one in scored)
    for begin in range(0, max(1, total), ROWS):
        parts, before = [], 0
        for one in scored:
            first, last = max(0, begin - before), max(0, begin + ROWS - before)
            before += len(one.rows)
            if first < len(one.rows) or total == 0:
                parts.append(one.table(slice(first, last)))
        parts = [part for part in parts if len(part)] or parts[:1]
        yield parts[0] if len(parts) == 1 else pd.concat(parts, ignore_index=True)
