"""Learning from a person's answers which of many items are of interest."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri
from scipy.stats import rankdata

from oodretrieval.errors import UnknownNameError
from oodretrieval.search.offset_logistic import LogisticPosterior, fit_around_offset
from oodretrieval.search.principal_directions import principal_directions

Answer = bool | str | None
"""Whether an item is of interest, or of which kind it is, which says that it is; None takes an answer back."""

_POOL = 8192
_EXPLORED = 120


@dataclass(frozen=True)
class FeedbackOptions:
    """What is assumed before anything was answered; the defaults are those of docs/feedback.md.

    Attributes:
        dimensions: Principal components of the vectors to learn along, at most.
        base: Log-odds that an item of middling prior score is of interest.
        slope: What one standard deviation of the prior score adds to the log-odds.
        slope_variance: How far the answers may change the slope.
        variance: How far they may change the log-odds along each direction of the vectors.
        base_variance: How far they may change the base.
        explore_every: Of as many places of the ranking one goes to an item that may be better than is known yet;
            0 for none, else at least 4.
        explore_after: Answers from which on it does: with fewer, the ranking is still mostly the prior's.
        optimism: How much better than its prior score says: standard deviations of its log-odds.
    """

    dimensions: int = 32
    base: float = -5.0
    slope: float = 1.25
    slope_variance: float = 0.2
    variance: float = 4.0
    base_variance: float = 1.0
    explore_every: int = 12
    explore_after: int = 48
    optimism: float = 3.0

    def __post_init__(self) -> None:
        variances = self.slope_variance, self.variance, self.base_variance
        if self.dimensions < 1 or min(variances) <= 0:
            raise ValueError(f"expected dimensions >= 1 and variances > 0, got {self}")
        if self.explore_every != 0 and self.explore_every < 4:
            raise ValueError(f"explore_every must be 0 or at least 4, got {self.explore_every}")
        if self.explore_after < 0:
            raise ValueError(f"explore_after must be at least 0, got {self.explore_after}")


class RelevanceFeedback:
    """Ranks items by how likely they are of interest, and learns from every answer.

    The log-odds of an item start from its prior score, by rank, and answers move them along the directions in which
    the vectors differ: a Bayesian logistic regression around the prior. So the first answer helps already, answers
    that are all alike do no harm, and a wrong one can be outvoted. From the 48th answer on, one of twelve places of
    the ranking goes to an item that differs from all that were answered and that the prior score does not rule out:
    what the answers have not reached is not forgotten.

    A kind as an answer says "of interest"; items can be ranked by one kind, which is learned against all the rest.

    Args:
        vectors: ``(n, D)``, any float type, ``n >= 1``; may be memory-mapped. Read once, in blocks; 34 numbers a row
            are kept.
        prior: Score of each item before anything is said, ``(n,)``, any scale, higher first; only its order counts.
            None if nothing is known.
        seed: Of what is random: which of many items are considered for exploring, the order where nothing is known.
        options: What is assumed beforehand.

    Raises:
        ValueError: If the vectors are not ``(n, D)``, the prior not ``(n,)``, or anything is not finite.

    Source:
        Rui et al., Relevance feedback, IEEE TCSVT 1998, for the task; Bishop, Pattern Recognition and Machine Learning,
        2006, section 4.5, for the regression; Auer, Using confidence bounds for exploitation-exploration trade-offs,
        JMLR 2002.

    Example:
        >>> vectors = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.1], [0.1, 1.0]])
        >>> feedback = RelevanceFeedback(vectors, prior=[4.0, 3.0, 2.0, 1.0])
        >>> feedback.update([0, 1], [False, True])
        >>> scores = feedback.scores()
        >>> bool(scores[3] > scores[2])
        True
    """

    def __init__(
        self,
        vectors: ArrayLike,
        prior: ArrayLike | None = None,
        seed: int = 0,
        *,
        options: FeedbackOptions = FeedbackOptions(),
    ) -> None:
        items = np.asanyarray(vectors)
        if items.ndim != 2 or 0 in items.shape:
            raise ValueError(f"vectors must be (n, D) with n and D at least 1, got {items.shape}")
        if items.dtype.kind != "f":
            items = items.astype(np.float64)
        self._options, self._seed = options, seed
        standing = _standing(prior, len(items), seed)
        directions = principal_directions(items, options.dimensions, seed=seed)
        # the last two are the prior score and a constant
        self._features = np.column_stack([directions, standing, np.ones(len(items))]).astype(np.float32)
        self._offset = options.base + options.slope * standing
        variances = np.full(self._features.shape[1], options.variance)
        variances[-2:] = options.slope_variance, options.base_variance
        self._precision = 1 / variances
        self._answers: dict[int, bool | str] = {}

    def __len__(self) -> int:
        """Number of items."""
        return len(self._offset)

    @property
    def answers(self) -> Mapping[int, bool | str]:
        """What was answered: row → answer, in the order of first answers."""
        return MappingProxyType(self._answers)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds that were named, sorted."""
        return tuple(sorted({answer for answer in self._answers.values() if isinstance(answer, str)}))

    def update(self, rows: Sequence[int] | NDArray[np.integer], answers: Sequence[Answer]) -> None:
        """Take in answers. One on a row that has one replaces it; of two in one call the later counts.

        Args:
            rows: Items that were answered, ``(m,)``, 0…n-1.
            answers: ``(m,)``: True or False for of interest or not, a text for of interest and of that kind, None to
                take an answer back.

        Raises:
            ValueError: If the two differ in length, a row does not exist, or an answer is none of these; nothing is
                taken in then.
        """
        places, said = np.asarray(rows), list(answers)
        if places.shape != (len(said),):
            raise ValueError(
                f"expected one answer for each row, got rows {places.shape}, {len(said)} answers"
            )
        if len(said) and (places.dtype.kind not in "iu" or places.min() < 0 or places.max() >= len(self)):
            raise ValueError(f"rows must be whole numbers, 0…{len(self) - 1}, got {places.tolist()}")
        checked = [_checked(answer) for answer in said]
        for row, answer in zip(places.tolist(), checked, strict=True):
            if answer is None:
                self._answers.pop(row, None)
            else:
                self._answers[row] = answer

    def scores(self, kind: str | None = None) -> NDArray[np.float64]:
        """How likely each item is of interest, given all answers.

        Args:
            kind: Rank by how likely an item is of this kind instead, without exploring.

        Returns:
            Log-odds, ``(n,)``, finite, higher first. Before the first answer in the order of the prior score.
            Later (``explore_after``) items to explore are put among the first 120 unanswered ones. An item that was
            answered keeps a score: above all unanswered ones if it is of interest, else below them; who pages through
            the ranking leaves :attr:`answers` out.

        Raises:
            UnknownNameError: If nothing was answered with this kind.
        """
        if kind is not None and kind not in self.kinds:
            raise UnknownNameError("kind of the answers", kind, self.kinds)
        if not self._answers:
            return self._offset.copy()
        rows = np.array(sorted(self._answers), np.intp)
        given = [self._answers[int(row)] for row in rows]
        if kind is not None:
            scores = self._log_odds(self._fit_kind(kind, rows, given))
            return _settled(scores, rows, np.array([answer == kind for answer in given]))
        interesting = np.array([answer is not False for answer in given])
        overall = self._fit(rows, interesting)
        scores = self._log_odds(overall)
        if self._options.explore_every and len(rows) >= self._options.explore_after:
            self._explore(scores, overall, rows)
        return _settled(scores, rows, interesting)

    def _fit(self, rows: NDArray[np.intp], positive: NDArray[np.bool_]) -> LogisticPosterior:
        return fit_around_offset(self._features[rows], positive, self._offset[rows], self._precision)

    def _fit_kind(self, kind: str, rows: NDArray[np.intp], given: list[bool | str]) -> LogisticPosterior:
        """This kind against all others; what is of interest but of no named kind could be either."""
        clear = np.array([answer is not True for answer in given])
        return self._fit(rows[clear], np.array([answer == kind for answer in given])[clear])

    def _log_odds(self, posterior: LogisticPosterior) -> NDArray[np.float64]:
        return np.add(self._offset, self._features @ posterior.weights.astype(np.float32))

    def _explore(
        self, scores: NDArray[np.float64], posterior: LogisticPosterior, rows: NDArray[np.intp]
    ) -> None:
        """Raise, in place, the items to explore to their places among the first unanswered ones."""
        random = np.random.default_rng((self._seed, len(rows)))
        unanswered = np.ones(len(scores), bool)
        unanswered[rows] = False
        free = np.flatnonzero(unanswered)
        first = free[np.argsort(-scores[free], kind="stable")[:_EXPLORED]]
        pool = free if len(free) <= _POOL else np.sort(random.choice(free, _POOL, replace=False))
        hopes = self._offset[pool] + self._options.optimism * posterior.deviation(self._features[pool])
        hopeful = iter(pool[np.argsort(-hopes, kind="stable")].tolist())
        _interleave(scores, iter(first.tolist()), hopeful, len(first), self._options.explore_every)


