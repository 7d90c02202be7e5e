"""Linear meta regression: the IoU as a weighted sum of the standardised metrics."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.meta_models.contract import Arrays, MetaModel


class LinearMetaModel(MetaModel):
    """Least squares on the standardised features, clipped to 0…1.

    The features depend on each other (the mean softmax sums to 1), so a trace of ridge picks one of the many
    equal solutions: the one with the smallest weights.

    Args:
        features: Columns to learn from; None for all of the published network.
        ridge: Penalty on the squared weights, per segment, > 0.

    Source:
        Rottmann et al., arXiv:1811.00648.
    """

    kind: ClassVar[str] = "linear"

    def __init__(self, features: Sequence[str] | None = None, ridge: float = 1e-6) -> None:
        super().__init__(features)
        if not ridge > 0:
            raise ValueError(f"ridge must be > 0, got {ridge}")
        self.ridge = ridge
        self.weights: NDArray[np.float64] = np.zeros(0)
        self.intercept = 0.0

    @property
    def settings(self) -> dict[str, Any]:
        """How it is trained."""
        return {"ridge": self.ridge}

    def arrays(self) -> Arrays:
        """Weights ``(F,)`` and intercept ``(1,)``."""
        return {"weights": self.weights, "intercept": np.array([self.intercept])}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take what :meth:`arrays` gave."""
        weights, intercept = arrays["weights"], arrays["intercept"]
        if weights.shape != (len(self.feature_names),) or intercept.shape != (1,):
            raise ValueError(f"weights are {weights.shape}, expected ({len(self.feature_names)},)")
        self.weights, self.intercept = weights.astype(np.float64), float(intercept[0])

    def _learn(
        self,
        features: NDArray[np.float64],
        iou: NDArray[np.float64],
        table: pd.DataFrame,
        validation: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
    ) -> None:
        centre = features.mean(axis=0)
        centred = features - centre
        covariance = centred.T @ centred / len(iou) + self.ridge * np.eye(features.shape[1])
        self.weights = np.linalg.solve(covariance, centred.T @ (iou - iou.mean()) / len(iou))
        self.intercept = float(iou.mean() - centre @ self.weights)

    def _estimate(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        estimate: NDArray[np.float64] = features @ self.weights + self.intercept
        return estimate
