"""A meta model, the segments that it is evaluated on, and what is found out about it there."""

import logging
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from oodretrieval.errors import TableError
from oodretrieval.evaluation.meta_analysis import correlations, kind_of_feature, permutation_importance
from oodretrieval.experiment.datasets import require_images
from oodretrieval.experiment.run import Run
from oodretrieval.meta_models import (
    LassoPath,
    MetaModel,
    Standardisation,
    feature_matrix,
    logistic_path,
    training_rows,
)
from oodretrieval.stages.evaluate.evaluated import Evaluated
from oodretrieval.stages.evaluate.meta.settings import EvalMetaSettings
from oodretrieval.stages.evaluate.seen_images import seen_by
from oodretrieval.stages.fit.meta_evaluation import Estimate, evaluated_sets

logger = logging.getLogger(__name__)
LOSS, SPREAD, CORRELATION = "loss of R² without it", "deviation", "correlation with IoU"
IMPORTANCE_SEGMENTS = 5000
"""Segments on which metrics are shuffled, at most: the model predicts them hundreds of times."""
Losses = dict[str, tuple[float, float]]
"""Name → mean and deviation of the loss of R² without it."""


@dataclass(frozen=True, eq=False)
class Analysed:
    """A meta model and the segments that it is evaluated on.

    Attributes:
        settings: What is asked for.
        evaluated: The network on the dataset.
        model: The trained model.
        table: All segments of the images that no model has learned from.
        known: Segments with truth that are not mostly void or unknown.
        notes: On images that are left out.
    """

    settings: EvalMetaSettings
    evaluated: Evaluated
    model: MetaModel
    table: pd.DataFrame
    known: pd.DataFrame
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: EvalMetaSettings, run: Run) -> "Analysed":
        """Open model and segments.

        Args:
            settings: What is asked for, a meta model named.
            run: Configuration and workspace.

        Returns:
            Both.

        Raises:
            StoreError: If a stage before has not run.
            WeightsError: If the meta model is not trained.
            TableError: If the dataset has no truth of classes, or a model was fitted on all of its images.
            UnknownNameError: If an image is not among those of the dataset.
        """
        evaluated = Evaluated.of(settings, run, classes=True)
        work = evaluated.work
        require_images(work.dataset, settings.dataset, settings.images)
        model = run.trained.meta_model(settings.meta_model_name, settings.model_name)
        table = work.table()
        work.warn_of_other_inference(
            settings.meta_model_name, model.quality.get("made_by", {}), table["image_id"].unique()
        )
        seen = seen_by(run, work, meta_models=[settings.meta_model_name, *settings.others])
        table = seen.rows_of_others(table).reset_index(drop=True)
        evaluated_sets(table)  # refuses segments without truth
        known = training_rows(table)
        if known.empty:
            raise TableError(
                f"all segments of {settings.dataset!r} are mostly void or unknown; evaluate on another dataset"
            )
        return cls(settings, evaluated, model, table, known, seen.notes)

    @property
    def title(self) -> str:
        """Of every chart."""
        return f"{self.settings.meta_model_name} on {self.settings.dataset}"

    def estimates(self) -> dict[str, Estimate]:
        """What the model, and the others named with it, predict of all segments.

        Returns:
            Name → estimate.

        Raises:
            WeightsError: If one of the others is not trained.
        """
        settings, table = self.settings, self.table
        models = {settings.meta_model_name: self.model}
        for name in settings.others:
            models[name] = self.evaluated.run.trained.meta_model(name, settings.model_name)
        return {
            name: Estimate(
                m.predict(table),
                m.predict_positive(table),
                np.full(len(table), m.quality.get("threshold", 0.5)),
            )
            for name, m in models.items()
        }

    def lasso_path(self) -> LassoPath | None:
        """The lasso path of the model's features; None where all segments are of one kind.

        Returns:
            Weights over the penalty, on the segments of ``args.dataset_train``.

        Raises:
            StoreError: If that dataset has no segment table.
        """
        settings, rows = self.settings, self.known
        if settings.dataset_train and settings.dataset_train != settings.dataset:
            whole = replace(settings.common, root="", limit=0)
            run = self.evaluated.run
            rows = training_rows(run.stored(settings.model_name, settings.dataset_train, whole).table())
        hit = (rows["iou"].to_numpy() > 0).astype(np.float64)
        if not 0 < hit.mean() < 1:
            logger.warning("no lasso path: all segments have IoU > 0, or none has")
            return None
        features = feature_matrix(rows, self.model.feature_names)
        return logistic_path(Standardisation.of(features)(features), hit)

    def importance(self, path: LassoPath | None) -> tuple[pd.DataFrame, Losses]:
        """What each metric says of known segments, and the loss of R² without each kind of metric.

        The losses are measured on :data:`IMPORTANCE_SEGMENTS` of the segments, sampled by ``args.seed``, at most.

        Args:
            path: The lasso path, or None.

        Returns:
            One row a metric, the most important first; and kind of metric → loss.
        """
        model, known, settings = self.model, self.known, self.settings
        if len(known) > IMPORTANCE_SEGMENTS:
            known = known.sample(IMPORTANCE_SEGMENTS, random_state=settings.seed).sort_index()
        names, iou = list(model.feature_names), known["iou"].to_numpy()
        features = feature_matrix(known, names, model.num_classes)
        members: dict[str, list[int]] = {}
        for place, name in enumerate(names):
            members.setdefault(kind_of_feature(name), []).append(place)
        options = {"repeats": settings.permutations, "seed": settings.seed}
        kinds = permutation_importance(model.predict_features, features, iou, members, **options)
        single = {name: [place] for place, name in enumerate(names)}
        losses = permutation_importance(model.predict_features, features, iou, single, **options)
        table = pd.DataFrame(
            {
                CORRELATION: correlations(
                    feature_matrix(self.known, names, model.num_classes), self.known["iou"].to_numpy()
                ),
                LOSS: [losses[name][0] for name in names],
                SPREAD: [losses[name][1] for name in names],
            },
            index=pd.Index(names, name="metric"),
        )
        if path is not None:
            alive = path.weights != 0
            table["enters at λ"] = np.where(alive.any(axis=0), path.penalties[alive.argmax(axis=0)], np.nan)
        return table.sort_values(LOSS, ascending=False), kinds
