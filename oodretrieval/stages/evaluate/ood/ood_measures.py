"""What is measured of the scores of unknown things, with intervals, and the tables of it."""

from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.evaluation import (
    PIXEL_SCORES,
    ComponentScores,
    ScoreCounter,
    ScoreCounts,
    component_intervals,
    detection_measures,
    interval,
    pool_components,
)
from oodretrieval.results.rules import Resampling
from oodretrieval.results.tables import NO_VALUE, interval_columns, interval_words

Components = dict[str, list[ComponentScores]]
SINGLE_SCORES = tuple(name for name in PIXEL_SCORES if name != "smoothed_energy")
"""Scores of a pixel, or segment, alone; the best of them by AUPRC is what all are compared with."""


def ood_measures(
    counters: dict[str, ScoreCounter],
    counts: dict[str, ScoreCounts],
    thresholds: dict[str, dict[str, float]],
    components: dict[str, Components],
    resampling: Resampling,
) -> dict[str, Any]:
    """Everything measured of every score, as plain values.

    Args:
        counters: Score → its counter.
        counts: Score → what that counted.
        thresholds: Where they were chosen → score → threshold.
        components: Where → score → components of every image.
        resampling: How images are resampled for intervals.

    Returns:
        Score → ``pixels`` and ``components``.
    """
    pixels = _pixel_measures(counters, counts, resampling)
    how = asdict(resampling)
    return {
        name: {
            "pixels": pixels[name],
            "components": {
                where: {
                    "threshold": thresholds[where][name],
                    **_component_measures(found[name]),
                    "intervals": component_intervals(found[name], **how),
                }
                for where, found in components.items()
                if name in found
            },
        }
        for name in counts
    }


def _pixel_measures(
    counters: dict[str, ScoreCounter], counts: dict[str, ScoreCounts], resampling: Resampling
) -> dict[str, dict[str, Any]]:
    """Score → its measures over all pixels, with intervals, and their differences to the best single score."""
    resampled = {name: counter.resampled(**asdict(resampling)) for name, counter in counters.items()}
    found = {name: asdict(detection_measures(count)) for name, count in counts.items()}
    best = max(
        (name for name in counts if name in SINGLE_SCORES), key=lambda name: found[name]["auprc"], default=""
    )
    return {
        name: {
            **found[name],
            "exact": counts[name].exact,
            "intervals": {key: interval(sampled, value=found[name][key]) for key, sampled in values.items()},
            "resamples_left_out": int(np.isnan(values["auroc"]).sum()),
            "differences": {
                key: _difference(found[name][key] - found[best][key], sampled - resampled[best][key])
                for key, sampled in values.items()
                if best
            },
            "compared_with": best,
        }
        for name, values in resampled.items()
    }


def _difference(value: float, resampled: NDArray[np.float64]) -> tuple[float, float, float]:
    """Value, lower and upper end."""
    return value, *interval(resampled, value=value)


def _component_measures(images: list[ComponentScores]) -> dict[str, Any]:
    pooled = pool_components(images)
    return {
        "objects": len(pooled.siou),
        "predicted": len(pooled.ppv),
        "mean_siou": pooled.mean_siou if len(pooled.siou) else np.nan,
        "mean_ppv": pooled.mean_ppv if len(pooled.siou) else np.nan,
        "mean_f1": pooled.mean_f1 if len(pooled.siou) else np.nan,
        "f1": {f"{tau:.2f}": value for tau, value in pooled.f1.items()},
    }


def ood_tables(measures: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """Tables for people: pixels, differences to the best single score, components by each choice of thresholds.

    Args:
        measures: What :func:`ood_measures` gives.

    Returns:
        Name → table, one score a row.
    """
    columns = {"AUROC": "auroc", "AUPRC": "auprc", "FPR at 95 % TPR": "fpr95"}
    pixels = {name: score["pixels"] for name, score in measures.items()}
    tables = {"pixels": _table({name: interval_columns(values, columns) for name, values in pixels.items()})}
    best = next(iter(pixels.values()))["compared_with"]
    if best:
        rows = {name: _differences(values, columns) for name, values in pixels.items() if name != best}
        tables[f"pixels, difference to {best}"] = _table(rows)
    for where in dict.fromkeys(where for score in measures.values() for where in score["components"]):
        rows = {
            name: _component_row(score["components"][where])
            for name, score in measures.items()
            if where in score["components"]
        }
        tables[f"components, threshold from {where}"] = _table(rows)
    return tables


def _component_row(found: dict[str, Any]) -> dict[str, Any]:
    columns = {"mean sIoU": "mean_siou", "mean PPV": "mean_ppv", "mean F1": "mean_f1"}
    counts = {key: found[key] for key in ("threshold", "objects", "predicted")}
    return {**counts, **interval_columns(found, columns)}


def _differences(pixels: dict[str, Any], columns: dict[str, str]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for title, key in columns.items():
        difference, *ends = pixels["differences"][key]
        shown = NO_VALUE if np.isnan(difference) else f"{difference:+.3f}"
        row |= {title: shown, f"{title}, interval": interval_words((ends[0], ends[1]))}
    return row


def _table(rows: dict[str, dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("score")
