"""Meta model of gradient boosted trees, scikit-learn's histogram version."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from oodretrieval.meta_models.contract import Arrays, MetaModel, Problem, Task

CLASSES = {"iou": HistGradientBoostingRegressor, "positive": HistGradientBoostingClassifier}


class BoostedMetaModel(MetaModel):
    """Histogram gradient boosting: a regressor of the IoU, clipped to 0…1, and a classifier of IoU > 0.

    Its file (``*.skops``) holds scikit-learn's own objects; see :mod:`oodretrieval.meta_models.trees`.

    Args:
        features: What to learn from; None for all of the published network.
        trees: Number of trees, >= 1.
        learning_rate: Share of each tree that is added, > 0.
        leaves: Largest number of leaves of a tree, >= 2.
        least_segments: Segments in a leaf at least, >= 1.
        feature_share: Share of the features, sampled again for every split, among which it is chosen, 0…1, > 0.
        l2: Penalty on the leaf values, >= 0.
        seed: Of the features sampled and the subsample that the bins are chosen from.

    Source:
        Ke et al., LightGBM, NeurIPS 2017.
    """

    kind: ClassVar[str] = "boosting"
    suffix: ClassVar[str] = ".skops"

    def __init__(
        self,
        features: Sequence[str] | None = None,
        trees: int = 200,
        learning_rate: float = 0.05,
        leaves: int = 31,
        least_segments: int = 20,
        feature_share: float = 0.3,
        l2: float = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__(features, seed)
        if min(trees, least_segments) < 1 or leaves < 2 or not learning_rate > 0 or l2 < 0:
            raise ValueError(
                "expected trees >= 1, least_segments >= 1, leaves >= 2, learning_rate > 0, l2 >= 0, "
                f"got {trees}, {least_segments}, {leaves}, {learning_rate}, {l2}"
            )
        if not 0 < feature_share <= 1:
            raise ValueError(f"feature_share must lie in 0…1, above 0, got {feature_share}")
        self.trees, self.learning_rate, self.leaves = trees, learning_rate, leaves
        self.least_segments, self.feature_share, self.l2 = least_segments, feature_share, l2

    @property
    def settings(self) -> dict[str, Any]:
        """How it is trained."""
        names = ("trees", "learning_rate", "leaves", "least_segments", "feature_share", "l2", "seed")
        return {name: getattr(self, name) for name in names}

    def arrays_of(self, task: Task) -> Arrays:
        """Nothing: scikit-learn's objects are saved as they are."""
        return {}

    def restore(self, task: Task, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Refuse arrays.

        Raises:
            ValueError: Always: trees in arrays are of an earlier version.
        """
        raise ValueError("boosted trees are no longer kept as arrays in safetensors but in a .skops file")

    def _learn(self, problem: Problem) -> Any:
        # early stopping would hold out segments, not images
        return CLASSES[problem.task](
            max_iter=self.trees,
            learning_rate=self.learning_rate,
            max_leaf_nodes=self.leaves,
            min_samples_leaf=self.least_segments,
            max_features=self.feature_share,
            l2_regularization=self.l2,
            early_stopping=False,
            random_state=self.seed,
        ).fit(problem.features, problem.target)

    def _estimate(self, task: Task, features: NDArray[np.float64]) -> NDArray[np.float64]:
        learned = self.learned[task]
        # Scikit-learn begins and ends a parallel region for each tree: on a busy machine its threads wait for each
        # other most of the time (measured: 20 to 50 times the CPU time for 1000 to 6000 segments).
        with threadpool_limits(1):
            estimate: NDArray[np.float64] = (
                learned.predict_proba(features)[:, 1] if task == "positive" else learned.predict(features)
            )
        return estimate
