"""How good a segmentation is: classes by their confusion, the background by how distinctly it is told."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from oodretrieval.evaluation.confusion import ConfusionMatrix
from oodretrieval.evaluation.non_distinctiveness import MODES, ExpectedNonDistinctiveness
from oodretrieval.evaluation.streaming_auroc import StreamingAUROC
from oodretrieval.labels import NO_CLASS, LabelSet

LOG_ODDS = 40.0
"""Log odds beyond which softmax is 0 or 1 in single precision anyway, and is not told apart further."""


class SegmentationQuality:
    """Figures of a segmentation, image by image.

    Args:
        label_set: Tables of the labels; a predicted class named ``background`` is judged as such.

    Attributes:
        matrix: Confusion of the pixels whose truth is a predicted class.
        background: Figures of the background; None where the labels have none, or fewer than two classes beside it.
        images: Images counted.
    """

    def __init__(self, label_set: LabelSet) -> None:
        self.label_set = label_set
        self.matrix = ConfusionMatrix(label_set.num_classes)
        judged = label_set.background_id is not None and label_set.num_classes > 2
        self.background = BackgroundQuality(label_set) if judged else None
        self.images = 0

    def update(
        self,
        prediction: NDArray[np.integer],
        labels: NDArray[np.integer],
        logits: NDArray[np.floating] | None = None,
    ) -> None:
        """Count one image.

        Args:
            prediction: Predicted ids, ``(H, W)``.
            labels: Label ids, ``(H, W)``.
            logits: Logits or log-probabilities, ``(C, H, W)``; without them the background is not judged.

        Raises:
            ValueError: If the shapes differ or a predicted id is none of the classes.
        """
        self.matrix.update(prediction, self.label_set.to_predicted(labels))
        self.images += 1
        if self.background is not None and logits is not None:
            self.background.update(logits, labels)

    def figures(self) -> dict[str, Any]:
        """Everything measured, as JSON can hold it.

        Returns:
            ``images``; by name, 0…1 each: ``mean_iou``, ``frequency_weighted_iou``, ``mean_dice``, ``mean_accuracy``,
            ``pixel_accuracy`` and the background's; by name and class ``iou``, ``dice``, ``accuracy``. None is a
            figure of which nothing was seen, such as the accuracy of a class that does not occur.
        """
        matrix, names = (
            self.matrix,
            [self.label_set.pred_mapping[i][0] for i in range(self.matrix.num_classes)],
        )
        overall = {
            "mean_iou": matrix.mean_iou(),
            "frequency_weighted_iou": matrix.frequency_weighted_iou(),
            "mean_dice": matrix.mean_dice(),
            "mean_accuracy": matrix.mean_accuracy(),
            "pixel_accuracy": matrix.pixel_accuracy(),
            **(self.background.figures() if self.background is not None and self.background.images else {}),
        }
        per_class = {"iou": matrix.iou(), "dice": matrix.dice(), "accuracy": matrix.accuracy()}
        by_class = {
            key: _seen(dict(zip(names, values.tolist(), strict=True))) for key, values in per_class.items()
        }
        return {"images": self.images, **_seen(overall), **by_class}


class BackgroundQuality:
    """Figures of the background, image by image; void is left out.

    Args:
        label_set: Tables of labels that have a background.

    Attributes:
        images: Images counted.
    """

    def __init__(self, label_set: LabelSet) -> None:
        if label_set.background_id is None:
            raise ValueError(f"none of the predicted classes is a background: {dict(label_set.pred_mapping)}")
        self.label_set, self.channel = label_set, label_set.background_id
        self.non_distinctiveness = {
            mode: ExpectedNonDistinctiveness(mode, self.channel, ignore=1) for mode in MODES
        }
        self.auroc = {name: StreamingAUROC(-LOG_ODDS, LOG_ODDS) for name in ("background", "unknown")}
        self.images = 0

    def update(self, logits: NDArray[np.floating], labels: NDArray[np.integer]) -> None:
        """Count one image.

        Args:
            logits: Logits or log-probabilities, ``(C, H, W)``.
            labels: Label ids, ``(H, W)``.
        """
        values = np.asarray(logits, np.float64)
        truth = self.label_set.to_predicted(labels)
        unknown = np.isin(labels, list(self.label_set.unknown_ids))
        void = (truth == NO_CLASS) & ~unknown
        for measure in self.non_distinctiveness.values():
            measure(values[None], void[None].astype(np.uint8))
        odds = values[self.channel] - logsumexp(np.delete(values, self.channel, axis=0), axis=0)
        background = truth == self.channel
        known = ~(background | unknown | void)
        for name, positive in (("background", background), ("unknown", unknown)):
            self.auroc[name].update(odds[positive], odds[known])
        self.images += 1

    def figures(self) -> dict[str, float]:
        """Expected non-distinctiveness in both modes; AUROC by the background's softmax, against known pixels.

        ``auroc_background`` of the pixels whose truth is background, ``auroc_unknown`` of unknown ones; NaN where
        there are none.
        """
        measured = {f"non_distinctiveness_{mode}": m.value for mode, m in self.non_distinctiveness.items()}
        return measured | {f"auroc_{name}": auroc.value for name, auroc in self.auroc.items()}


def _seen(figures: dict[str, float]) -> dict[str, float | None]:
    return {name: None if np.isnan(value) else value for name, value in figures.items()}
