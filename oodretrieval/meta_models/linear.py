"""Linear meta model: the IoU as a weighted sum of the standardised metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from oodretrieval.meta_models.contract import Arrays, MetaModel, Problem, Task
from oodretrieval.meta_models.logistic_regression import fit_logistic, sigmoid


@dataclass(frozen=True, eq=False)
class Weights:
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
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]], num_features: int) -> "Weights":
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


class LinearMetaModel(MetaModel):
    """Least squares on the standardised features, clipped to 0…1; logistic regression for IoU > 0.

    The features depend on each other (the mean softmax sums to 1), so a trace of ridge picks one of the many
    equal solutions: the one with the smallest weights.

    Args:
        features: What to learn from; None for all of the published network.
        ridge: Penalty on the squared weights, per segment, > 0.
        seed: Of the sample of images, where there are too many segments.

    Source:
        Rottmann et al., arXiv:1811.00648.
    """

    kind: ClassVar[str] = "linear"

    def __init__(self, features: Sequence[str] | None = None, ridge: float = 1e-6, seed: int = 0) -> None:
        super().__init__(features, seed)
        if not ridge > 0:
            raise ValueError(f"ridge must be > 0, got {ridge}")
        self.ridge = ridge

    @property
    def settings(self) -> dict[str, Any]:
        """How it is trained."""
        return {"ridge": self.ridge, "seed": self.seed}

    def arrays_of(self, task: Task) -> Arrays:
        """Weights ``(F,)`` and intercept ``(1,)``."""
        learned: Weights = self.learned[task]
        return learned.arrays()

    def restore(self, task: Task, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take what :meth:`arrays_of` gave."""
        self.learned[task] = Weights.of_arrays(arrays, len(self.feature_names))

    def _learn(self, problem: Problem) -> Weights:
        features, target = problem.features, problem.target
        if problem.task == "positive":
            return Weights(*fit_logistic(features, target, ridge=self.ridge))
        centre = features.mean(axis=0)
        centred = features - centre
        covariance = centred.T @ centred / len(target) + self.ridge * np.eye(features.shape[1])
        weights = np.linalg.solve(covariance, centred.T @ (target - target.mean()) / len(target))
        return Weights(weights, float(target.mean() - centre @ weights))

    def _estimate(self, task: Task, features: NDArray[np.float64]) -> NDArray[np.float64]:
        learned: Weights = self.learned[task]
        return sigmoid(learned(features)) if task == "positive" else learned(features)
