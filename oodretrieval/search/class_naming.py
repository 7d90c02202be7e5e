"""Names for candidate classes, from a network that has crops and texts in one space."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from oodretrieval.search.class_ranking import CandidateClass


def proposed_names(
    classes: Sequence[CandidateClass],
    vectors: NDArray[np.floating],
    texts: NDArray[np.floating],
    words: Sequence[str],
    most: int = 3,
) -> list[list[tuple[str, float]]]:
    """The words that fit a class better than they fit the other candidates.

    A word that fits every crop of a street, such as ``street``, says nothing of a class: of each word's cosines, the
    mean over all candidates is taken off before they are averaged over the members.

    Args:
        classes: Candidate classes.
        vectors: Of all candidates, ``(n, D)``.
        texts: Of the words, in the same space, ``(k, D)``.
        words: ``k`` words.
        most: Names for a class, at most.

    Returns:
        For each class its best words, best first, each with how much nearer than to other candidates it lies, -2…2.

    Raises:
        ValueError: If there are not as many words as texts, or they lie in another space.

    Source:
        Radford et al., Learning transferable visual models from natural language supervision, arXiv:2103.00020.
    """
    if len(words) != len(texts) or (len(words) and texts.shape[1] != vectors.shape[1]):
        raise ValueError(
            f"expected a vector of {vectors.shape[1]} dimensions for each of {len(words)} words, got {texts.shape}"
        )
    cosines = _directions(vectors) @ _directions(texts).T
    excess = cosines - cosines.mean(axis=0) if len(cosines) else cosines
    found = []
    for one in classes:
        fit = excess[one.rows].mean(axis=0)
        order = np.argsort(-fit, kind="stable")[:most]
        found.append([(str(words[i]), float(fit[i])) for i in order])
    return found


def _directions(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    lengths: NDArray[np.float64] = np.linalg.norm(vectors, axis=1, keepdims=True)
    units: NDArray[np.float64] = np.asarray(vectors, np.float64) / np.maximum(lengths, 1e-12)
    return units
