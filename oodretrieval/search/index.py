"""The index that answers queries by a distance metric."""

import logging

import numpy as np
from numpy.typing import ArrayLike, NDArray

from oodretrieval.choices import CENTRED, EXPANDED, EXPANDED_UP_TO, METRICS
from oodretrieval.errors import UnknownNameError
from oodretrieval.parted_arrays import PartedArray
from oodretrieval.search.expansion import ExpandedNeighbours
from oodretrieval.search.neighbours import NearestNeighbours

logger = logging.getLogger(__name__)


def metric_in_use(metric: str, count: int) -> str:
    """The metric by which so large a catalogue is compared.

    Args:
        metric: One of :data:`~oodretrieval.choices.METRICS`.
        count: Number of vectors.

    Returns:
        The same; ``"centred_cosine"`` for ``"expanded_cosine"`` of more than
        :data:`~oodretrieval.choices.EXPANDED_UP_TO`, which would be compared each with every other.

    Raises:
        UnknownNameError: If there is no such metric.

    Example:
        >>> metric_in_use("expanded_cosine", 300), metric_in_use("expanded_cosine", 10**6)
        ('expanded_cosine', 'centred_cosine')
    """
    if metric not in METRICS:
        raise UnknownNameError("distance metric", metric, METRICS)
    return CENTRED if metric == EXPANDED and count > EXPANDED_UP_TO else metric


def neighbour_index(
    vectors: ArrayLike | PartedArray,
    metric: str,
    *,
    norms: NDArray[np.float64] | None = None,
    approximate: bool = False,
) -> NearestNeighbours:
    """Index vectors for queries by a metric.

    Args:
        vectors: ``(n, D)``.
        metric: As of :func:`metric_in_use`, which is taken.
        norms: Length of each vector, where that is known.
        approximate: Search many vectors by an index of faiss, which the extra ``[faiss]`` brings.

    Returns:
        Of the class that the metric needs.

    Raises:
        ConfigurationError: If the package is missing.
        ValueError: As of :class:`~oodretrieval.search.NearestNeighbours`.
        UnknownNameError: If there is no such metric.

    Example:
        >>> neighbour_index([[1.0, 0.0], [0.0, 1.0], [0.9, 0.1]], "cosine").query([1.0, 0.0], 2)[0].tolist()
        [0, 2]
    """
    stored = vectors if isinstance(vectors, PartedArray) else np.asanyarray(vectors)
    taken = metric_in_use(metric, len(stored))
    if taken != metric:
        logger.info(
            "%d vectors are compared by %s; %s is for up to %d", len(stored), taken, metric, EXPANDED_UP_TO
        )
    if taken == EXPANDED:
        return ExpandedNeighbours(stored, norms=norms)
    if not approximate:
        return NearestNeighbours(stored, taken, norms=norms)
    from oodretrieval.search.approximate import ApproximateNeighbours  # as few ask for it

    return ApproximateNeighbours(stored, taken, norms=norms)
