"""How good a segmentation is: classes by their confusion, the background by how distinctly it is predicted."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from oodretrieval.evaluation.bootstrap import block_weights, ratio_interval
from oodretrieval.evaluation.class_measures import ClassMeasures
from oodretrieval.evaluation.confusion import OVERALL, PER_CLASS, ConfusionMatrix
from oodretrieval.evaluation.detection import detection_measures
from oodretrieval.evaluation.non_distinctiveness import MODES, non_distinctiveness
from oodretrieval.evaluation.score_counter import ScoreCounter
from oodretrieval.labels import NO_CLASS, LabelSet

Interval = tuple[float, float]


class SegmentationQuality:
    """Measures of a segmentation, image by image.

    Args:
        label_set: Tables of the labels; a predicted class named ``background`` is evaluated as such.

    Attributes:
        classes: Of the pixels whose truth is a predicted class.
        background: Of the background; None where the labels have none, or fewer than two classes next to it.
    """

    def __init__(self, label_set: LabelSet) -> None:
        self.label_set = label_set
        self.classes = ClassMeasures(label_set.class_names)
        with_background = label_set.background_id is not None and label_set.num_classes > 2
        self.background = BackgroundQuality(label_set) if with_background else None

    @property
    def images(self) -> int:
        """Images counted."""
        return self.classes.images

    @property
    def matrix(self) -> ConfusionMatrix:
        """Confusion of the pixels whose truth is a predicted class."""
        return self.classes.matrix

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
            logits: Logits or log-probabilities, ``(C, H, W)``; without them the background is not evaluated.

        Raises:
            ValueError: If the shapes differ or a predicted id is none of the classes.
        """
        self.classes.update(prediction, self.label_set.to_predicted(labels))
        if self.background is not None and logits is not None:
            self.background.update(logits, labels)

    def measures(self) -> dict[str, Any]:
        """Everything measured, as JSON can hold it.

        Returns:
            ``images``; by name, 0…1 each: ``mean_iou``, ``frequency_weighted_iou``, ``mean_dice``, ``mean_accuracy``,
            ``pixel_accuracy`` and those of :meth:`BackgroundQuality.measures`; by name and class ``iou``, ``dice``,
            ``accuracy``. None where nothing was seen that defines a measure, such as the accuracy of a class without
            truth.
        """
        behind = self._behind.measures() if self._behind else {}
        seen = {name: None if np.isnan(value) else value for name, value in behind.items()}
        return {
            "images": self.images,
            **self.classes.values(OVERALL),
            **seen,
            **self.classes.values(PER_CLASS),
        }

    def intervals(self, *, block: int, repetitions: int, seed: int = 0) -> dict[str, Any]:
        """95 % intervals of :meth:`measures` by bootstrap over images, of the same form; NaN where undefined.

        Args:
            block: Images in a row that are resampled together.
            repetitions: Number of resamples.
            seed: Same seed, same intervals.

        Returns:
            Name → lower and upper end, or class → both.

        Raises:
            ValueError: If no image was counted.
        """
        found = self.classes.intervals(block=block, repetitions=repetitions, seed=seed)
        if self._behind:
            found |= self._behind.intervals(block=block, repetitions=repetitions, seed=seed)
        return found

    @property
    def _behind(self) -> "BackgroundQuality | None":
        """The background, if anything of it was counted."""
        return self.background if self.background is not None and self.background.images else None


class BackgroundQuality:
    """Measures of the background, image by image; void is left out.

    Args:
        label_set: Tables of labels that have a background.

    Raises:
        ValueError: If they have none.
    """

    def __init__(self, label_set: LabelSet) -> None:
        if label_set.background_id is None:
            raise ValueError(f"none of the predicted classes is a background: {dict(label_set.pred_mapping)}")
        self.label_set, self.channel = label_set, label_set.background_id
        self._sums: list[dict[int, float]] = []
        self._pixels: list[int] = []
        self._odds = {name: ScoreCounter() for name in ("background", "unknown")}

    @property
    def images(self) -> int:
        """Images counted."""
        return len(self._pixels)

    def update(self, logits: NDArray[np.floating], labels: NDArray[np.integer]) -> None:
        """Count one image.

        Args:
            logits: Logits or log-probabilities, ``(C, H, W)``, finite.
            labels: Label ids, ``(H, W)``.
        """
        values, truth = np.asarray(logits, np.float64), self.label_set.to_predicted(labels)
        known = truth != NO_CLASS
        positive = {
            "background": truth == self.channel,
            "unknown": np.isin(labels, list(self.label_set.unknown_ids)),
        }
        counted = known | positive["unknown"]
        by_mode = {mode: non_distinctiveness(values[None], mode, self.channel)[0] for mode in MODES}
        self._sums.append({mode: float(by_mode[mode][counted].sum()) for mode in MODES})
        self._pixels.append(int(counted.sum()))
        odds = values[self.channel] - logsumexp(np.delete(values, self.channel, axis=0), axis=0)
        foreground = known & ~positive["background"]
        for name, counter in self._odds.items():
            chosen = foreground | positive[name]
            counter.update(odds[chosen], positive[name][chosen])

    def measures(self) -> dict[str, float]:
        """Expected non-distinctiveness, and how well the background's softmax finds what is none of the classes.

        Returns:
            ``non_distinctiveness_1`` and ``_2`` by mode, over known and unknown pixels. AUROC by the background's
            softmax against the pixels of the other classes: ``auroc_background`` of pixels whose truth is
            background, ``auroc_unknown`` of unknown ones; NaN where there are none.
        """
        pixels = sum(self._pixels)
        measures = {
            f"non_distinctiveness_{mode}": sum(sums[mode] for sums in self._sums) / pixels
            if pixels
            else np.nan
            for mode in MODES
        }
        for name, counter in self._odds.items():
            measures[f"auroc_{name}"] = detection_measures(counter.counts()).auroc
        return measures

    def intervals(self, *, block: int, repetitions: int, seed: int = 0) -> dict[str, Interval]:
        """95 % intervals of :meth:`measures` by bootstrap over images; NaN where undefined.

        Args:
            block: Images in a row that are resampled together.
            repetitions: Number of resamples.
            seed: Same seed, same intervals.

        Returns:
            Name → lower and upper end.

        Raises:
            ValueError: If no image was counted.
        """
        weights = block_weights(self.images, block=block, repetitions=repetitions, seed=seed)
        found = {
            f"non_distinctiveness_{mode}": ratio_interval(
                [sums[mode] for sums in self._sums], self._pixels, weights
            )
            for mode in MODES
        }
        for name, counter in self._odds.items():
            found[f"auroc_{name}"] = counter.intervals(block=block, repetitions=repetitions, seed=seed)[
                "auroc"
            ]
        return found
