"""Maps of class ids as pictures."""

import numpy as np
from numpy.typing import NDArray

from oodretrieval.labels import ClassMapping, looked_up


def colourise(ids: NDArray[np.integer], mapping: ClassMapping) -> NDArray[np.uint8]:
    """Paint class ids with their colours; ids without one are black.

    Args:
        ids: Class ids, ``(H, W)``, 0…65535.
        mapping: Class id → (name, colour).

    Returns:
        RGB, ``(H, W, 3)``, 0…255.
    """
    table = np.zeros((max(mapping, default=-1) + 2, 3), np.uint8)
    for key, (_, colour) in mapping.items():
        table[key] = colour
    return looked_up(ids, table)
