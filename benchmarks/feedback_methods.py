"""Ways to rank segments while a person answers: ours with several options, and plain ones to compare with."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression

from oodretrieval.evaluation.feedback_simulation import Answer, Ranker
from oodretrieval.search import FeedbackOptions, RelevanceFeedback


@dataclass(frozen=True, eq=False)
class Part:
    """Segments of a run of images.

    Attributes:
        vectors: Pooled features, ``(n, D)``.
        prior: Score before anything is said, ``(n,)``.
        unknown: Whether more than half of each is unknown, ``(n,)``.
    """

    vectors: NDArray[np.float32]
    prior: NDArray[np.float64]
    unknown: NDArray[np.bool_]


class FixedOrder:
    """The order of given scores, whatever is answered."""

    def __init__(self, scores: NDArray[np.float64]) -> None:
        self._scores = scores

    def update(self, rows: Sequence[int], answers: Sequence[Answer]) -> None:
        """Nothing is learned."""

    def scores(self) -> NDArray[np.float64]:
        """As given, ``(n,)``."""
        return self._scores


class PlainRegression:
    """A logistic regression on the answered rows ranks the rest; before both answers were given, the prior does.

    Args:
        part: The segments.
        prior_weight: Weight of the standardised prior rank, halved with each page; 0 to forget it at once.
    """

    def __init__(self, part: Part, prior_weight: float = 0.0) -> None:
        self._features = (part.vectors - part.vectors.mean(axis=0)) / (part.vectors.std(axis=0) + 1e-9)
        self._prior = rankdata(part.prior) / len(part.prior)
        self._weight, self._rows, self._answers = prior_weight, list[int](), list[bool]()

    def update(self, rows: Sequence[int], answers: Sequence[Answer]) -> None:
        """Take in answers."""
        self._rows += list(rows)
        self._answers += [answer is not False for answer in answers]
        self._weight /= 2

    def scores(self) -> NDArray[np.float64]:
        """Log-odds, ``(n,)``."""
        if len(set(self._answers)) < 2:
            return self._prior
        model = LogisticRegression(max_iter=300).fit(self._features[self._rows], self._answers)
        odds: NDArray[np.float64] = model.decision_function(self._features)
        return odds + self._weight * self._prior


@dataclass(frozen=True)
class Method:
    """A way to rank.

    Attributes:
        make: Segments and seed → what ranks them.
        random: Whether its seed matters without wrong answers.
    """

    make: Callable[[Part, int], Ranker]
    random: bool = False


def feedback(**options: Any) -> Method:
    """Ours, with some options other than the defaults."""
    chosen = replace(FeedbackOptions(), **options)
    return Method(lambda part, seed: RelevanceFeedback(part.vectors, part.prior, seed, options=chosen))


METHODS: Mapping[str, Method] = {
    "random order": Method(
        lambda part, seed: FixedOrder(np.random.default_rng(seed).random(len(part.prior))), random=True
    ),
    "prior order": Method(lambda part, _: FixedOrder(part.prior)),
    "plain logistic regression": Method(lambda part, _: PlainRegression(part)),
    "the same, prior with decaying weight": Method(lambda part, _: PlainRegression(part, 16.0)),
    "**feedback**": feedback(),
    "without exploring": feedback(explore_every=0),
    "explores from the first answer on": feedback(explore_after=0),
    "from the first answer on, one of six": feedback(explore_after=0, explore_every=6),
    "prior as offset only": feedback(slope_variance=1e-9),
    "prior as feature only": feedback(slope=1e-3, slope_variance=2.0),
    "no prior after the first page": feedback(slope=1e-3, slope_variance=1e-9),
    "16 dimensions": feedback(dimensions=16),
    "64 dimensions": feedback(dimensions=64),
    "256 dimensions": feedback(dimensions=256),
    "interest is three times as frequent (base -4)": feedback(base=-4.0),
    "three times as rare (base -6)": feedback(base=-6.0),
    "answers move half as much": feedback(variance=2.0),
    "answers move twice as much": feedback(variance=8.0),
}
WITH_ERRORS = (
    "prior order",
    "plain logistic regression",
    "**feedback**",
    "without exploring",
    "interest is three times as frequent (base -4)",
)
"""Those that are also shown with wrong answers."""
