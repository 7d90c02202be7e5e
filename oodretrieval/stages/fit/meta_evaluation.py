"""Judging meta models on segments that they have not seen, beside their baselines, with intervals."""

from collections.abc import Mapping, Sequence
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
from oodretrieval.results.tables import interval_words
from oodretrieval.stages.fit.meta_recipe import Recipe

FIGURES = {
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
        threshold: Probability from which a segment is told to have IoU > 0, ``(n,)``, chosen on training segments.
    """

    iou: NDArray[np.float64]
    positive: NDArray[np.float64]
    threshold: NDArray[np.float64]

    @classmethod
    def of(cls, model: MetaModel, train: pd.DataFrame, judged: pd.DataFrame) -> "Estimate":
        """Of a model trained on ``train``, for the segments of ``judged``."""
        threshold = accuracy_threshold(train["iou"].to_numpy() > 0, model.predict_positive(train))
        return cls(model.predict(judged), model.predict_positive(judged), np.full(len(judged), threshold))

    @classmethod
    def mean(cls, train: pd.DataFrame, count: int) -> "Estimate":
        """The mean of the training segments for every one of ``count``."""
        iou = train["iou"].to_numpy()
        share = float((iou > 0).mean())
        return cls(np.full(count, iou.mean()), np.full(count, share), np.full(count, 0.5))

    def take(self, rows: NDArray[np.bool_]) -> "Estimate":
        """For some of the segments."""
        return Estimate(self.iou[rows], self.positive[rows], self.threshold[rows])


def positive_threshold(model: MetaModel, train: pd.DataFrame) -> float:
    """Probability of IoU > 0 from which a segment is best told to have it, judged on training segments."""
    return accuracy_threshold(train["iou"].to_numpy() > 0, model.predict_positive(train))


def estimates(
    recipe: Recipe, model: MetaModel, train: pd.DataFrame, judged: pd.DataFrame, strict: bool
) -> Estimates:
    """The model, its other variant (not strict, or strict), and its baselines, for the segments of ``judged``.

    The baselines are the same family on the entropy columns only and on the size columns only, and the mean.

    Args:
        recipe: How the others are built.
        model: Trained on those of ``train`` that ``strict`` leaves.
        train: All segments that may be learned from.
        judged: Segments to judge.
        strict: Whether the model left out what is mostly void or unknown.

    Returns:
        Name → estimate.
    """
    rows, other = training_rows(train, strict), training_rows(train, not strict)
    found = {ALL_FEATURES: Estimate.of(model, rows, judged)}
    variant = model if other.index.equals(rows.index) else recipe.build().fit(other)
    found[NOT_STRICT if strict else STRICT] = Estimate.of(variant, other, judged)
    for name, group in BASELINES.items():
        found[name] = Estimate.of(recipe.build([group]).fit(rows), rows, judged)
    return {**found, MEAN: Estimate.mean(rows, len(judged))}


def cross_validated(
    recipe: Recipe, table: pd.DataFrame, fold: NDArray[np.intp], folds: int, strict: bool
) -> Estimates:
    """:func:`estimates` of every segment by models that have not seen its fold.

    Args:
        recipe: How models are built.
        table: Segments to learn from and to judge.
        fold: The fold of every segment, of whole images or clips; see
            :func:`~oodretrieval.meta_models.folds_of`.
        folds: How often models are trained, each time without one fold.
        strict: As for :func:`estimates`.

    Returns:
        Name → estimate of all rows of the table.
    """
    places, parts = [], []
    for number in range(folds):
        rest, judged = table[fold != number], table[fold == number]
        model = recipe.build().fit(training_rows(rest, strict))
        parts.append(estimates(recipe, model, rest, judged, strict))
        places.append(np.flatnonzero(fold == number))
    order = np.argsort(np.concatenate(places))
    return {name: _joined([part[name] for part in parts], order) for name in parts[0]}


def _joined(parts: Sequence[Estimate], order: NDArray[np.intp]) -> Estimate:
    columns = (np.concatenate([getattr(p, key) for p in parts]) for key in ("iou", "positive", "threshold"))
    return Estimate(*(column[order] for column in columns))


def judged_sets(table: pd.DataFrame) -> dict[str, NDArray[np.bool_]]:
    """Sets of segments that figures are told of: name → which rows.

    Known are those not mostly void or unknown; MetaSeg looks at those with an inside, ``S_in > 0``.

    Raises:
        TableError: If no segment has truth.
    """
    everything = table.index.isin(training_rows(table, strict=False).index)
    if not everything.any():
        raise TableError("no segment to judge on has truth; choose another args.dataset_val")
    known = table.index.isin(training_rows(table).index)
    inside = table["S_in"].to_numpy() > 0
    sets = {
        "known segments": known,
        "known segments with an inside": known & inside,
        "all segments": everything,
        "all segments with an inside": everything & inside,
    }
    return {name: rows for name, rows in sets.items() if rows.any()}


def judge(
    table: pd.DataFrame, found: Mapping[str, Estimate], resampling: Resampling, against: str = ""
) -> dict[str, dict[str, Any]]:
    """Figures of every estimate on every set of segments, with intervals.

    Args:
        table: The segments, with truth; the index has no repetitions.
        found: Name → estimate of all rows.
        resampling: How images are drawn anew for intervals.
        against: Name to tell the gain of R² over; empty for none.

    Returns:
        Set → name → figures (``segments``, ``r2``, …) and ``intervals``: figure → two ends. With ``against`` also
        ``r2_gain``, whose interval is of the difference within the same draws.
    """
    figures: dict[str, dict[str, Any]] = {}
    for what, rows in judged_sets(table).items():
        part = {name: estimate.take(rows) for name, estimate in found.items()}
        iou = table["iou"].to_numpy()[rows]
        drawn = draws_of(table[rows], part, resampling)
        values: dict[str, dict[str, Any]] = {
            name: asdict(meta_measures(iou, e.iou, score=e.positive, threshold=e.threshold))
            for name, e in part.items()
        }
        for name in part if against else ():
            values[name]["r2_gain"] = values[name]["r2"] - values[against]["r2"]
            drawn[name]["r2_gain"] = drawn[name]["r2"] - drawn[against]["r2"]
        figures[what] = {
            name: {
                **values[name],
                "resamples_left_out": int(np.isnan(drawn[name]["auroc"]).sum()),
                "intervals": {
                    key: list(interval(v, value=values[name][key])) for key, v in drawn[name].items()
                },
            }
            for name in part
        }
    return figures


def draws_of(
    table: pd.DataFrame, found: Mapping[str, Estimate], resampling: Resampling
) -> dict[str, dict[str, NDArray[np.float64]]]:
    """Name → figure → its values, ``(repetitions,)``; the same draws for all, so differences can be taken."""
    frames, names = pd.factorize(table["image_id"])
    weights = block_weights(len(names), block=resampling.block, repetitions=resampling.repetitions)
    iou = table["iou"].to_numpy()
    return {
        name: resampled_measures(weights, frames, iou, e.iou, e.positive, e.positive >= e.threshold)
        for name, e in found.items()
    }


def as_tables(figures: Mapping[str, Mapping[str, Any]]) -> dict[str, pd.DataFrame]:
    """What :func:`judge` gave as tables for people, one for each set of segments."""
    tables = {}
    for what, rows in figures.items():
        cells = {name: _cells(values) for name, values in rows.items()}
        table = pd.DataFrame.from_dict(cells, orient="index")
        table.index.name = "meta model"
        tables[what] = table
    return tables


def _cells(values: Mapping[str, Any]) -> dict[str, Any]:
    cells: dict[str, Any] = {"segments": values["segments"]}
    for title, key in FIGURES.items():
        if key in values:
            cells |= {title: values[key], f"{title} 95 %": interval_words(values["intervals"][key])}
    return cells
