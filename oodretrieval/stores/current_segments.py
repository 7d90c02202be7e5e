"""Segments as the predictions on disk have them now, and how they are read: whole, or some images at a time."""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.errors import StoreError
from oodretrieval.stores.segments import Part, read_tables, table_length

IMAGES_AT_ONCE = 1024
"""Images whose rows are in memory together where a table is read block by block: some 13 MB."""


@dataclass(frozen=True)
class CurrentSegments:
    """Where the segments of images lie, and what they were computed from.

    Attributes:
        places: Id of every image that has segments → the part that holds them, in the order asked for.
        digests: Id of each of them → digest of its prediction.
        settings: What made the predictions.
        missing: Images that have a prediction, but whose segments were never computed.
    """

    places: Mapping[str, Part]
    digests: Mapping[str, str]
    settings: Mapping[str, Any]
    missing: Sequence[str]

    @property
    def key(self) -> str:
        """A text that names these images and predictions; see :func:`images_key`."""
        return images_key(self.digests)

    def read(self, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """Read the rows, image by image in the order of ``places``.

        Args:
            columns: Columns to read; None for all.

        Returns:
            The table, its rows numbered from 0.

        Raises:
            StoreError: If a part is damaged.
            TableError: If a column is missing.
        """
        numbers: dict[Path, int] = {}
        home = {image: numbers.setdefault(part.path, len(numbers)) for image, part in self.places.items()}
        paths = list(numbers)
        wanted = None if columns is None else list(dict.fromkeys(["image_id", *columns]))
        table = read_tables(paths, wanted)
        origin = np.repeat(np.arange(len(paths)), [table_length(path) for path in paths])
        rank = {image: place for place, image in enumerate(self.places)}
        images = [str(image) for image in table["image_id"]]
        rows = np.flatnonzero([home.get(i) == number for i, number in zip(images, origin, strict=True)])
        order = np.array([rank[images[row]] for row in rows], np.int64)
        rows = rows[np.argsort(order, kind="stable")]
        table = table.iloc[rows].reset_index(drop=True)
        return table if columns is None else table[list(columns)]

    def only(self, images: Collection[str]) -> "CurrentSegments":
        """Those of some images.

        Args:
            images: Ids; a set, where there are many.

        Returns:
            The same, without all other images.
        """
        return replace(self, places={image: part for image, part in self.places.items() if image in images})

    def tables(self, columns: Sequence[str] | None = None) -> Iterator[pd.DataFrame]:
        """What :meth:`read` gives, by :meth:`blocks`.

        Args:
            columns: Columns to read; None for all.

        Yields:
            The rows of whole images.

        Raises:
            StoreError: If a part is damaged.
            TableError: If a column is missing.
        """
        return (block.read(columns) for block in self.blocks())

    def rows(self, chosen: NDArray[np.bool_]) -> pd.DataFrame:
        """Some of the rows, without having all of them in memory.

        Args:
            chosen: Which of those that :meth:`read` gives, ``(n,)``.

        Returns:
            Their table with all columns, rows numbered from 0.

        Raises:
            StoreError: If a part is damaged, or there are more rows or fewer than ``n``.
        """
        found, start = list[pd.DataFrame](), 0
        for table in self.tables():
            here = chosen[start : start + len(table)]
            if len(here) == len(table):
                found.append(table[here])
            start += len(table)
        if start != len(chosen):
            raise StoreError("the segment table changed while it was being read; run again")
        return pd.concat(found, ignore_index=True)

    def blocks(self) -> "Iterator[CurrentSegments]":
        """The same by :data:`IMAGES_AT_ONCE` images, for tables that do not fit in memory.

        Yields:
            Segments of whole images; what they read, one below the other, is what this one reads.
        """
        left = iter(self.places.items())
        while some := dict(islice(left, IMAGES_AT_ONCE)):
            yield replace(self, places=some)


def images_key(digests: Mapping[str, str]) -> str:
    """A text that is the same for work on the same predictions, and for no other.

    Args:
        digests: Image → digest of its prediction.

    Returns:
        Number of images and a hash.

    Example:
        >>> images_key({"a": "0f"})
        '1 images, predictions d1751b3b2cb9aa69'
    """
    content = hashlib.blake2b(repr(sorted(digests.items())).encode(), digest_size=8).hexdigest()
    return f"{len(digests)} images, predictions {content}"
