"""Vectors in bfloat16: half as long to read as float32, with a bound on what that leaves open."""

import numpy as np

from oodretrieval.parted_arrays import row_blocks
from oodretrieval.search.passes import BYTES_AT_ONCE, Vectors
from oodretrieval.search.rough_distances import ReadVectors


def shortened(vectors: Vectors) -> ReadVectors:
    """Round vectors to bfloat16, in blocks.

    Args:
        vectors: ``(n, D)``, finite.

    Returns:
        Upper halves of float32, ``(n, D)`` uint16; their errors are about a thousandth of their lengths.

    Raises:
        ValueError: If a value is beyond the range of float32.

    Example:
        >>> short = shortened(np.array([[1.0, 1.001]]))
        >>> short.values.tolist(), round(float(short.errors[0]), 4)
        ([[16256, 16256]], 0.001)
    """
    values = np.empty(vectors.shape, np.uint16)
    lengths, errors = np.empty(len(vectors)), np.empty(len(vectors))
    for rows, block in row_blocks(vectors, BYTES_AT_ONCE):
        with np.errstate(over="ignore"):
            bits = np.ascontiguousarray(block, np.float32).view(np.uint32)
        # to the nearest, of two equally near ones to the even one
        values[rows] = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
        kept = (values[rows].astype(np.uint32) << np.uint32(16)).view(np.float32).astype(np.float64)
        lengths[rows] = np.linalg.norm(kept, axis=1)
        errors[rows] = np.linalg.norm(block.astype(np.float64) - kept, axis=1)
    if not np.isfinite(errors).all():
        raise ValueError(
            "vectors beyond the range of float32 cannot be shortened; search in them as they are"
        )
    return ReadVectors(values, lengths, errors, rough=True)
