"""Logits in half precision, relative to the largest at each position.

So float16 is finest for the classes that matter, and the softmax a tenth as far off.
"""

import numpy as np
from numpy.typing import NDArray

FLOAT16_MAX = float(np.finfo(np.float16).max)


def half_logits(logits: NDArray[np.floating]) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    """Logits as they are stored.

    Args:
        logits: ``(C, h, w)``, finite.

    Returns:
        The logits less the largest at each position, ``(C, h, w)``, and these, ``(h, w)``.

    Example:
        >>> half_logits(np.array([[[1000.0]], [[999.9]]]))[0].ravel().tolist()
        [0.0, -0.0999755859375]
    """
    values = np.asarray(logits, np.float32)
    offsets = _half(values.max(axis=0))
    return _half(values - offsets), offsets


def _half(values: NDArray[np.floating]) -> NDArray[np.float16]:
    return np.asarray(np.clip(values, -FLOAT16_MAX, FLOAT16_MAX), np.float16)


def whole_logits(logits: NDArray[np.float16], offsets: NDArray[np.float16]) -> NDArray[np.float32]:
    """Undo :func:`half_logits`, but for rounding.

    Args:
        logits: ``(C, h, w)``.
        offsets: What was taken off each pixel's logits, ``(h, w)``.

    Returns:
        ``(C, h, w)``.
    """
    return np.add(logits, offsets, dtype=np.float32)