def _interleave(
    scores: NDArray[np.float64], ranked: Iterator[int], hopeful: Iterator[int], places: int, every: int
) -> None:
    """Raise, in place, the scores of hopeful items so that of ``every`` places the middle one is of one of them."""
    standing: set[int] = set()
    above = np.inf
    for place in range(1, places + 1):
        exploring = place % every == every // 2
        item = next((i for i in (hopeful if exploring else ranked) if i not in standing), None)
        if item is None:
            break
        if exploring:
            scores[item] = max(scores[item], np.nextafter(above, -np.inf))
        standing.add(item)
        above = scores[item]


def usable_prior(scores: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
    """Scores as a prior, which one that is not known would spoil.

    Args:
        scores: Of all items, ``(n,)``; None if there are none.

    Returns:
        The scores where all of them are finite, else None.
    """
    return scores if scores is not None and np.isfinite(scores).all() else None


def _settled(
    scores: NDArray[np.float64], rows: NDArray[np.intp], positive: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """The scores with every answered item above or below all unanswered ones, as it was answered."""
    unanswered = np.delete(scores, rows)
    if len(unanswered):
        scores[rows] = np.where(
            positive,
            np.maximum(scores[rows], np.nextafter(unanswered.max(), np.inf)),
            np.minimum(scores[rows], np.nextafter(unanswered.min(), -np.inf)),
        )
    return scores


def _standing(prior: ArrayLike | None, number: int, seed: int) -> NDArray[np.float64]:
    """Normal scores of the ranks of the prior, ``(n,)``; equal where it is equal."""
    if prior is None:
        return np.asarray(np.random.default_rng(seed).permutation(number) * (1e-6 / number), np.float64)
    scores = np.asarray(prior, np.float64)
    if scores.shape != (number,) or not np.isfinite(scores).all():
        raise ValueError(
            f"prior must be one finite score for each of the {number} vectors, got {scores.shape}"
        )
    standing: NDArray[np.float64] = ndtri((rankdata(scores) - 0.5) / number)
    return standing


def _checked(answer: object) -> Answer:
    if isinstance(answer, bool | np.bool_):
        return bool(answer)
    if answer is None or (isinstance(answer, str) and answer.strip()):
        return None if answer is None else str(answer)
    raise ValueError(f"an answer is True, False, a kind as text, or None to take it back; got {answer!r}")
