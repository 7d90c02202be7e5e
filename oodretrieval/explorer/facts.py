"""What is known of one candidate, and what each number means. Knows no toolkit."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oodretrieval.explorer.state import State
from oodretrieval.stores import PREDICTED_IOU, SELECT_SCORE


@dataclass(frozen=True)
class Fact:
    """One thing that is known of a candidate.

    Attributes:
        name: What it is.
        value: As a person reads it.
        meaning: What it says, in a line.
        is_estimate: Whether it is a number that a model gave, whose meaning must be explained.
    """

    name: str
    value: str
    meaning: str
    is_estimate: bool = False


def facts(state: State, row: int) -> list[Fact]:
    """What is known of a candidate.

    Args:
        state: Of its catalogue.
        row: Of the candidate.

    Returns:
        Classes first, then numbers, then where it comes from.
    """
    segments = state.segments
    classes, found = segments.classes, []
    truth = classes.truth_name(row)
    if truth is not None:
        never = " (never learned)" if classes.unknown[row] else ""
        found.append(Fact("Truth", truth + never, "Class of most of its pixels in the dataset's labels."))
    predicted = classes.predicted_name(row)
    found.append(Fact("Predicted class", predicted, "What the network took it for."))
    if PREDICTED_IOU in segments.table.columns:
        value = f"{segments.value(row, PREDICTED_IOU):.2f}"
        found.append(
            Fact(
                "Predicted IoU",
                value,
                "Estimated overlap with a true object, 0 to 1.",
                is_estimate=True,
            )
        )
    if segments.select_by not in ("", PREDICTED_IOU):
        value, name = f"{segments.value(row, SELECT_SCORE):.2f}", segments.score_name
        place = _share_below(segments.scores, row)
        found.append(
            Fact(
                name[:1].upper() + name[1:],
                f"{value}, above {min(int(100 * place), 99)}% of all",
                "Higher is more unlike what was learned.",
                is_estimate=True,
            )
        )
    if state.clusters is not None and state.clusters[row] >= 0:
        found.append(Fact("Cluster", str(state.clusters[row] + 1), "Group of like candidates."))
    if "S" in segments.table.columns:
        found.append(Fact("Size", f"{int(segments.value(row, 'S')):,} pixels", "Pixels of its mask."))
    dataset, image = segments.image_of(row)
    found.append(Fact("Image", f"{image} · segment {segments.value(row, 'segment_id')}", f"Of {dataset}."))
    return found


def meanings(state: State, row: int, *, with_values: bool = True) -> str:
    """What the numbers of a candidate mean.

    Args:
        state: Of its catalogue.
        row: Of the candidate.
        with_values: Whether to say the numbers, too, which may stand above.

    Returns:
        One line for each estimate: its name, its value, what that says; empty where there is none.
    """
    estimates = [fact for fact in facts(state, row) if fact.is_estimate]
    return "\n".join(
        f"{f'{fact.name} {fact.value}' if with_values else fact.name}: {fact.meaning}" for fact in estimates
    )


def _share_below(scores: NDArray[np.floating], row: int) -> float:
    return float((scores < scores[row]).mean())
