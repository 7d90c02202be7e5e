"""IoU, Dice and accuracy of named classes over a dataset, and of all of them together, with intervals over images."""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.evaluation.confusion import OVERALL, PER_CLASS, ConfusionMatrix, confusion_intervals

EVERY = (*OVERALL, *PER_CLASS)
"""Names of all measures."""


class ClassMeasures:
    """Counts pixels of true and predicted classes, image by image.

    Args:
        names: Of the classes, ``C``, by their ids.

    Attributes:
        names: Of the classes.
        matrix: Confusion over all images.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)
        self.matrix = ConfusionMatrix(len(self.names))
        self._by_image: list[NDArray[np.int64]] = []

    @property
    def images(self) -> int:
        """Images counted."""
        return len(self._by_image)

    def update(self, prediction: NDArray[np.integer], truth: NDArray[np.integer]) -> None:
        """Count one image.

        Args:
            prediction: Predicted ids, ``(H, W)``, 0 … C-1 or 255.
            truth: True predicted ids, ``(H, W)``, 0 … C-1, or 255 for what is left out.

        Raises:
            ValueError: If the shapes differ or an id is out of range.
        """
        image = ConfusionMatrix(len(self.names))
        image.update(prediction, truth)
        self._by_image.append(image.counts)
        self.matrix.counts += image.counts

    def values(self, wanted: Collection[str] = EVERY) -> dict[str, Any]:
        """Measures over all images.

        Args:
            wanted: Names of :data:`~oodretrieval.evaluation.confusion.OVERALL` and
                :data:`~oodretrieval.evaluation.confusion.PER_CLASS`.

        Returns:
            Name → value in 0…1, or class → value; None where nothing was seen that defines it, such as the accuracy
            of a class without truth.
        """
        counts = self.matrix.counts
        overall = {name: _seen(float(of(counts))) for name, of in OVERALL.items() if name in wanted}
        per_class = {
            name: self._named([_seen(value) for value in of(counts).tolist()])
            for name, of in PER_CLASS.items()
            if name in wanted
        }
        return {**overall, **per_class}

    def intervals(
        self, *, block: int, repetitions: int, seed: int = 0, wanted: Collection[str] = EVERY
    ) -> dict[str, Any]:
        """95 % intervals of :meth:`values` by bootstrap over images, of the same form; NaN where undefined.

        Args:
            block: Images in a row that are resampled together.
            repetitions: Number of resamples.
            seed: Same seed, same intervals.
            wanted: As for :meth:`values`.

        Returns:
            Name → lower and upper end, or class → both.

        Raises:
            ValueError: If no image was counted.
        """
        found = confusion_intervals(
            self._by_image, block=block, repetitions=repetitions, seed=seed, names=wanted
        )
        return found | {name: self._named(found[name]) for name in PER_CLASS if name in wanted}

    def _named(self, values: Sequence[Any]) -> dict[str, Any]:
        return dict(zip(self.names, values, strict=True))


def _seen(value: float) -> float | None:
    return None if np.isnan(value) else value
