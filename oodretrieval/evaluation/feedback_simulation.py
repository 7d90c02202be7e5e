"""A person who answers a page of candidates at a time, simulated: what is shown, and how much of interest is found.

What ranks the candidates comes from outside: anything with ``update`` and ``scores`` takes part.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from oodretrieval.choices import REVIEW_PAGE, SIMULATED_LOOKS

Answer = bool | str
"""Whether a candidate is of interest, or of which kind it is; a kind says that it is."""


class Ranker(Protocol):
    """What puts candidates in order, given answers on some of them."""

    def update(self, rows: Sequence[int], answers: Sequence[Answer]) -> None:
        """Take in answers.

        Args:
            rows: Candidates that were answered.
            answers: For each whether it is of interest, or its kind.
        """

    def scores(self) -> NDArray[np.floating]:
        """How likely each candidate is of interest.

        Returns:
            ``(n,)``, higher first.
        """


@dataclass(frozen=True, eq=False)
class FeedbackRun:
    """What was shown to the simulated person.

    Attributes:
        rows: Candidates in the order of looks, ``(looks,)``, each once.
        relevant: Whether each is of interest by truth, ``(looks,)``.
        total: Candidates of interest in all.
    """

    rows: NDArray[np.intp]
    relevant: NDArray[np.bool_]
    total: int

    @property
    def found(self) -> NDArray[np.int64]:
        """Candidates of interest after 1, 2, … looks, ``(looks,)``."""
        return np.cumsum(self.relevant, dtype=np.int64)


def simulate_feedback(
    make_ranker: Callable[[int], Ranker],
    truth: Sequence[Answer] | NDArray[np.bool_],
    *,
    looks: int = SIMULATED_LOOKS,
    page: int = REVIEW_PAGE,
    wrong: float = 0.0,
    seed: int = 0,
) -> FeedbackRun:
    """Show the best candidates page by page, answer each page by truth, rank the rest again.

    Args:
        make_ranker: Makes what ranks, given a seed; nothing has been said to it yet.
        truth: What a person who errs never would say of each candidate, ``(n,)``: yes or no, or the kind of what
            is of interest and False for the rest. A candidate that is mostly void is not of interest.
        looks: Candidates to show, >= 1; all of them where there are fewer.
        page: Candidates a page, >= 1; the last page may be shorter.
        wrong: Share of wrong answers, 0…1: a candidate of interest is called uninteresting, another one interesting
            (of any of the kinds).
        seed: Of the wrong answers and of the ranker.

    Returns:
        The order of looks; whether a look is of interest goes by truth, whatever was answered.

    Raises:
        ValueError: If an argument is out of range, or the scores are not one finite number a candidate.

    Source:
        docs/evaluation.md, docs/feedback.md.
    """
    if looks < 1 or page < 1 or not 0 <= wrong <= 1:
        raise ValueError(f"expected looks >= 1, page >= 1 and wrong in 0…1, got {looks}, {page} and {wrong}")
    answers = [answer if isinstance(answer, str) else bool(answer) for answer in truth]
    relevant = np.array([answer is not False for answer in answers], bool)
    person, ranker = _Person(answers, wrong, seed), make_ranker(seed)
    left, shown = np.ones(len(answers), bool), list[int]()
    while len(shown) < min(looks, len(answers)):
        rows = _best(ranker.scores(), left, min(page, looks - len(shown)))
        ranker.update(rows, [person.says(row) for row in rows])
        left[rows] = False
        shown += rows
    order = np.array(shown, np.intp)
    return FeedbackRun(order, relevant[order], int(relevant.sum()))


def mean_found(runs: Sequence[FeedbackRun]) -> NDArray[np.float64]:
    """Candidates of interest after 1, 2, … looks, the mean over runs on the same candidates.

    Args:
        runs: At least one; all with the same number of looks.

    Returns:
        ``(looks,)``.

    Raises:
        ValueError: If there is no run, or they differ in length.

    Example:
        >>> shown = np.arange(2)
        >>> early = FeedbackRun(shown, np.array([True, False]), 1)
        >>> late = FeedbackRun(shown, np.array([False, True]), 1)
        >>> mean_found([early, late]).tolist()
        [0.5, 1.0]
    """
    lengths = {len(run.rows) for run in runs}
    if len(lengths) != 1:
        raise ValueError(f"expected runs of one length, got lengths {sorted(lengths)}")
    mean: NDArray[np.float64] = np.mean([run.found for run in runs], axis=0)
    return mean


class _Person:
    """Answers by truth, now and then wrongly; the same of a row whenever it is asked."""

    def __init__(self, answers: Sequence[Answer], wrong: float, seed: int) -> None:
        random = np.random.default_rng(seed)
        kinds: list[Answer] = sorted({answer for answer in answers if isinstance(answer, str)})
        self._answers = answers
        self._errs = random.random(len(answers)) < wrong
        mistaken = random.integers(max(1, len(kinds)), size=len(answers))
        self._mistaken_for = [kinds[i] if kinds else True for i in mistaken]

    def says(self, row: int) -> Answer:
        answer = self._answers[row]
        if not self._errs[row]:
            return answer
        return self._mistaken_for[row] if answer is False else False


def _best(scores: NDArray[np.floating], left: NDArray[np.bool_], number: int) -> list[int]:
    """The rows of the highest scores among those that are left, ties by index."""
    if scores.shape != left.shape or not np.isfinite(scores).all():
        raise ValueError(f"expected finite scores {left.shape}, got shape {scores.shape}")
    free = np.flatnonzero(left)
    order = np.argsort(-scores[free], kind="stable")
    return [int(row) for row in free[order[:number]]]
