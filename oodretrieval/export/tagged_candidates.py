"""Tagged candidates with their masks."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oodretrieval.masks import RunLengthMask
from oodretrieval.results.catalogue_masks import CatalogueMasks
from oodretrieval.results.tagged import CandidateRows
from oodretrieval.search.row_comparisons import Groups
from oodretrieval.stores import Catalogue
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
