"""Which kinds of meta model do better than one that does worse than the mean."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.evaluation import r2
from oodretrieval.meta_models import KINDS, training_rows
from oodretrieval.stages.fit.chosen_segments import Split
from oodretrieval.stages.fit.meta_evaluation import ALL_FEATURES, MEAN, evaluated_sets


def caution(measures: Mapping[str, Any], kind: str, splits: Sequence[Split], strict: bool, seed: int) -> str:
    """What to say of a meta model that predicts the IoU no better than its mean does; empty for a better one.

    Args:
        measures: Set of segments → model or baseline → measures.
        kind: Kind of the meta model.
        splits: Segments to learn from and to evaluate on: one pair, or one for each fold.
        strict: Whether segments that are mostly void or unknown teach nothing.
        seed: Of the other kinds.

    Returns:
        One sentence, with the kinds that do better and their R², best first.
    """
    what, rows = next(iter(measures.items()))
    own, mean = rows[ALL_FEATURES]["r2"], rows[MEAN]["r2"]
    if not own <= mean:  # nor where it is undefined
        return ""
    found = {other: _r2_of(other, splits, what, strict, seed) for other in KINDS if other != kind}
    better = sorted((name for name, value in found.items() if value > mean), key=lambda n: -found[n])
    learned = len(training_rows(splits[0][0].table, strict))
    remedy = (
        f"kinds that do better on the same segments: {', '.join(f'{n} {found[n]:.3f}' for n in better)}; choose by "
        f"args.meta_model={better[0]} args.meta_model_name={better[0]}"
        if better
        else "no other kind does better; learn from more images"
    )
    return (
        f"This {kind} meta model (R² {own:.3f} on {what}) is worse than the mean IoU of the {learned} training "
        f"segments (R² {mean:.3f}): do not select by it; {remedy}."
    )


def _r2_of(kind: str, splits: Sequence[Split], what: str, strict: bool, seed: int) -> float:
    truth, predicted = list[NDArray[np.float64]](), list[NDArray[np.float64]]()
    for train, evaluated in splits:
        table = evaluated.table
        rows = evaluated_sets(table).get(what)
        if rows is None:
            continue
        model = KINDS[kind](seed=seed).fit(training_rows(train.teaching(seed), strict))
        truth.append(table["iou"].to_numpy()[rows])
        predicted.append(np.concatenate([model.predict(part) for part in evaluated.parts()])[rows])
    return r2(np.concatenate(truth), np.concatenate(predicted))
