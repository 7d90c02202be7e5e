"""The adjusted IoU of every segment with the ground truth of its class."""

import numpy as np
from numpy.typing import NDArray

from oodretrieval.segments.components import label_components, neighbour_pairs


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
        >>> adjusted_iou(label_components(prediction), prediction, np.array([[0, 0, 0, 1]]))
        array([0.66666667, 0.5       ])
    """
    number = int(components.max())
    counted = components > 0
    size = np.bincount(components[counted], minlength=number + 1)[1:]
    agrees = counted & (ground_truth == prediction) & (ground_truth != ignore)
    intersection = np.bincount(components[agrees], minlength=number + 1)[1:]
    union = size + _missed(components, prediction, ground_truth, ignore)[1:]
    return intersection / union


def _missed(
    components: NDArray[np.int32],
    prediction: NDArray[np.integer],
    ground_truth: NDArray[np.integer],
    ignore: int,
) -> NDArray[np.int64]:
    """Pixels of ground truth that each segment should have covered and no segment of its class did.

    Returns:
        ``(n + 1,)``; entry 0 stands for pixels without segment.
    """
    segments = np.int64(components.max()) + 1
    # Where truth and prediction agree there is nothing to find, so one labelling serves all classes at once.
    errors = label_components(np.where(ground_truth != prediction, ground_truth, ignore), ignore=ignore)
    sizes = np.bincount(errors.ravel())
    pairs = []
    for here, there in neighbour_pairs(components.shape):
        touches = (errors[there] > 0) & (ground_truth[there] == prediction[here]) & (components[here] > 0)
        pairs.append(errors[there][touches] * segments + components[here][touches])
    error, segment = np.divmod(np.unique(np.concatenate(pairs)), segments)
    missed = np.zeros(segments, np.int64)
    np.add.at(missed, segment, sizes[error])
    return missed
