"""What meta models have in common that end in a weighted sum of the features: the weights, learned and saved."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.meta_models.contract import Arrays, MetaModel, Task


@dataclass(frozen=True, eq=False)
class WeightedSum:
    """A weighted sum.

    Attributes:
        weights: One for each feature, ``(F,)``.
        intercept: Added to it.
    """

    weights: NDArray[np.float64]
    intercept: float

    def __call__(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """``(n, F)`` → ``(n,)``."""
        total: NDArray[np.float64] = features @ self.weights + self.intercept
        return total

    def arrays(self) -> Arrays:
        """Both as arrays, to be saved."""
        return {"weights": self.weights, "intercept": np.array([self.intercept])}

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]], num_features: int) -> "WeightedSum":
        """Take what :meth:`arrays` gave.

        Args:
            arrays: ``weights`` ``(F,)`` and ``intercept`` ``(1,)``.
            num_features: F.

        Returns:
            The weights.

        Raises:
            KeyError: If an array is missing.
            ValueError: If it has the wrong shape.
        """
        weights, intercept = arrays["weights"], arrays["intercept"]
        if weights.shape != (num_features,) or intercept.shape != (1,):
            raise ValueError(f"weights are {weights.shape}, expected ({num_features},)")
        return cls(weights.astype(np.float64), float(intercept[0]))


class WeightedSumModel(MetaModel):
    """A meta model that learns :class:`WeightedSum` for each task; a subclass says how, and what the sum means."""

    def arrays_of(self, task: Task) -> Arrays:
        """Weights ``(F,)``, 0 of a feature that is not used, and intercept ``(1,)``."""
        learned: WeightedSum = self.learned[task]
        return learned.arrays()

    def restore(self, task: Task, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take what :meth:`arrays_of` gave."""
        self.learned[task] = WeightedSum.of_arrays(arrays, len(self.feature_names))
