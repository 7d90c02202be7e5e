"""A meta model, the segments that it is evaluated on, and what is found out about it there."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.errors import TableError
from oodretrieval.evaluation.meta_analysis import CorrelationSums, kind_of_feature, permutation_importance
from oodretrieval.experiment.datasets import require_images
from oodretrieval.experiment.other_inference import warn_of_other_inference
from oodretrieval.experiment.run import Run
from oodretrieval.meta_models import (
    FeatureStandardisation,
    LassoPath,
    MetaModel,
    feature_matrix,
    logistic_path,
    training_rows,
)
from oodretrieval.stages.evaluate.evaluated import Evaluated
from oodretrieval.stages.evaluate.meta.settings import EvalMetaSettings
from oodretrieval.stages.evaluate.seen_images import seen_by
from oodretrieval.stages.fit.meta_evaluation import Estimate, evaluated_sets
from oodretrieval.stores import CurrentSegments, joined

logger = logging.getLogger(__name__)
LOSS, SPREAD, CORRELATION = "loss of R² without it", "deviation", "correlation with IoU"
IMPORTANCE_SEGMENTS = 5000
"""Segments on which metrics are shuffled, at most: the model predicts them hundreds of times."""
PATH_SEGMENTS = 50_000
"""Segments that the lasso path is of, at most."""
TRUTH = ("image_id", "iou", "void_fraction", "unknown_fraction")
KEPT = (*TRUTH, "segment_id", "S", "S_in", "E", "V")
"""Columns that stay of every segment, next to what is predicted."""
PREDICTED, POSITIVE = "predicted IoU", "probability of IoU > 0"
Losses = dict[str, tuple[float, float]]
"""Name → mean and deviation of the loss of R² without it."""


@dataclass(frozen=True, eq=False)
class Analysed:
    """A meta model and the segments that it is evaluated on.

    Attributes:
        settings: What is asked for.
        evaluated: The network on the dataset.
        models: Name → trained model: the one that is analysed first, then those that it is compared with.
        segments: Of the images that no model has learned from.
        table: Of each of them :data:`KEPT` and what every model predicted, see :func:`column_of`.
        known: Those rows with truth that are not mostly void or unknown.
        correlation: Of each feature of the model with the IoU of these, ``(F,)``.
        notes: On images that are left out.
    """

    settings: EvalMetaSettings
    evaluated: Evaluated
    models: Mapping[str, MetaModel]
    segments: CurrentSegments
    table: pd.DataFrame
    known: pd.DataFrame
    correlation: NDArray[np.float64]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: EvalMetaSettings, run: Run) -> "Analysed":
        """Open models and segments; the table is read block by block.

        Args:
            settings: What is asked for, a meta model named.
            run: Configuration and workspace.

        Returns:
            Both.

        Raises:
            StoreError: If a stage before has not run.
            WeightsError: If a meta model is not trained.
            TableError: If the dataset has no truth of classes, or a model was fitted on all of its images.
            UnknownNameError: If an image is not among those of the dataset.
        """
        evaluated = Evaluated.of(settings, run, "eval_meta", classes=True)
        work = evaluated.work
        require_images(work.dataset, settings.dataset, settings.images)
        names = dict.fromkeys([settings.meta_model_name, *settings.others])
        models = {name: run.trained.meta_model(name, settings.model_name) for name in names}
        model, segments = models[settings.meta_model_name], work.segments()
        warn_of_other_inference(
            work, settings.meta_model_name, model.quality.get("made_by", {}), segments.places
        )
        seen = seen_by(run, work, meta_models=list(models))
        segments = segments.only(set(seen.others(list(segments.places))))
        sums = CorrelationSums(len(model.feature_names))
        table = joined(_predicted(part, models, model, sums) for part in segments.tables())
        evaluated_sets(table)  # refuses segments without truth
        known = training_rows(table)
        if known.empty:
            raise TableError(
                f"all segments of {settings.dataset!r} are mostly void or unknown; evaluate on another dataset"
            )
        return cls(settings, evaluated, models, segments, table, known, sums.correlations(), seen.notes)

    @property
    def model(self) -> MetaModel:
        """The one that is analysed."""
        return self.models[self.settings.meta_model_name]

    @property
    def title(self) -> str:
        """Of every chart."""
        return f"{self.settings.meta_model_name} on {self.settings.dataset}"

    def predictions(self, rows: pd.DataFrame, what: str = PREDICTED) -> NDArray[np.float64]:
        """What the model predicted of rows of the table.

        Args:
            rows: ``n`` of them.
            what: :data:`PREDICTED`, or :data:`POSITIVE`.

        Returns:
            ``(n,)``, 0…1.
        """
        return np.asarray(rows[column_of(self.settings.meta_model_name, what)], np.float64)

    def estimates(self) -> dict[str, Estimate]:
        """What the model, and the others named with it, predict of all segments.

        Returns:
            Name → estimate.
        """
        return {
            name: Estimate(
                self.table[column_of(name, PREDICTED)].to_numpy(),
                self.table[column_of(name, POSITIVE)].to_numpy(),
                np.full(len(self.table), model.quality.get("threshold", 0.5)),
            )
            for name, model in self.models.items()
        }

    def lasso_path(self) -> LassoPath | None:
        """The lasso path of the model's features; None where all segments are of one kind.

        Returns:
            Weights over the penalty, on the segments of ``args.dataset_train``: :data:`PATH_SEGMENTS` at most, sampled
            by ``args.seed``.

        Raises:
            StoreError: If that dataset has no segment table.
        """
        settings, segments, rows = self.settings, self.segments, self.known
        length = len(self.table)
        if settings.dataset_train and settings.dataset_train != settings.dataset:
            whole = replace(settings.common, root="", limit=0)
            run = self.evaluated.run
            segments = run.stored(settings.model_name, settings.dataset_train, whole).segments()
            truth = joined(segments.tables(TRUTH))
            rows, length = training_rows(truth), len(truth)
        hit = (rows["iou"].to_numpy() > 0).astype(np.float64)
        if not 0 < hit.mean() < 1:
            logger.warning("no lasso path: all segments have IoU > 0, or none has")
            return None
        if len(rows) > PATH_SEGMENTS:
            logger.info("the lasso path is of %d of %d known segments, sampled", PATH_SEGMENTS, len(rows))
        rows = segments.rows(_sampled(rows, length, PATH_SEGMENTS, settings.seed))
        hit = (rows["iou"].to_numpy() > 0).astype(np.float64)
        features = feature_matrix(rows, self.model.feature_names)
        return logistic_path(FeatureStandardisation.of(features)(features), hit)

    def importance(self, path: LassoPath | None) -> tuple[pd.DataFrame, Losses]:
        """What each metric says of known segments, and the loss of R² without each kind of metric.

        The losses are measured on :data:`IMPORTANCE_SEGMENTS` of the segments, sampled by ``args.seed``, at most.

        Args:
            path: The lasso path, or None.

        Returns:
            One row a metric, the most important first; and kind of metric → loss.
        """
        model, settings = self.model, self.settings
        chosen = _sampled(self.known, len(self.table), IMPORTANCE_SEGMENTS, settings.seed)
        known = self.segments.rows(chosen)
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
                CORRELATION: self.correlation,
                LOSS: [losses[name][0] for name in names],
                SPREAD: [losses[name][1] for name in names],
            },
            index=pd.Index(names, name="metric"),
        )
        if path is not None:
            alive = path.weights != 0
            table["enters at λ"] = np.where(alive.any(axis=0), path.penalties[alive.argmax(axis=0)], np.nan)
        return table.sort_values(LOSS, ascending=False), kinds


def column_of(model: str, what: str) -> str:
    """The column of :attr:`Analysed.table` that holds what a model predicted.

    Args:
        model: Its name.
        what: :data:`PREDICTED`, or :data:`POSITIVE`.

    Returns:
        Its name.
    """
    return f"{what} by {model}"


def _predicted(
    table: pd.DataFrame, models: Mapping[str, MetaModel], analysed: MetaModel, sums: CorrelationSums
) -> pd.DataFrame:
    """What stays of some segments; the features of the known ones among them are added to the sums."""
    known = training_rows(table)
    features = feature_matrix(known, analysed.feature_names, analysed.num_classes)
    sums.add(features, known["iou"].to_numpy(np.float64))
    found = {}
    for name, model in models.items():
        found[column_of(name, PREDICTED)] = model.predict(table)
        found[column_of(name, POSITIVE)] = model.predict_positive(table)
    return table[[*KEPT]].assign(**found)


def _sampled(rows: pd.DataFrame, length: int, most: int, seed: int) -> NDArray[np.bool_]:
    """Some of the rows of a table of this length, ``(length,)``; all of ``rows`` where they are not too many."""
    chosen = np.zeros(length, np.bool_)
    some = rows.index if len(rows) <= most else rows.index.to_series().sample(most, random_state=seed)
    chosen[np.asarray(some)] = True
    return chosen
