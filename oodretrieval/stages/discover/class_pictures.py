"""Pictures of candidate classes: all of them on one sheet, and a sheet of each."""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from oodretrieval.charts.candidate_classes import ClassRow, classes_figure
from oodretrieval.charts.candidate_pictures import CandidatePictures, Surroundings
from oodretrieval.charts.saving import Picture
from oodretrieval.search import CandidateClass, ClassEvidence, shown_members
from oodretrieval.stages.discover.class_evidence import CandidateTruth
from oodretrieval.stores import Catalogue

THUMBNAIL = 190
SURROUNDINGS = Surroundings(share=1.4, margin=16, square=True)
OVERVIEW = (7, 2)
"""Central and outlying members of each class on the sheet of all."""
SHEET = (8, 2)
"""Places for central and outlying members in a line of the sheet of one class."""
LINES = 2


class ClassPictures:
    """Draws the candidate classes of a catalogue.

    Args:
        catalogue: Whose candidates.
        evidence: What is known of each.
        truth: What they are in truth; None where there is none.
    """

    def __init__(self, catalogue: Catalogue, evidence: ClassEvidence, truth: CandidateTruth | None) -> None:
        self.catalogue, self.evidence, self.truth = catalogue, evidence, truth
        self.ids = catalogue.segments["image_id"].astype(str).tolist()
        self.pictures = CandidatePictures(catalogue)
        self._crop = lru_cache(maxsize=1024)(self._read_crop)

    def all(self, classes: Sequence[CandidateClass], words: Sequence[Sequence[str]], title: str) -> Picture:
        """The classes below each other.

        Args:
            classes: In order.
            words: What stands left of each, line by line.
            title: Above them.

        Returns:
            The picture; blank ones are in it for images that cannot be read, which ``pictures.unread`` names.
        """
        rows = []
        for one, lines in zip(classes, words, strict=True):
            central, outlying = shown_members(one, self.evidence, *OVERVIEW)
            rows.append(
                ClassRow(lines, [self._crop(row) for row in central], [self._crop(row) for row in outlying])
            )
        return Picture("All candidate classes", "", classes_figure(rows, title, *OVERVIEW))

    def each(self, classes: Sequence[CandidateClass], words: Sequence[Sequence[str]]) -> Iterator[Picture]:
        """A sheet of each class, one after the other.

        Args:
            classes: In order.
            words: What stands left of each, line by line.

        Yields:
            Pictures; see :meth:`all`.
        """
        for number, (one, lines) in enumerate(zip(classes, words, strict=True), 1):
            central, outlying = shown_members(one, self.evidence, SHEET[0] * LINES, SHEET[1] * LINES)
            row = ClassRow(
                lines,
                [self._crop(row) for row in central],
                [self._crop(row) for row in outlying],
                [self._caption(row) for row in central],
                [self._caption(row) for row in outlying],
            )
            title = f"Candidate class {number}"
            yield Picture(title, f"{number:02d}", classes_figure([row], title, *SHEET))

    def _read_crop(self, row: int) -> NDArray[np.uint8]:
        return self.pictures.picture_or_blank(row, THUMBNAIL, SURROUNDINGS)

    def _caption(self, row: int) -> str:
        image = self.ids[row]
        image = image if len(image) <= 24 else f"…{image[-23:]}"
        return f"{image}\n{self.truth.names[row] or 'void'}" if self.truth is not None else image
