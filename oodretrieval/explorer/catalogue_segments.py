"""What a catalogue says of its segments: where they lie, what they were selected by."""

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.errors import StoreError
from oodretrieval.explorer.segment_values import SegmentValues
from oodretrieval.results.candidates import score_name
from oodretrieval.results.segment_classes import SegmentClasses
from oodretrieval.stores import PREDICTED_IOU, SELECT_SCORE, Catalogue
from oodretrieval.stores.boxes import row_boxes


class CatalogueSegments:
    """The segments of a catalogue; a row stands for one of them everywhere in the explorer.

    Args:
        catalogue: Whose segments.

    Attributes:
        table: One row for each segment.
        classes: What they are, by prediction and by truth.

    Raises:
        StoreError: If the catalogue has no segments.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.table: pd.DataFrame = catalogue.segments
        if not len(self.table):
            raise StoreError(f"catalogue {catalogue.name} is empty; select more in compute_embeddings")
        self.classes = SegmentClasses(catalogue)
        self._catalogue, self._made_by = catalogue, catalogue.settings

    def __len__(self) -> int:
        return len(self.table)

    # -- one segment ---------------------------------------------------------------------------------------

    def value(self, row: int, column: str) -> Any:
        """One value of a segment.

        Args:
            row: Of the segment.
            column: Of the table.

        Returns:
            The value.

        Raises:
            KeyError: If the table has no such column.
        """
        return self.table[column].iloc[row]

    def image_of(self, row: int) -> tuple[str, str]:
        """Dataset and image id of a segment.

        Args:
            row: Of the segment.

        Returns:
            Both, which together name an image.
        """
        return str(self.value(row, "dataset")), str(self.value(row, "image_id"))

    def box(self, row: int) -> tuple[int, int, int, int]:
        """The pixels of a segment.

        Args:
            row: Of the segment.

        Returns:
            Left, top, right, bottom, half-open.
        """
        return row_boxes(self.table.iloc[[row]])[0]

    def origin(self, row: int) -> str:
        """Where a segment comes from.

        Args:
            row: Of the segment.

        Returns:
            Dataset, image and segment in one line.
        """
        dataset, image = self.image_of(row)
        return f"{dataset} · {image} · segment {self.value(row, 'segment_id')}"

    def caption(self, row: int) -> str:
        """What is known of a segment.

        Args:
            row: Of the segment.

        Returns:
            One line, or two where there is truth.
        """
        truth = self.classes.truth_name(row)
        unknown = ", never learned" if self.classes.unknown[row] else ""
        lines = [f"predicted {self.classes.predicted_name(row)}"]
        if PREDICTED_IOU in self.table.columns:
            lines[0] += f", IoU {self.value(row, PREDICTED_IOU):.2f}"
        if self.select_by not in ("", PREDICTED_IOU):
            lines[0] += f", {self.score_name} {self.value(row, SELECT_SCORE):.2f}"
        if truth is not None:
            lines.insert(0, f"{truth} (truth{unknown})")
        return "\n".join(lines)

    # -- values --------------------------------------------------------------------------------------------

    @property
    def select_by(self) -> str:
        """Name of the score that the segments were selected by; empty for catalogues without one."""
        return str(self._made_by.get("select_by", "")) if SELECT_SCORE in self.table.columns else ""

    @property
    def score_name(self) -> str:
        """What to call the score that the segments were selected by, which is higher where more unknown."""
        return score_name(self.select_by)

    @property
    def scores(self) -> NDArray[np.float64]:
        """The score that the segments were selected by, ``(n,)``; higher where more unknown."""
        return self.table[SELECT_SCORE].to_numpy(np.float64)

    @property
    def all_are_measured(self) -> bool:
        """Whether the values of segments are known that were not selected."""
        return PREDICTED_IOU in self._catalogue.table_names

    @cached_property
    def _measured(self) -> pd.DataFrame:
        return self._catalogue.table(PREDICTED_IOU) if self.all_are_measured else self.table

    def values_in_image(self, row: int) -> SegmentValues:
        """What is known of every segment of a segment's image: the score that selected, or the predicted IoU.

        Args:
            row: Of the segment.

        Returns:
            The values; of a catalogue that keeps only the selected segments' (see :data:`PREDICTED_IOU`), of those.
        """
        table = self._measured
        by_score = self.select_by not in ("", PREDICTED_IOU) and SELECT_SCORE in table.columns
        column = SELECT_SCORE if by_score else PREDICTED_IOU
        return SegmentValues.of(table, self.image_of(row), column, self.score_name)
