"""How good a segmentation is: classes by their confusion, the background by how distinct it is."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from oodretrieval.evaluation.bootstrap import block_weights, ratio_interval
from oodretrieval.evaluation.confusion import OVERALL, PER_CLASS, ConfusionMatrix, confusion_intervals
from oodretrieval.evaluation.detection import detection_figures
from oodretrieval.evaluation.non_distinctiveness import MODES, non_distinctiveness
from oodretrieval.evaluation.score_counter import ScoreCounter
from oodretrieval.labels import NO_CLASS, LabelSet

Interval = tuple[float, float]


class SegmentationQuality:
    """Measures of a segmentation, image by image.

    Args:
        label_set: Tables of the labels; a predicted class named ``background`` is evaluated as such.

    Attributes:
        matrix: Confusion of the pixels whose truth is a predicted class.
        background: Measures of the background; None where the labels have none, or fewer than two other classes.
    """

    def __init__(self, label_set: LabelSet) -> None:
        self.label_set = label_set
        self.matrix = ConfusionMatrix(label_set.num_classes)
        evaluated = label_set.background_id is not None and label_set.num_classes > 2
        self.background = BackgroundQuality(label_set) if evaluated else None
        self._by_image: list[NDArray[np.int64]] = []

    @property
    def images(self) -> int:
        """Images counted."""
        return len(self._by_image)

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
        image = ConfusionMatrix(self.label_set.num_classes)
        image.update(prediction, self.label_set.to_predicted(labels))
        self._by_image.append(image.counts)
        self.matrix.counts += image.counts
        if self.background is not None and logits is not None:
            self.background.update(logits, labels)

    def figures(self) -> dict[str, Any]:
        """Everything measured, as JSON can hold it.

        Returns:
            ``images``; by name, 0…1 each: ``mean_iou``, ``frequency_weighted_iou``, ``mean_dice``, ``mean_accuracy``,
            ``pixel_accuracy`` and those of :meth:`BackgroundQuality.figures`; by name and class ``iou``, ``dice``,
            ``accuracy``. None is a measure of which nothing was seen, such as the accuracy of a class without truth.
        """
        counts = self.matrix.counts
        overall = {name: float(measure(counts)) for name, measure in OVERALL.items()}
        per_class = {
            name: _seen(self._named(measure(counts).tolist())) for name, measure in PER_CLASS.items()
        }
        behind = self._behind.figures() if self._behind else {}
        return {"images": self.images, **_seen({**overall, **behind}), **per_class}

    def intervals(self, *, block: int, repetitions: int, seed: int = 0) -> dict[str, Any]:
        """95 % intervals of :meth:`measures` by bootstrap over images.

        Args:
            block: Images in a row that are taken together, >= 1.
            repetitions: Number of resamples, >= 1.
            seed: Same seed, same intervals.

        Returns:
            Of the form of :meth:`measures`, with lower and upper end for each number; NaN where undefined.

        Raises:
            ValueError: If no image was counted.
        """
        names = [*OVERALL, *PER_CLASS]
        resampled = confusion_intervals(
            self._by_image, block=block, repetitions=repetitions, seed=seed, names=names
        )
        resampled |= {name: self._named(resampled[name]) for name in PER_CLASS}
        if self._behind:
            resampled |= self._behind.intervals(block=block, repetitions=repetitions, seed=seed)
        return resampled

    @property
    def _behind(self) -> "BackgroundQuality | None":
        """The background, if anything of it was counted."""
        return self.background if self.background is not None and self.background.images else None

    def _named(self, values: list[Any]) -> dict[str, Any]:
        names = (self.label_set.pred_mapping[i][0] for i in range(self.label_set.num_classes))
        return dict(zip(names, values, strict=True))


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

    def figures(self) -> dict[str, float]:
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
            measures[f"auroc_{name}"] = detection_figures(counter.counts()).auroc
        return measures

    def intervals(self, *, block: int, repetitions: int, seed: int = 0) -> dict[str, Interval]:
        """95 % intervals of :meth:`measures` by bootstrap over images.

        Args:
            block: Images in a row that are taken together, >= 1.
            repetitions: Number of resamples, >= 1.
            seed: Same seed, same intervals.

        Returns:
            Name → lower and upper end; NaN where undefined.
        """
        weights = block_weights(self.images, block=block, repetitions=repetitions, seed=seed)
        resampled = {
            f"non_distinctiveness_{mode}": ratio_interval(
                [sums[mode] for sums in self._sums], self._pixels, weights
            )
            for mode in MODES
        }
        for name, counter in self._odds.items():
            resampled[f"auroc_{name}"] = counter.intervals(block=block, repetitions=repetitions, seed=seed)[
                "auroc"
            ]
        return resampled


def _seen(measures: Mapping[str, float]) -> dict[str, float | None]:
    return {name: None if np.isnan(value) else value for name, value in measures.items()}
