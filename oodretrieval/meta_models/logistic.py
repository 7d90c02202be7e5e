"""Logistic meta model: L1 chooses the metrics, an unpenalised refit on them predicts."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from oodretrieval.equal_blocks import in_equal_blocks
from oodretrieval.errors import TableError
from oodretrieval.meta_models.contract import ROWS_TOGETHER, Problem, Task
from oodretrieval.meta_models.logistic_regression import (
    LassoPath,
    fit_logistic,
    log_loss,
    logistic_path,
    sigmoid,
)
from oodretrieval.meta_models.sampling import held_out_rows
from oodretrieval.meta_models.weighted_sum import WeightedSum, WeightedSumModel

_RIDGE = 1e-6
_TOLERATED = 0.01


class LogisticMetaModel(WeightedSumModel):
    """Logistic regression of IoU > 0 with L1, refitted without penalty on the metrics that survive.

    Held-out images choose the penalty: the largest whose log loss is at most 1 % above the best of the path. The
    IoU itself is predicted on the same metrics by fractional logistic regression, the same loss with shares as
    targets.

    Args:
        features: What to choose from; None for all of the published network.
        penalty: λ of L1, > 0, to choose by; 0 to let held-out images choose it.
        seed: Of the held-out images.

    Source:
        Rottmann et al., arXiv:1811.00648 (path, choice and refit); Papke and Wooldridge 1996 (shares).
    """

    kind: ClassVar[str] = "logistic"

    def __init__(self, features: Sequence[str] | None = None, penalty: float = 0.0, seed: int = 0) -> None:
        super().__init__(features, seed)
        if penalty < 0:
            raise ValueError(f"penalty must be > 0, or 0 to have it chosen, got {penalty}")
        self.penalty = penalty

    @property
    def settings(self) -> dict[str, Any]:
        """How it is trained."""
        return {"penalty": self.penalty, "seed": self.seed}

    @property
    def survivors(self) -> tuple[str, ...]:
        """Features that the penalty leaves; empty before it is fitted."""
        learned = self.learned.get("iou")
        if not isinstance(learned, WeightedSum):
            return ()
        return tuple(name for name, w in zip(self.feature_names, learned.weights, strict=True) if w)

    def _learn(self, problem: Problem) -> WeightedSum:
        kept = self._choose(problem) if problem.task == "positive" else self._survived(problem)
        weights = np.zeros(problem.features.shape[1])
        if not kept.any():
            share = np.clip(problem.target.mean(), 1e-9, 1 - 1e-9)
            return WeightedSum(weights, float(np.log(share / (1 - share))))
        weights[kept], intercept = fit_logistic(problem.features[:, kept], problem.target, ridge=_RIDGE)
        return WeightedSum(weights, intercept)

    def _survived(self, problem: Problem) -> NDArray[np.bool_]:
        """The choice made for IoU > 0, ``(F,)``; everything where that never varied."""
        learned = self.learned["positive"]
        if not isinstance(learned, WeightedSum):
            return np.ones(problem.features.shape[1], bool)
        return np.asarray(learned.weights != 0)

    def _choose(self, problem: Problem) -> NDArray[np.bool_]:
        """Which features survive, ``(F,)``."""
        path, place = self._of_penalty(problem) if self.penalty else self._by_held_out_images(problem)
        self.quality["penalty"] = float(path.penalties[place])
        return np.asarray(path.weights[place] != 0)

    def _of_penalty(self, problem: Problem) -> tuple[LassoPath, int]:
        path = logistic_path(problem.features, problem.target)
        if self.penalty < path.penalties[-1]:
            raise TableError(
                f"the path of these segments ends at the penalty {path.penalties[-1]:.2g}, asked for is "
                f"{self.penalty:g}; raise it, or set it to 0 to have it chosen"
            )
        return path, int(np.flatnonzero(path.penalties >= min(self.penalty, path.penalties[0]))[-1])

    def _by_held_out_images(self, problem: Problem) -> tuple[LassoPath, int]:
        if problem.validation is not None:
            path, (features, target) = logistic_path(problem.features, problem.target), problem.validation
        else:
            held_out = held_out_rows(problem.table, self.seed)
            if not held_out.any() or not 0 < problem.target[~held_out].mean() < 1:
                held_out = np.zeros(len(held_out), bool)
            path = logistic_path(problem.features[~held_out], problem.target[~held_out])
            checked = held_out if held_out.any() else ~held_out
            features, target = problem.features[checked], problem.target[checked]
        scores = features @ path.weights.T + path.intercepts
        losses = np.array([log_loss(target, sigmoid(score)) for score in scores.T])
        return path, int(np.flatnonzero(losses <= (1 + _TOLERATED) * losses.min())[0])

    def _estimate(self, task: Task, features: NDArray[np.float64]) -> NDArray[np.float64]:
        learned: WeightedSum = self.learned[task]
        return sigmoid(in_equal_blocks(learned, features, ROWS_TOGETHER))
