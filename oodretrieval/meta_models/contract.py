"""What every meta model does: learn the IoU of segments from their metrics, and predict it.

::

    model = LinearMetaModel().fit(training_rows(table))
    model.predict(other_table)            # (n,) predicted IoU in [0, 1]
    model.predict_positive(other_table)   # (n,) probability of IoU > 0, by a classifier of its own
    save_meta_model(model, path)          # loading runs no code
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.errors import TableError
from oodretrieval.meta_models.features import (
    FeatureStandardisation,
    feature_matrix,
    num_classes_of,
    require_chosen,
    select_features,
)
from oodretrieval.meta_models.sampling import sample_of_images

logger = logging.getLogger(__name__)
Arrays = dict[str, NDArray[Any]]
Task = Literal["iou", "positive"]
TASKS: tuple[Task, ...] = ("positive", "iou")
"""Classification of IoU > 0, and regression of the IoU, in the order in which they are learned."""

MAX_SEGMENTS = 1_000_000
"""A model learns from at most this number of segments; of more, from those of a seeded sample of images."""

ROWS_AT_ONCE = 65_536
"""Segments predicted at a time."""

ROWS_TOGETHER = 1024
"""Segments that one product of matrices is of; see
:func:`~oodretrieval.equal_blocks.in_equal_blocks`."""


@dataclass(frozen=True, eq=False)
class Problem:
    """What one learner of a meta model learns from.

    Attributes:
        task: What the target is.
        features: Standardised, ``(n, F)``.
        target: ``(n,)``: the IoU, or 1 where it is above 0 and else 0.
        table: The same rows of the segment table.
        validation: Features ``(m, F)`` and target ``(m,)`` of other images, or None.
    """

    task: Task
    features: NDArray[np.float64]
    target: NDArray[np.float64]
    table: pd.DataFrame
    validation: tuple[NDArray[np.float64], NDArray[np.float64]] | None


class MetaModel(ABC):
    """Predicts the IoU of predicted segments, without truth, from their metrics; and whether it is above 0.

    Every family brings two learners, one for each of :data:`TASKS`; both see the same features.

    Args:
        features: What to learn from: columns of the segment table, derived features and names of groups (see
            :func:`~oodretrieval.meta_models.select_features`); None for all of the published network.
        seed: Of everything random; the same seed and table give the same model.

    Attributes:
        kind: Name of the family, under which its files are known.
        suffix: Of its files.
        feature_names: Features that it sees, in order; empty before it is fitted.
        num_classes: Number of classes of the segmentation network; 0 before it is fitted.
        class_names: Names of these classes, where known.
        quality: What was measured about it, by name.
        learned: Task → what was learned for it; a float where the target never varied.
    """

    kind: ClassVar[str]
    suffix: ClassVar[str] = ".safetensors"

    def __init__(self, features: Sequence[str] | None = None, seed: int = 0) -> None:
        if features is not None:
            require_chosen(features)
        self._chosen = ("published",) if features is None else tuple(features)
        self.seed = seed
        self.feature_names: tuple[str, ...] = ()
        self.num_classes = 0
        self.class_names: tuple[str, ...] | None = None
        self.quality: dict[str, Any] = {}
        self.standardisation: FeatureStandardisation | None = None
        self.learned: dict[Task, Any] = {}

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """How it is trained: the keyword arguments of its class, all of them plain values."""

    @abstractmethod
    def arrays_of(self, task: Task) -> Arrays:
        """What was learned for a task.

        Args:
            task: Regression or classification.

        Returns:
            Name → array, for a file.
        """

    @abstractmethod
    def restore(self, task: Task, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take what :meth:`arrays_of` gave; ``feature_names`` and ``num_classes`` are set already.

        Args:
            task: Regression or classification.
            arrays: What :meth:`arrays_of` gave.

        Raises:
            KeyError: If an array is missing.
            ValueError: If an array has the wrong shape.
        """

    @abstractmethod
    def _learn(self, problem: Problem) -> Any:
        """Learn a target that varies; what is given back goes to ``learned``."""

    @abstractmethod
    def _estimate(self, task: Task, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """The target ``(n,)`` of standardised features ``(n >= 1, F)``, before clipping."""

    def fit(self, table: pd.DataFrame, validation: pd.DataFrame | None = None) -> Self:
        """Learn from every segment of a table that has truth.

        Which segments should teach is the caller's choice: ``training_rows(table)`` is the strict one. Of more
        than a million segments (:data:`MAX_SEGMENTS`) it learns from those of a seeded sample of images. Besides
        the table this needs at most ``40 F`` bytes a segment for ``F`` features: 3 GB for a million segments and
        75 features; the log says how much.

        Args:
            table: Segment table with ``iou``; rows with ``iou < 0`` (no truth) are left out.
            validation: Segment table to choose by, for models that choose an epoch or a penalty.

        Returns:
            The model itself.

        Raises:
            TableError: If there is nothing to learn from, or a column is missing.
        """
        table = sample_of_images(_with_truth(table, "training"), MAX_SEGMENTS, self.seed)
        self.num_classes = num_classes_of(table)
        self.feature_names = tuple(select_features(self._chosen, self.num_classes))
        self.quality, self.learned = {}, {}
        logger.info(
            "%s meta model learns from %d segments and %d features; needs at most %.0f MB",
            *(self.kind, len(table), len(self.feature_names)),
            40e-6 * len(table) * len(self.feature_names),
        )
        features = feature_matrix(table, self.feature_names)
        self.standardisation = FeatureStandardisation.of(features)
        features = self.standardisation(features)
        held_out = None if validation is None else _with_truth(validation, "validation")
        other = None
        if held_out is not None:
            other = self.standardisation(feature_matrix(held_out, self.feature_names, self.num_classes))
        for task in TASKS:
            target = _target(task, table)
            checked = None if other is None or held_out is None else (other, _target(task, held_out))
            constant = bool((target == target[0]).all())
            problem = Problem(task, features, target, table, checked)
            self.learned[task] = float(target[0]) if constant else self._learn(problem)
        return self

    def predict(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """Predict the IoU of every segment.

        Each segment is predicted by itself, 65,536 at a time: besides the table and the result this takes at most
        ``2 MB`` times the number of features, for a table of any length. One that does not fit in memory can be
        predicted part by part, with the same result to the last bit; or, of a neural one, to the 15th digit.

        Args:
            table: Segment table, ``n`` rows (0 is allowed); no truth is read.

        Returns:
            ``(n,)``, 0…1.

        Raises:
            TableError: If the model is not fitted, or the table is of another network or lacks columns.
        """
        return self._predict("iou", table)

    @property
    def classifies(self) -> bool:
        """Whether it has a classifier; the published checkpoint, and files made before there was one, have not."""
        return "positive" in self.learned

    def predict_positive(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """Probability that the IoU is above 0, by a classifier of the same family learned on that question.

        A model without one (see :attr:`classifies`) gives the predicted IoU, which ranks segments likewise but is
        no probability. Memory as for :meth:`predict`.

        Args:
            table: Segment table, ``n`` rows (0 is allowed); no truth is read.

        Returns:
            ``(n,)``, 0…1.

        Raises:
            TableError: As :meth:`predict` does.
        """
        return self._predict("positive" if self.classifies else "iou", table)

    def _predict(self, task: Task, table: pd.DataFrame) -> NDArray[np.float64]:
        if self.standardisation is None:
            raise self._unfitted()
        if len(table) > ROWS_AT_ONCE:
            needed = 32e-6 * ROWS_AT_ONCE * len(self.feature_names)
            logger.info("predicting %d segments; needs at most %.0f MB", len(table), needed)
        result = np.zeros(len(table))
        # a table without rows is checked as well
        for start in range(0, max(len(table), 1), ROWS_AT_ONCE):
            rows = slice(start, start + ROWS_AT_ONCE)
            features = feature_matrix(table.iloc[rows], self.feature_names, self.num_classes)
            if len(features):
                result[rows] = self.predict_features(features, task)
        return result

    def predict_features(self, features: NDArray[np.float64], task: Task = "iou") -> NDArray[np.float64]:
        """Predict from a matrix of features instead of a table, all at once.

        Args:
            features: ``(n >= 1, F)``, not standardised; columns as in ``feature_names``.
            task: ``"iou"``, or ``"positive"`` for the probability of IoU > 0.

        Returns:
            ``(n,)``, 0…1.

        Raises:
            TableError: If the model is not fitted.
        """
        if self.standardisation is None:
            raise self._unfitted()
        learned = self.learned[task]
        if isinstance(learned, float):
            return np.full(len(features), learned)
        estimate = self._estimate(task, self.standardisation(features))
        clipped: NDArray[np.float64] = np.clip(estimate, 0.0, 1.0)
        return clipped

    def _unfitted(self) -> TableError:
        return TableError(f"this {type(self).__name__} has not learned yet; call fit, or load a trained one")


def _target(task: Task, table: pd.DataFrame) -> NDArray[np.float64]:
    iou = table["iou"].to_numpy(np.float64)
    return iou if task == "iou" else (iou > 0).astype(np.float64)


def _with_truth(table: pd.DataFrame, purpose: str) -> pd.DataFrame:
    if "iou" not in table.columns:
        raise TableError(f"the {purpose} table lacks the column iou; make it again with compute_metrics")
    kept = table[table["iou"].to_numpy() >= 0]
    if kept.empty:
        raise TableError(
            f"none of the {len(table)} {purpose} segments has truth (iou >= 0); use a dataset with truth"
        )
    if kept["iou"].max() > 1:
        raise TableError(f"the {purpose} table has iou up to {kept['iou'].max()}, expected 0…1")
    return kept
