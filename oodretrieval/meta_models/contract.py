"""What every meta model does: learn the IoU of segments from their metrics, and predict it.

::

    model = LinearMetaModel().fit(training_rows(table))
    model.predict(other_table)            # (n,) in [0, 1]
    save_meta_model(model, path)          # numbers and text only; loading runs no code
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.errors import TableError
from oodretrieval.meta_models.features import (
    Standardisation,
    feature_matrix,
    feature_names,
    num_classes_of,
)

Arrays = dict[str, NDArray[Any]]


class MetaModel(ABC):
    """Predicts the IoU of predicted segments, without truth, from their metrics.

    Args:
        features: Columns to learn from; None for all of the published network. Baselines hand in fewer
            (see :func:`~oodretrieval.meta_models.features.baseline_names`).

    Attributes:
        kind: Name of the family, under which its files are known.
        feature_names: Columns that it sees, in order; empty before it is fitted, unless chosen.
        num_classes: Number of classes of the segmentation network; 0 before it is fitted.
        class_names: Names of these classes, where known.
        quality: What was measured about it, by name.
    """

    kind: ClassVar[str]

    def __init__(self, features: Sequence[str] | None = None) -> None:
        if features is not None and not features:
            raise ValueError("features must name at least one column, or be None for the published ones")
        self._chosen = None if features is None else tuple(features)
        self.feature_names: tuple[str, ...] = self._chosen or ()
        self.num_classes = 0
        self.class_names: tuple[str, ...] | None = None
        self.quality: dict[str, Any] = {}
        self.standardisation: Standardisation | None = None

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """How it is trained: the keyword arguments of its class, all of them plain values."""

    @abstractmethod
    def arrays(self) -> Arrays:
        """What was learned, apart from the standardisation, as named arrays."""

    @abstractmethod
    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take what :meth:`arrays` gave; ``feature_names`` and ``num_classes`` are set already.

        Raises:
            KeyError: If an array is missing.
            ValueError: If an array has the wrong shape.
        """

    @abstractmethod
    def _learn(
        self,
        features: NDArray[np.float64],
        iou: NDArray[np.float64],
        table: pd.DataFrame,
        validation: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
    ) -> None:
        """Learn from standardised ``(n, F)`` and truth ``(n,)``; ``table`` holds the same rows."""

    @abstractmethod
    def _estimate(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Predicted IoU ``(n,)`` of standardised features ``(n >= 1, F)``, before clipping."""

    def fit(self, table: pd.DataFrame, validation: pd.DataFrame | None = None) -> Self:
        """Learn from every segment of a table that has truth.

        Which segments should teach is the caller's choice: ``training_rows(table)`` is the strict one.

        Args:
            table: Segment table with ``iou``; rows with ``iou < 0`` (no truth) are left out.
            validation: Segment table to choose the best epoch by, for models that have epochs.

        Returns:
            The model itself.

        Raises:
            TableError: If there is nothing to learn from, or a column is missing.
        """
        table = _with_truth(table, "training")
        self.num_classes = num_classes_of(table)
        self.feature_names = self._chosen or tuple(feature_names(self.num_classes))
        features = feature_matrix(table, self.feature_names)
        self.standardisation = Standardisation.of(features)
        held_out = None
        if validation is not None:
            validation = _with_truth(validation, "validation")
            held_out = (
                self.standardisation(feature_matrix(validation, self.feature_names, self.num_classes)),
                validation["iou"].to_numpy(np.float64),
            )
        self._learn(self.standardisation(features), table["iou"].to_numpy(np.float64), table, held_out)
        return self

    def predict(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """Predict the IoU of every segment.

        Args:
            table: Segment table, ``n`` rows (0 is allowed); no truth is looked at.

        Returns:
            ``(n,)``, 0…1.

        Raises:
            TableError: If the model is not fitted, or the table is of another network or lacks columns.
        """
        if self.standardisation is None:
            raise TableError(
                f"this {type(self).__name__} has not learned yet; call fit, or load a trained one"
            )
        features = feature_matrix(table, self.feature_names, self.num_classes)
        if not len(features):
            return np.zeros(0)
        estimate: NDArray[np.float64] = np.clip(self._estimate(self.standardisation(features)), 0.0, 1.0)
        return estimate


def _with_truth(table: pd.DataFrame, purpose: str) -> pd.DataFrame:
    if "iou" not in table.columns:
        raise TableError(f"the {purpose} table lacks the column iou; make it anew with compute_metrics")
    kept = table[table["iou"].to_numpy() >= 0]
    if kept.empty:
        raise TableError(
            f"none of the {len(table)} {purpose} segments has truth (iou >= 0); use a dataset with truth"
        )
    if kept["iou"].max() > 1:
        raise TableError(f"the {purpose} table has iou up to {kept['iou'].max()}, expected 0…1")
    return kept
