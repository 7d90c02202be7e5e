"""Meta regression by gradient boosted trees, whose trees are kept as plain arrays."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingRegressor

from oodretrieval.meta_models.contract import Arrays, MetaModel

_FIELDS = {
    "feature": ("feature_idx", np.int64),
    "threshold": ("num_threshold", np.float64),
    "left": ("left", np.int64),
    "right": ("right", np.int64),
    "value": ("value", np.float64),
    "leaf": ("is_leaf", np.bool_),
}


class BoostedMetaModel(MetaModel):
    """Scikit-learn's histogram gradient boosting, clipped to 0…1.

    After training only the nodes of the trees are kept, as arrays: a file of them can be read without running
    code and without scikit-learn, and gives the same predictions to the last bit.

    Args:
        features: Columns to learn from; None for all of the published network.
        trees: Number of trees, >= 1.
        learning_rate: Share of each tree that is added, > 0.
        leaves: Largest number of leaves of a tree, >= 2.
        l2: Penalty on the leaf values, >= 0.
        seed: Seed of the subsample that the bins are chosen from.

    Source:
        Ke et al., LightGBM, NeurIPS 2017.
    """

    kind: ClassVar[str] = "boosting"

    def __init__(
        self,
        features: Sequence[str] | None = None,
        trees: int = 200,
        learning_rate: float = 0.05,
        leaves: int = 31,
        l2: float = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__(features)
        if trees < 1 or not learning_rate > 0 or leaves < 2 or l2 < 0:
            raise ValueError(
                "expected trees >= 1, learning_rate > 0, leaves >= 2, l2 >= 0, "
                f"got {trees}, {learning_rate}, {leaves}, {l2}"
            )
        self.trees, self.learning_rate, self.leaves, self.l2, self.seed = (
            trees,
            learning_rate,
            leaves,
            l2,
            seed,
        )
        self._nodes: Arrays = {}

    @property
    def settings(self) -> dict[str, Any]:
        """How it is trained."""
        names = ("trees", "learning_rate", "leaves", "l2", "seed")
        return {name: getattr(self, name) for name in names}

    def arrays(self) -> Arrays:
        """The nodes of all trees, one after the other; ``first`` says where each tree begins."""
        return dict(self._nodes)

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take what :meth:`arrays` gave."""
        nodes = {name: arrays[name] for name in (*_FIELDS, "first", "baseline")}
        count, inner = len(nodes["value"]), ~nodes["leaf"].astype(bool)
        for name in _FIELDS:
            if nodes[name].shape != (count,):
                raise ValueError(f"{name} is {nodes[name].shape}, expected ({count},) as value is")
        ids = np.arange(count)
        for name in ("left", "right"):
            children = nodes[name][inner]
            if not ((children > ids[inner]) & (children < count)).all():
                raise ValueError(f"{name} leads out of the trees")
        if not ((nodes["feature"] >= 0) & (nodes["feature"] < len(self.feature_names))).all():
            raise ValueError(f"the trees ask for more than the {len(self.feature_names)} features")
        if not ((nodes["first"] >= 0) & (nodes["first"] < count)).all() or nodes["baseline"].shape != (1,):
            raise ValueError("first or baseline does not fit the trees")
        self._nodes = nodes

    def _learn(
        self,
        features: NDArray[np.float64],
        iou: NDArray[np.float64],
        table: pd.DataFrame,
        validation: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
    ) -> None:
        # early stopping would hold out segments, not images
        model = HistGradientBoostingRegressor(
            max_iter=self.trees,
            learning_rate=self.learning_rate,
            max_leaf_nodes=self.leaves,
            l2_regularization=self.l2,
            early_stopping=False,
            random_state=self.seed,
        ).fit(features, iou)
        self._nodes = _nodes_of(model)

    def _estimate(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        return evaluate_trees(self._nodes, features)


def _nodes_of(model: Any) -> Arrays:
    """The nodes of a fitted scikit-learn model, with children counted over all trees."""
    trees = [predictor.nodes for (predictor,) in model._predictors]
    sizes = np.array([len(tree) for tree in trees])
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    nodes: Arrays = {
        name: np.concatenate([tree[field] for tree in trees]).astype(kind)
        for name, (field, kind) in _FIELDS.items()
    }
    offset = np.where(nodes["leaf"], 0, np.repeat(first, sizes))
    nodes["left"], nodes["right"] = nodes["left"] + offset, nodes["right"] + offset
    nodes["threshold"] = np.where(nodes["leaf"], 0.0, nodes["threshold"])
    return {
        **nodes,
        "first": first,
        "baseline": np.asarray(model._baseline_prediction, np.float64).reshape(1),
    }


def evaluate_trees(nodes: Mapping[str, NDArray[Any]], features: NDArray[np.float64]) -> NDArray[np.float64]:
    """Send every row down every tree and add up the leaves.

    Args:
        nodes: As :meth:`BoostedMetaModel.arrays` gives them.
        features: ``(n, F)``, finite.

    Returns:
        ``(n,)``.
    """
    total = np.full(len(features), nodes["baseline"][0])
    leaf, feature, threshold = nodes["leaf"], nodes["feature"], nodes["threshold"]
    for root in nodes["first"]:
        at = np.full(len(features), root)
        walking = np.flatnonzero(~leaf[at])
        while walking.size:
            node = at[walking]
            goes_left = features[walking, feature[node]] <= threshold[node]
            at[walking] = np.where(goes_left, nodes["left"][node], nodes["right"][node])
            walking = walking[~leaf[at[walking]]]
        total += nodes["value"][at]
    return total
