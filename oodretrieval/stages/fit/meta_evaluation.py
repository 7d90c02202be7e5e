"""Evaluation of meta models on segments that they have not seen, with their baselines and intervals."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.errors import TableError
from oodretrieval.evaluation import (
    accuracy_threshold,
    block_weights,
    interval,
    meta_measures,
    resampled_measures,
)
from oodretrieval.meta_models import MetaModel, training_rows
from oodretrieval.results.rules import Resampling
from oodretrieval.results.tables import interval_columns
from oodretrieval.stages.fit.chosen_segments import ChosenSegments
from oodretrieval.stages.fit.meta_recipe import Recipe

MEASURES = {
    "R²": "r2",
    "gain of R²": "r2_gain",
    "RMSE": "rmse",
    "AUROC": "auroc",
    "AUPRC": "auprc",
    "accuracy": "accuracy",
}
ALL_FEATURES, STRICT, NOT_STRICT, MEAN = "all features", "strict", "not strict", "mean"
BASELINES = {"entropy only": "entropy", "size only": "size"}
Estimates = dict[str, "Estimate"]


@dataclass(frozen=True, eq=False)
class Estimate:
    """What a model says of segments.

    Attributes:
        iou: Predicted IoU, ``(n,)``, 0…1.
        positive: Probability of IoU > 0, ``(n,)``.
        threshold: Probability from which a segment is predicted to have IoU > 0, ``(n,)``, chosen on training segments.
    """

    iou: NDArray[np.float64]
    positive: NDArray[np.float64]
    threshold: NDArray[np.float64]

    @classmethod
    def of(cls, model: MetaModel, threshold: float, evaluated: pd.DataFrame) -> "Estimate":
        """Estimate with a trained model.

        Args:
            model: The model.
            threshold: See :func:`positive_threshold`.
            evaluated: Segments to estimate, ``n`` rows.

        Returns:
            Of the ``n`` segments.
        """
        return cls(
            model.predict(evaluated), model.predict_positive(evaluated), np.full(len(evaluated), threshold)
        )

    @classmethod
    def mean(cls, train: pd.DataFrame, count: int) -> "Estimate":
        """Take the mean of the training segments for every segment.

        Args:
            train: Training segments.
            count: Number of segments to estimate.

        Returns:
            Of ``count`` segments, all equal.
        """
        iou = train["iou"].to_numpy()
        share = float((iou > 0).mean())
        return cls(np.full(count, iou.mean()), np.full(count, share), np.full(count, 0.5))

    @classmethod
    def joined(cls, parts: Sequence["Estimate"]) -> "Estimate":
        """Estimates one below the other.

        Args:
            parts: One at least.

        Returns:
            Of all their segments.
        """
        keys = ("iou", "positive", "threshold")
        return cls(*(np.concatenate([getattr(part, key) for part in parts]) for key in keys))

    def take(self, rows: NDArray[np.bool_] | NDArray[np.intp]) -> "Estimate":
        """The estimates of those of the segments that ``rows`` chooses, ``(n,)`` bool, or whose places they are."""
        return Estimate(self.iou[rows], self.positive[rows], self.threshold[rows])


def positive_threshold(model: MetaModel, train: pd.DataFrame) -> float:
    """Probability of IoU > 0 from which a segment is best predicted to have it, chosen on training segments.

    Args:
        model: Trained.
        train: Its training segments.

    Returns:
        0…1.
    """
    return accuracy_threshold(train["iou"].to_numpy() > 0, model.predict_positive(train))


def estimates(
    recipe: Recipe, model: MetaModel, train: pd.DataFrame, evaluated: Iterable[pd.DataFrame], strict: bool
) -> Estimates:
    """The model, its other variant (not strict, or strict), and its baselines, for segments to evaluate.

    The baselines are the same family on the entropy columns only and on the size columns only, and the mean.

    Args:
        recipe: How the others are built.
        model: Trained on those of ``train`` that ``strict`` leaves.
        train: All segments that may be learned from.
        evaluated: Segments to evaluate, part by part, one part at least.
        strict: Whether the model left out what is mostly void or unknown.

    Returns:
        Name → estimate, in the order of the parts.
    """
    rows, other = training_rows(train, strict), training_rows(train, not strict)
    variant = model if other.index.equals(rows.index) else recipe.build().fit(other)
    models = {ALL_FEATURES: model, NOT_STRICT if strict else STRICT: variant}
    for name, group in BASELINES.items():
        models[name] = recipe.build([group]).fit(rows)
    learned = [rows, other, *[rows] * len(BASELINES)]
    thresholds = [positive_threshold(m, t) for m, t in zip(models.values(), learned, strict=True)]
    found: dict[str, list[Estimate]] = {name: [] for name in models}
    for part in evaluated:
        for (name, each), threshold in zip(models.items(), thresholds, strict=True):
            found[name].append(Estimate.of(each, threshold, part))
    whole = {name: Estimate.joined(parts) for name, parts in found.items()}
    return {**whole, MEAN: Estimate.mean(rows, len(whole[ALL_FEATURES].iou))}


def cross_validated(
    recipe: Recipe, chosen: ChosenSegments, fold: NDArray[np.intp], strict: bool
) -> Estimates:
    """:func:`estimates` of every segment by models that have not seen its fold.

    Args:
        recipe: How models are built.
        chosen: Segments to learn from and to evaluate, ``n``.
        fold: The fold of every segment, ``(n,)``, of whole images or clips; see
            :func:`~oodretrieval.meta_models.folds_of`.
        strict: As for :func:`estimates`.

    Returns:
        Name → estimate of all segments.
    """
    places, parts = [], []
    for number in range(int(fold.max()) + 1):
        rest = chosen.where(fold != number).teaching(recipe.settings.seed)
        model = recipe.build().fit(training_rows(rest, strict))
        parts.append(estimates(recipe, model, rest, chosen.where(fold == number).parts(), strict))
        places.append(np.flatnonzero(fold == number))
    order = np.argsort(np.concatenate(places))
    joined = {name: Estimate.joined([part[name] for part in parts]) for name in parts[0]}
    return {name: estimate.take(order) for name, estimate in joined.items()}


def evaluated_sets(table: pd.DataFrame) -> dict[str, NDArray[np.bool_]]:
    """Sets of segments that are measured.

    Known are those not mostly void or unknown; MetaSeg measures those with an inside, ``S_in > 0``.

    Args:
        table: Segment table, ``n`` rows.

    Returns:
        Name of the set → whether each row is in it, ``(n,)``.

    Raises:
        TableError: If no segment has truth.
    """
    everything = table.index.isin(training_rows(table, strict=False).index)
    if not everything.any():
        raise TableError("no segment to evaluate on has truth; choose another args.dataset_val")
    known = table.index.isin(training_rows(table).index)
    inside = table["S_in"].to_numpy() > 0
    sets = {
        "known segments": known,
        "known segments with an inside": known & inside,
        "all segments": everything,
        "all segments with an inside": everything & inside,
    }
    return {name: rows for name, rows in sets.items() if rows.any()}


def evaluate_estimates(
    table: pd.DataFrame, found: Mapping[str, Estimate], resampling: Resampling, against: str = ""
) -> dict[str, dict[str, Any]]:
    """Measures of every estimate on every set of segments, with intervals.

    Args:
        table: The segments, with truth; the index has no repetitions.
        found: Name → estimate of all rows.
        resampling: How images are resampled for intervals.
        against: Name of what the gain of R² is compared with; empty for none.

    Returns:
        Set → name → measures (``segments``, ``r2``, …) and ``intervals``: measure → two ends. With ``against`` also
        ``r2_gain``, whose interval is of the difference within the same resamples.
    """
    measures: dict[str, dict[str, Any]] = {}
    for what, rows in evaluated_sets(table).items():
        part = {name: estimate.take(rows) for name, estimate in found.items()}
        iou = table["iou"].to_numpy()[rows]
        resampled = resamples_of(table[rows], part, resampling)
        values: dict[str, dict[str, Any]] = {
            name: asdict(meta_measures(iou, e.iou, score=e.positive, threshold=e.threshold))
            for name, e in part.items()
        }
        for name in part if against else ():
            values[name]["r2_gain"] = values[name]["r2"] - values[against]["r2"]
            resampled[name]["r2_gain"] = resampled[name]["r2"] - resampled[against]["r2"]
        measures[what] = {
            name: {
                **values[name],
                "resamples_left_out": int(np.isnan(resampled[name]["auroc"]).sum()),
                "intervals": {
                    key: list(interval(v, value=values[name][key])) for key, v in resampled[name].items()
                },
            }
            for name in part
        }
    return measures


def resamples_of(
    table: pd.DataFrame, found: Mapping[str, Estimate], resampling: Resampling
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Measures of every resample; the same resamples for all estimates, so differences can be taken.

    Args:
        table: Segments with truth, with ``image_id``.
        found: Name → estimate of each row.
        resampling: How images are resampled.

    Returns:
        Name → measure → its values, ``(repetitions,)``.
    """
    frames, names = pd.factorize(table["image_id"])
    weights = block_weights(len(names), block=resampling.block, repetitions=resampling.repetitions)
    iou = table["iou"].to_numpy()
    return {
        name: resampled_measures(weights, frames, iou, e.iou, e.positive, e.positive >= e.threshold)
        for name, e in found.items()
    }


def as_tables(measures: Mapping[str, Mapping[str, Any]]) -> dict[str, pd.DataFrame]:
    """What :func:`evaluate_estimates` gave as tables for people.

    Args:
        measures: By set of segments and name.

    Returns:
        Set of segments → table, one row per name.
    """
    tables = {}
    for what, rows in measures.items():
        cells = {
            name: {"segments": values["segments"], **interval_columns(values, MEASURES, " 95 %")}
            for name, values in rows.items()
        }
        table = pd.DataFrame.from_dict(cells, orient="index").rename_axis("meta model")
        tables[what] = table
    return tables
