"""The adjusted IoU of every segment with the ground truth of its class."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.compilation import compiled, inlined
from oodretrieval.segments.components import kernel_classes, number_components
from oodretrieval.segments.labelling import NO_PIXEL


def adjusted_iou(
    components: NDArray[np.int32],
    prediction: NDArray[np.integer],
    ground_truth: NDArray[np.integer],
    ignore: int = 255,
) -> NDArray[np.float64]:
    """How well each segment covers the ground truth of its class, without blame for other segments.

    For a segment S of class c, Q are the 8-connected components of ``{ground truth = c and prediction != c}``
    that touch S (8-adjacent). The value is ``|S with ground truth c| / (|S| + total size of Q)``: ground
    truth that other segments of class c cover does not count against S, and pixels of S without truth do.

    Args:
        components: Unsigned ids 1…n of the segments, ``(H, W)``; 0 belongs to no segment.
        prediction: Predicted classes, ``(H, W)``.
        ground_truth: True classes, ``(H, W)``, ``ignore`` where there is none.
        ignore: The value that means "no class".

    Returns:
        ``(n,)`` in 0…1; entry i belongs to segment i + 1.

    Source:
        Rottmann et al., arXiv:1811.00648.

    Example:
        >>> prediction = np.array([[0, 0, 1, 1]])
        >>> components = np.array([[1, 1, 2, 2]], np.int32)
        >>> adjusted_iou(components, prediction, np.array([[0, 0, 0, 1]]))
        array([0.66666667, 0.5       ])
    """
    ids = np.ascontiguousarray(components, np.int32)
    classes, truth = kernel_classes(np.stack([prediction, ground_truth]).astype(np.int64), ignore)
    return iou_of(ids, np.where(ids > 0, classes, np.int32(NO_PIXEL)), truth, int(ids.max()))


def iou_of(
    ids: NDArray[np.int32], classes: NDArray[np.int32], truth: NDArray[np.int32], number: int
) -> NDArray[np.float64]:
    """:func:`adjusted_iou` of what kernels read.

    Args:
        ids: Ids of the segments, ``(H, W)``.
        classes: Predicted classes, :data:`~oodretrieval.segments.labelling.NO_PIXEL` where ``ids`` is 0.
        truth: True classes, or ``NO_PIXEL``.
        number: n.

    Returns:
        ``(n,)``.
    """
    # Where truth and prediction agree there is nothing to find, so one labelling serves all classes at once.
    errors, components = number_components(np.where(truth != classes, truth, np.int32(NO_PIXEL)))
    size, agreeing, lost = _count(ids, classes, truth, errors, number, components)
    pairs = _find_pairs(ids, classes, truth, errors, np.zeros(components + 1, np.int32), number + 1)
    error, segment = np.divmod(np.unique(pairs), number + 1)
    missed = np.zeros(number + 1, np.int64)
    np.add.at(missed, segment, lost[error])
    return np.asarray(agreeing[1:] / (size + missed)[1:], np.float64)


@compiled
def _count(ids: Any, classes: Any, truth: Any, errors: Any, number: int, components: int) -> Any:
    """Pixels of each segment, those of them that are right, and pixels of each error component."""
    size, agreeing = np.zeros(number + 1, np.int64), np.zeros(number + 1, np.int64)
    lost = np.zeros(components + 1, np.int64)
    for y in range(ids.shape[0]):
        x = 0
        while x < ids.shape[1]:
            i, error, start, right = ids[y, x], errors[y, x], x, 0
            while x < ids.shape[1] and ids[y, x] == i and errors[y, x] == error:
                right += truth[y, x] == classes[y, x]
                x += 1
            size[i] += x - start
            agreeing[i] += right
            lost[error] += x - start
    return size, agreeing, lost


@compiled
def _find_pairs(ids: Any, classes: Any, truth: Any, errors: Any, latest: Any, step: int) -> NDArray[Any]:
    """Error components with segments that should have covered them, as one number each; some repeatedly."""
    height, width = ids.shape
    pairs, found = np.empty(1024, np.int64), 0
    flags = np.empty(width, np.uint8)
    for y in range(height):
        flags[:] = 0
        for v in range(max(y - 1, 0), min(y + 2, height)):
            _compare(truth[y], classes[v], flags)
        for x in range(width):
            error = errors[y, x]
            if not flags[x] or error == 0:
                continue
            # The pixel before has seen what is left of the next column, if it is of the same component.
            left = x + 1 if x > 0 and errors[y, x - 1] == error else max(x - 1, 0)
            for v in range(max(y - 1, 0), min(y + 2, height)):
                for u in range(left, min(x + 2, width)):
                    if classes[v, u] == truth[y, x] and latest[error] != ids[v, u]:
                        latest[error] = ids[v, u]
                        if found == pairs.size:
                            pairs = np.append(pairs, np.empty_like(pairs))
                        pairs[found] = error * step + ids[v, u]
                        found += 1
    return pairs[:found]


@inlined
def _compare(truth: NDArray[Any], classes: NDArray[Any], flags: NDArray[Any]) -> None:
    """Mark where the prediction is the truth, at a pixel or next to it."""
    for x in range(truth.size):
        flags[x] |= np.uint8(truth[x] == classes[x])
    for x in range(1, truth.size):
        flags[x] |= np.uint8(truth[x] == classes[x - 1])
    for x in range(truth.size - 1):
        flags[x] |= np.uint8(truth[x] == classes[x + 1])
