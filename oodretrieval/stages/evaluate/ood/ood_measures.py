"""The figures of the scores of unknown things, with intervals, and their tables."""

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
    detection_figures,
    interval,
    pool_components,
)
from oodretrieval.results.result import NO_VALUE
from oodretrieval.results.rules import Resampling, interval_columns, interval_words

Components = dict[str, list[ComponentScores]]
SINGLE_SCORES = tuple(name for name in PIXEL_SCORES if name != "smoothed_energy")
"""Scores of a pixel, or segment, alone; the best of them by AUPRC is what all are compared with."""


def ood_figures(
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
        resampling: How images are drawn for intervals.

    Returns:
        Score → ``pixels`` and ``components``.
    """
    how = asdict(resampling)
    draws = {name: counter.draws(**how) for name, counter in counters.items()}
    pixels = {name: asdict(detection_figures(count)) for name, count in counts.items()}
    best = max(
        (name for name in counts if name in SINGLE_SCORES), key=lambda name: pixels[name]["auprc"], default=""
    )
    return {
        name: {
            "pixels": {
                **pixels[name],
                "exact": counts[name].exact,
                "intervals": {
                    key: interval(values, value=pixels[name][key]) for key, values in draws[name].items()
                },
                "resamples_left_out": int(np.isnan(draws[name]["auroc"]).sum()),
                "differences": {
                    key: _difference(pixels[name][key] - pixels[best][key], values - draws[best][key])
                    for key, values in draws[name].items()
                    if best
                },
                "compared_with": best,
            },
            "components": {
                where: {
                    "threshold": thresholds[where][name],
                    **_component_figures(found[name]),
                    "intervals": component_intervals(found[name], **how),
                }
                for where, found in components.items()
                if name in found
            },
        }
        for name in counts
    }


def _difference(value: float, draws: NDArray[np.float64]) -> tuple[float, float, float]:
    """Value, lower and upper end."""
    return value, *interval(draws, value=value)


def _component_figures(images: list[ComponentScores]) -> dict[str, Any]:
    pooled = pool_components(images)
    return {
        "objects": len(pooled.siou),
        "predicted": len(pooled.ppv),
        "mean_siou": pooled.mean_siou if len(pooled.siou) else np.nan,
        "mean_ppv": pooled.mean_ppv if len(pooled.siou) else np.nan,
        "mean_f1": pooled.mean_f1 if len(pooled.siou) else np.nan,
        "f1": {f"{tau:.2f}": value for tau, value in pooled.f1.items()},
    }


def ood_tables(figures: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """Tables for people: pixels, differences to the best single score, components by each choice of thresholds."""
    columns = {"AUROC": "auroc", "AUPRC": "auprc", "FPR at 95 % TPR": "fpr95"}
    pixels = {name: interval_columns(f["pixels"], columns) for name, f in figures.items()}
    tables = {"pixels": _table(pixels)}
    best = next(iter(figures.values()))["pixels"]["compared_with"]
    if best:
        rows = {name: _differences(f["pixels"], columns) for name, f in figures.items() if name != best}
        tables[f"pixels, difference to {best}"] = _table(rows)
    columns = {"mean sIoU": "mean_siou", "mean PPV": "mean_ppv", "mean F1": "mean_f1"}
    for where in dict.fromkeys(where for f in figures.values() for where in f["components"]):
        rows = {}
        for name, f in figures.items():
            if where not in f["components"]:
                continue
            found = f["components"][where]
            rows[name] = {
                "threshold": found["threshold"],
                "objects": found["objects"],
                "predicted": found["predicted"],
                **interval_columns(found, columns),
            }
        tables[f"components, threshold from {where}"] = _table(rows)
    return tables


def _differences(pixels: dict[str, Any], columns: dict[str, str]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for title, key in columns.items():
        difference, *ends = pixels["differences"][key]
        shown = NO_VALUE if np.isnan(difference) else f"{difference:+.3f}"
        row |= {title: shown, f"{title}, interval": interval_words((ends[0], ends[1]))}
    return row


def _table(rows: dict[str, dict[str, Any]]) -> pd.DataFrame:
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index.name = "score"
    return table
