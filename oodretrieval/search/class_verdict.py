"""Whether a candidate class is a new kind, or a known class that the network failed on."""

from collections.abc import Mapping
from dataclasses import dataclass

from oodretrieval.search.class_ranking import CandidateClass

LEAST_NOVELTY = 3.4
"""Mean novelty from which a class is a new kind, in the unit of the novelty score: deviations of known segments.

Measured on ten catalogues of five scenes (docs/candidate_classes.md); each scene's own best lies at 3.0 to 3.7."""
NEW_KIND, FAILED = "new kind", "known class that failed"


@dataclass(frozen=True)
class ClassVerdict:
    """What a candidate class seems to be, by evidence that exists without truth.

    Attributes:
        new: Whether it seems a new kind; None where the score has no unit that would say.
        known: The known class that it is, if it is none.
    """

    new: bool | None
    known: str

    @property
    def words(self) -> str:
        """The verdict, for people; empty where there is none."""
        if self.new is None:
            return ""
        return NEW_KIND if self.new else f"{FAILED}: {self.known}"


def class_verdict(one: CandidateClass, predicted: Mapping[str, int], is_novelty: bool) -> ClassVerdict:
    """Distinguish new kinds from known classes that merely failed.

    A class is a new kind where its mean novelty is at least :data:`LEAST_NOVELTY`. If it is none, the known class is
    what most members were predicted as: of known classes that failed that was right twice as often and more as the
    class of the nearest known training segments.

    Args:
        one: The class.
        predicted: Predicted class → number of members.
        is_novelty: Whether the score that selected is the novelty; others have no unit that means the same everywhere.

    Returns:
        The verdict.

    Example:
        >>> import numpy as np
        >>> one = CandidateClass(np.arange(3), 3, 3, 1, 2.0, 0.0, 0.1, 0.9, 1.0)
        >>> class_verdict(one, {"road": 1, "wall": 2}, True).words
        'known class that failed: wall'
    """
    known = max(predicted, key=lambda name: predicted[name], default="")
    return ClassVerdict(one.novelty >= LEAST_NOVELTY if is_novelty else None, known)
