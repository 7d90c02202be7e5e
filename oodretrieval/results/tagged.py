"""Which rows of a catalogue have which tag: by dataset, image and number, wherever the rows may be."""

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from oodretrieval.search.row_comparisons import Groups
from oodretrieval.stores import Catalogue
from oodretrieval.stores.merging import KEY
from oodretrieval.stores.tag_journal import TagJournal, table_of
from oodretrieval.stores.tags import CandidateKey, TagTable

OF_INTEREST, NOT_OF_INTEREST = "of interest", "not of interest"
"""Tags that the answers of a review without a name are kept as."""


class CandidateRows:
    """From rows of a catalogue to what candidates are known by, and back.

    Args:
        catalogue: Whose rows.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._index: pd.MultiIndex | None = None

    def keys(self, rows: ArrayLike) -> list[CandidateKey]:
        """What candidates are known by.

        Args:
            rows: Of the candidates, ``(k,)`` row numbers, or ``(n,)`` bool.

        Returns:
            One key a candidate.
        """
        chosen = np.asarray(rows)
        places = np.flatnonzero(chosen) if chosen.dtype == np.bool_ else chosen.astype(np.intp)
        picked = self._catalogue.segments[KEY].iloc[places]
        return [CandidateKey(str(d), str(i), int(c)) for d, i, c in picked.itertuples(index=False)]

    def rows(self, keys: Iterable[CandidateKey]) -> NDArray[np.intp]:
        """Rows of candidates.

        Args:
            keys: What they are known by.

        Returns:
            ``(k,)``; -1 of one that is not in the catalogue.
        """
        wanted = list(keys)
        if not wanted:
            return np.zeros(0, np.intp)
        if self._index is None:
            self._index = pd.MultiIndex.from_frame(self._catalogue.segments[KEY])
        found: NDArray[np.intp] = self._index.get_indexer(pd.MultiIndex.from_tuples(wanted, names=KEY))
        return found

    def gone(self, table: TagTable, names: Iterable[str]) -> int:
        """How many candidates have a tag and are not in the catalogue, which was selected again since.

        Args:
            table: The tags.
            names: Tags that count.

        Returns:
            Their number; one with two tags counts once.
        """
        keys = {key for name in names for key in table.candidates(name)}
        return int((self.rows(keys) < 0).sum())

    def groups(self, table: TagTable) -> Groups:
        """Which rows have which tag.

        Args:
            table: The tags.

        Returns:
            A group for each tag.
        """
        return Groups({name: self._mask(table, name) for name in table.names}, len(self._catalogue))

    def _mask(self, table: TagTable, name: str) -> NDArray[np.bool_]:
        mask = np.zeros(len(self._catalogue), np.bool_)
        found = self.rows(table.candidates(name))
        mask[found[found >= 0]] = True
        return mask


def gone_words(gone: int, catalogue: str) -> str:
    """What is said of named candidates that a catalogue does not hold any more.

    Args:
        gone: Their number.
        catalogue: Name of the catalogue.

    Returns:
        A sentence that says what to do.
    """
    return (
        f"{gone} more candidate(s) have a name but are not in catalogue {catalogue} any more, and are not exported; "
        "their names are kept and count again once scripts/compute_embeddings.py selects these candidates again"
    )


def read_tags(catalogue: Catalogue) -> TagTable:
    """The tags of a catalogue as they are now.

    Args:
        catalogue: Whose.

    Returns:
        The table that all steps add up to.

    Raises:
        StoreError: If the file is there but cannot be read.
    """
    return table_of(TagJournal(catalogue.path).read())
