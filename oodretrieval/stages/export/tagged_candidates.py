"""Tagged candidates with their masks, wherever a catalogue of any age keeps those."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oodretrieval.errors import StoreError
from oodretrieval.masks import RunLengthMask, encode_mask
from oodretrieval.results.tagged import CandidateRows
from oodretrieval.search.row_comparisons import Groups
from oodretrieval.stores import Catalogue, Prediction, Workspace, read_prediction
from oodretrieval.stores.tags import CandidateKey


@dataclass(frozen=True, eq=False)
class TaggedCandidate:
    """A candidate with one of its tags.

    Attributes:
        row: In the catalogue.
        key: What it is known by.
        tag: Its name.
        mask: In its image.
        image_path: File of its image.
    """

    row: int
    key: CandidateKey
    tag: str
    mask: RunLengthMask
    image_path: Path


class CatalogueMasks:
    """The masks of a catalogue's candidates; of one that keeps none, from the predictions.

    Args:
        catalogue: Whose.
        workspace: Where the predictions lie.
    """

    def __init__(self, catalogue: Catalogue, workspace: Workspace) -> None:
        self._catalogue, self._workspace = catalogue, workspace
        self._last: tuple[tuple[str, str], Prediction] | None = None

    def mask(self, row: int, key: CandidateKey) -> RunLengthMask:
        """The mask of a candidate.

        Args:
            row: Of the candidate.
            key: What it is known by.

        Returns:
            The mask.

        Raises:
            StoreError: If neither the catalogue nor a prediction has it.
        """
        kept = self._catalogue.masks[row]
        if kept is not None:
            return kept
        if self._catalogue.candidates != "segments":
            raise StoreError(
                f"catalogue {self._catalogue.name} keeps no masks of its objects; make it again with "
                "args.overwrite=True"
            )
        inside = self.prediction(key).components() == key.candidate
        if not inside.any():
            raise StoreError(
                f"the prediction of {key.image_id} has no segment {key.candidate}; it was made again since: make "
                "the catalogue again, too"
            )
        return encode_mask(inside)

    def prediction(self, key: CandidateKey) -> Prediction:
        """What the network predicted for a candidate's image; the last one is kept.

        Args:
            key: What the candidate is known by.

        Returns:
            The prediction.

        Raises:
            StoreError: If it is missing or damaged.
        """
        image = key.dataset, key.image_id
        if self._last is None or self._last[0] != image:
            model = str(self._catalogue.settings.get("model", ""))
            self._last = image, read_prediction(self._workspace, model, *image)
        return self._last[1]


def tagged_candidates(
    catalogue: Catalogue, masks: CatalogueMasks, tags: Groups, names: Sequence[str], rows: NDArray[np.bool_]
) -> list[TaggedCandidate]:
    """Every tag of every candidate, image by image.

    Args:
        catalogue: Whose candidates.
        masks: Their masks.
        tags: Which rows have which.
        names: Tags that count.
        rows: Candidates that count, ``(n,)``.

    Returns:
        In the order of the rows; one with two tags is there twice.

    Raises:
        StoreError: If a mask is missing.
    """
    chosen = np.flatnonzero(tags.any_of(names) & rows)
    keys = CandidateRows(catalogue).keys(chosen)
    paths = catalogue.segments["image_path"]
    found = []
    for row, key in zip(chosen.tolist(), keys, strict=True):
        mask = masks.mask(row, key)
        held = [name for name in names if name in tags.rows and tags.rows[name][row]]
        found += [TaggedCandidate(row, key, name, mask, Path(str(paths.iloc[row]))) for name in held]
    return found
