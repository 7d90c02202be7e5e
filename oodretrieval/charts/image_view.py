"""What is known of one image, pixel by pixel: what the four panels show. Knows no toolkit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oodretrieval.charts.class_colours import colourise
from oodretrieval.charts.palette import IOU_MAP
from oodretrieval.labels import ClassMapping


@dataclass(frozen=True, eq=False)
class ImageView:
    """What is known of one image.

    Attributes:
        image: RGB, ``(H, W, 3)`` uint8.
        prediction: Predicted ids, ``(H, W)``.
        pred_mapping: Predicted id → (name, colour).
        entropy: ``(H, W)``, 0 certain … 1 uniform.
        values: Of the segment at each pixel, ``(H, W)``, NaN where not known: the score that selected, or the
            predicted IoU.
        labels: Label ids, ``(H, W)``, or None.
        label_mapping: Label id → (name, colour).
        box: ``left, top, right, bottom`` to frame in red, or None.
        value_name: What the values are.
        limits: Lowest and highest value that differ in colour.
        high_is_unknown: Whether high values, not low ones, look unknown; what does is dark.
    """

    image: NDArray[np.uint8]
    prediction: NDArray[np.integer]
    pred_mapping: ClassMapping
    entropy: NDArray[np.floating]
    values: NDArray[np.floating]
    labels: NDArray[np.integer] | None = None
    label_mapping: ClassMapping | None = None
    box: tuple[int, int, int, int] | None = None
    value_name: str = "predicted IoU"
    limits: tuple[float, float] = (0.0, 1.0)
    high_is_unknown: bool = False

    @property
    def has_truth(self) -> bool:
        """Whether it is known what the pixels are."""
        return self.labels is not None and self.label_mapping is not None

    @property
    def titles(self) -> tuple[str, str, str, str]:
        """Of the four panels: entropy, values, image, prediction."""
        image = "image with truth overlaid" if self.has_truth else "image"
        values = f"{self.value_name} of each segment"
        return "entropy (0 certain … 1 uniform)", values, image, "predicted classes"

    @property
    def value_map(self) -> str:
        """Map of colours for the values, in which what looks unknown is dark."""
        return f"{IOU_MAP}_r" if self.high_is_unknown else IOU_MAP

    @property
    def with_truth(self) -> NDArray[np.uint8]:
        """The image with the colours of its labels over it, ``(H, W, 3)``; the image alone without truth."""
        if self.labels is None or self.label_mapping is None:
            return self.image
        painted = colourise(self.labels, self.label_mapping).astype(np.float32)
        return (0.55 * self.image + 0.45 * painted).astype(np.uint8)
