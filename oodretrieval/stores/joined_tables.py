"""Few columns of a table that is too long to be read at once: read block by block, and kept below each other."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

IMAGE = "image_id"


def joined(tables: Iterable[pd.DataFrame]) -> pd.DataFrame:
    """Tables below each other, one after the other.

    Args:
        tables: One table at least, with ``image_id``, all with the same columns; no image is in two of them.

    Returns:
        Their rows, numbered from 0; ``image_id`` is a category of four bytes a row, in the order of first mention.

    Example:
        >>> one, other = pd.DataFrame({"image_id": ["b", "b"]}), pd.DataFrame({"image_id": ["a"]})
        >>> table = joined([one, other])
        >>> table["image_id"].tolist(), table["image_id"].cat.codes.tolist()
        (['b', 'b', 'a'], [0, 0, 1])
    """
    images: list[str] = []
    parts: list[pd.DataFrame] = []
    for table in tables:
        numbers, names = pd.factorize(table[IMAGE])
        parts.append(table.assign(**{IMAGE: (numbers + len(images)).astype(np.int32)}))
        images += map(str, names)
    whole = pd.concat(parts, ignore_index=True)
    numbers = whole[IMAGE].to_numpy(np.int32)
    whole[IMAGE] = pd.Categorical.from_codes(numbers, categories=pd.Index(images, dtype=str))
    return whole
