"""One prediction of one image, in memory."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.bilinear import resize_bilinear
from oodretrieval.errors import StoreError
from oodretrieval.labels import NO_CLASS, looked_up, lookup_table
from oodretrieval.segments import (
    entropy_levels,
    label_components,
    predict_pixels,
    segment_table,
    segment_table_from_logits,
)
from oodretrieval.uncertainty import softmax

_TINY = np.float32(np.finfo(np.float32).tiny)


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a network said of one image.

    Attributes:
        prediction: Predicted class, ``(H, W)`` uint8 or uint16; 255, where that is no class, for pixels of no segment.
        labels: Label ids, ``(H, W)``; None without truth.
        image_path: The image file.
        image_id: Id of the image.
        label_to_pred: Label id → predicted id, or 255; empty if label ids are predicted ids.
        void_ids: Label ids that mean nothing.
        logits: ``(C, h, w)`` floats at the network's own stride, or None. Read from a file they are float32.
        softmax: ``(H, W, C)`` float32, or None.
        align_corners: How the network resizes its logits to the image.
        num_classes: C.
        entropy: :func:`~oodretrieval.segments.entropy_levels`, ``(H, W)``, or None where it can be computed.
        settings: What made it.
        image_file: :func:`~oodretrieval.files.file_stamp` of the image file; None if it was made from none.
        digest: Of everything that its file holds, 32 hexadecimal digits; empty for one that was not read from a file,
            and for files of earlier versions.
    """

    prediction: NDArray[np.unsignedinteger]
    labels: NDArray[np.unsignedinteger] | None = None
    image_path: str = ""
    image_id: str = ""
    label_to_pred: Mapping[int, int] = field(default_factory=dict)
    void_ids: frozenset[int] = frozenset()
    logits: NDArray[np.floating] | None = None
    softmax: NDArray[np.float32] | None = None
    align_corners: bool = False
    num_classes: int = 0
    entropy: NDArray[np.uint8] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    image_file: Mapping[str, int | str] | None = None
    digest: str = ""

    def problem(self) -> str:
        """What is wrong with types and shapes, in words; empty where they agree."""
        size, classes, problem = self.prediction.shape, self.num_classes, ""
        if len(size) != 2 or self.prediction.dtype not in (np.uint8, np.uint16) or 0 in size:
            problem = f"prediction must be (H, W) uint8 or uint16, not {self.prediction.dtype} {size}"
        for name in ("labels", "entropy"):
            values = getattr(self, name)
            if values is not None and values.shape != size:
                problem = f"{name} {values.shape} must have the size of the prediction {size}"
        if self.logits is not None and (self.logits.ndim != 3 or self.logits.shape[0] != classes):
            problem = f"logits {self.logits.shape} must be (C = {classes}, h, w)"
        if self.softmax is not None and self.softmax.shape != (*size, classes):
            problem = f"softmax {self.softmax.shape} must be {(*size, classes)}"
        if not problem and not self.label_to_pred and self.labels is not None and classes > NO_CLASS:
            problem = f"label_to_pred is needed to hold labels of {classes} classes"
        return problem

    def probabilities(self) -> NDArray[np.float32]:
        """The softmax, as kept or rebuilt from the logits.

        Returns:
            ``(H, W, C)``, 0…1.

        Raises:
            StoreError: If neither was kept.
        """
        if self.softmax is not None:
            return self.softmax
        logits = self.full_logits()
        if logits is None:
            raise StoreError(
                f"the prediction of {self.image_id!r} keeps neither logits nor softmax; "
                "predict again with args.keep=logits args.overwrite=True"
            )
        return softmax(logits)

    def components(self) -> NDArray[np.int32]:
        """Segment id of every pixel, ``(H, W)``: 1…n as in the segment table, 0 where no class is predicted."""
        masked = NO_CLASS if self.num_classes <= NO_CLASS else None
        return label_components(self.prediction, ignore=masked)

    def segment_table(self) -> pd.DataFrame:
        """The metrics of every segment.

        Returns:
            One row per segment; ``image_id`` in front of the columns of
            :func:`~oodretrieval.segments.segment_table`.

        Raises:
            StoreError: If neither logits nor softmax was kept.
        """
        options: dict[str, Any] = {
            "labels": self.labels,
            "label_to_pred": dict(self.label_to_pred) or None,
            "void_ids": self.void_ids,
            "threads": 1,  # images, not rows, are spread over the cores
        }
        if self.logits is not None:
            table, _ = segment_table_from_logits(
                self.logits, self.prediction, align_corners=self.align_corners, **options
            )
        else:
            table, _ = segment_table(self.probabilities(), prediction=self.prediction, **options)
        table.insert(0, "image_id", self.image_id)
        return table

    def full_logits(self) -> NDArray[np.float32] | None:
        """The logits resized to the image, ``(H, W, C)``; None if they were not kept."""
        if self.logits is None:
            return None
        height, width = self.prediction.shape
        return resize_bilinear(self.logits, (height, width), align_corners=self.align_corners)

    def log_probabilities(self) -> NDArray[np.float32] | None:
        """The softmax's logarithm but for a constant per pixel, ``(H, W, C)``: the logits, else the logarithm itself.

        No score of the softmax sees the constant. None where neither logits nor softmax was kept.
        """
        full = self.full_logits()
        if full is None and self.softmax is not None:
            full = np.log(np.maximum(self.softmax, _TINY))
        return full

    def entropy_levels(self) -> NDArray[np.uint8]:
        """Entropy of every pixel over ``ln C``, times 255 and rounded, ``(H, W)``: as kept, or computed.

        Raises:
            StoreError: If neither it nor logits nor softmax was kept.
        """
        if self.entropy is not None:
            return self.entropy
        if self.softmax is None and self.logits is not None:
            height, width = self.prediction.shape
            return predict_pixels(self.logits, (height, width), align_corners=self.align_corners)[1]
        return entropy_levels(self.probabilities())

    def truth(self) -> NDArray[np.uint8] | None:
        """The truth as predicted ids, ``(H, W)``, 255 for void and unknown; None without truth."""
        if self.labels is None:
            return None
        return looked_up(self.labels, lookup_table(self._meaning))

    def unknown(self) -> NDArray[np.uint8] | None:
        """Where the truth is unknown: ``(H, W)``, 1 unknown, 0 a class of the network, 255 void; None without truth.

        Label ids that the tables do not name are void.
        """
        if self.labels is None:
            return None
        kinds = {k: NO_CLASS if k in self.void_ids else int(v == NO_CLASS) for k, v in self._meaning.items()}
        return looked_up(self.labels, lookup_table(kinds))

    @property
    def _meaning(self) -> Mapping[int, int]:
        """Label id → predicted id; the same id where no table says otherwise."""
        return self.label_to_pred or {k: k for k in range(self.num_classes)}
