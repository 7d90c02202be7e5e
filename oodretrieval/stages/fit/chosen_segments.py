"""Some of the segments of a dataset: the few columns that they are chosen by are held, all others read when needed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.meta_models import MAX_SEGMENTS, sample_of_images
from oodretrieval.stores import CurrentSegments, joined

HELD = ("image_id", "iou", "void_fraction", "unknown_fraction", "S_in")


@dataclass(frozen=True, eq=False)
class ChosenSegments:
    """Some of the rows of a segment table, some 40 bytes each in memory.

    Attributes:
        segments: Where the rows are.
        held: :data:`HELD` of all of them.
        chosen: Which rows are meant, ``(len(held),)``.
    """

    segments: CurrentSegments
    held: pd.DataFrame
    chosen: NDArray[np.bool_]

    @classmethod
    def all_of(cls, segments: CurrentSegments) -> "ChosenSegments":
        """All rows.

        Args:
            segments: Where they are.

        Returns:
            All of them.

        Raises:
            StoreError: If a part is damaged.
        """
        held = joined(segments.tables(HELD))
        return cls(segments, held, np.ones(len(held), np.bool_))

    @property
    def table(self) -> pd.DataFrame:
        """:data:`HELD` of the chosen rows, ``n`` of them."""
        return self.held[self.chosen]

    @property
    def images(self) -> list[str]:
        """Ids of their images, in order."""
        return [str(image) for image in self.table["image_id"].unique()]

    def where(self, rows: NDArray[np.bool_]) -> "ChosenSegments":
        """Some of the chosen rows.

        Args:
            rows: Which of them, ``(n,)``.

        Returns:
            These.
        """
        chosen = self.chosen.copy()
        chosen[self.chosen] = rows
        return replace(self, chosen=chosen)

    def teaching(self, seed: int) -> pd.DataFrame:
        """Those with truth, with all columns, that a meta model learns from.

        Args:
            seed: Of the sample of images that is read where there are more than a model learns from.

        Returns:
            :data:`~oodretrieval.meta_models.MAX_SEGMENTS` rows at most; none where nothing has truth.

        Raises:
            StoreError: If a part is damaged.
        """
        table = self.table
        taught = sample_of_images(table[table["iou"].to_numpy() >= 0], MAX_SEGMENTS, seed)
        rows = np.zeros(len(self.held), np.bool_)
        rows[taught.index.to_numpy()] = True
        return self.segments.rows(rows)

    def parts(self) -> Iterator[pd.DataFrame]:
        """The chosen rows with all columns, some images at a time.

        Yields:
            Tables; one below the other they are the rows of :attr:`table`.

        Raises:
            StoreError: If a part is damaged.
        """
        start = 0
        for table in self.segments.tables():
            here = self.chosen[start : start + len(table)]
            start += len(table)
            if here.any():
                yield table[here]


Split = tuple[ChosenSegments, ChosenSegments]
"""Segments to learn from, and segments to evaluate on."""
