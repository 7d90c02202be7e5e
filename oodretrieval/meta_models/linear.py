"""Linear meta model: the IoU as a weighted sum of the standardised metrics."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from oodretrieval.equal_blocks import in_equal_blocks
from oodretrieval.meta_models.contract import ROWS_TOGETHER, Problem, Task
from oodretrieval.meta_models.logistic_regression import fit_logistic, sigmoid
from oodretrieval.meta_models.weighted_sum import WeightedSum, WeightedSumModel


class LinearMetaModel(WeightedSumModel):
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

    def _learn(self, problem: Problem) -> WeightedSum:
        features, target = problem.features, problem.target
        if problem.task == "positive":
            return WeightedSum(*fit_logistic(features, target, ridge=self.ridge))
        centre = features.mean(axis=0)
        centred = features - centre
        covariance = centred.T @ centred / len(target) + self.ridge * np.eye(features.shape[1])
        weights = np.linalg.solve(covariance, centred.T @ (target - target.mean()) / len(target))
        return WeightedSum(weights, float(target.mean() - centre @ weights))

    def _estimate(self, task: Task, features: NDArray[np.float64]) -> NDArray[np.float64]:
        learned: WeightedSum = self.learned[task]
        estimate = in_equal_blocks(learned, features, ROWS_TOGETHER)
        return sigmoid(estimate) if task == "positive" else estimate
