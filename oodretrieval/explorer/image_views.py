"""From stored predictions to what the four panels show. Knows no toolkit."""

import numpy as np
from numpy.typing import NDArray

from oodretrieval.charts.image_view import ImageView
from oodretrieval.explorer.segment_values import SegmentValues
from oodretrieval.labels import ClassMapping
from oodretrieval.segments import paint_segments
from oodretrieval.stores import Prediction


def image_view(
    prediction: Prediction,
    image: NDArray[np.uint8],
    values: SegmentValues,
    pred_mapping: ClassMapping,
    label_mapping: ClassMapping | None = None,
    box: tuple[int, int, int, int] | None = None,
) -> ImageView:
    """Everything that is known of one image, pixel by pixel.

    Args:
        prediction: What the network predicted, with logits, softmax or entropy.
        image: RGB, ``(H, W, 3)``.
        values: Of its segments: the score that selected, or the predicted IoU.
        pred_mapping: Predicted id → (name, colour).
        label_mapping: Label id → (name, colour); None without truth.
        box: ``left, top, right, bottom`` to frame, or None.

    Returns:
        The view.

    Raises:
        StoreError: If the prediction kept nothing that an entropy can be taken of.
    """
    painted = paint_segments(
        prediction.components(), list(values.of_segment), list(values.of_segment.values())
    )
    return ImageView(
        image=image,
        prediction=prediction.prediction,
        pred_mapping=pred_mapping,
        entropy=prediction.entropy_levels() / np.float32(255),
        values=painted,
        value_name=values.name,
        limits=values.limits,
        high_is_unknown=values.high_is_unknown,
        labels=prediction.labels,
        label_mapping=label_mapping if prediction.labels is not None else None,
        box=box,
    )
