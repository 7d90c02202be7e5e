"""What projections and clusters cost, before they are begun: about how long, and how much memory."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log2
from typing import Any

from oodretrieval.search.clustering import CENTRES, LARGEST_COMPARED, LARGEST_WHOLE
from oodretrieval.search.isomap import LANDMARKS
from oodretrieval.search.isomap import LARGEST_WHOLE as WHOLE_ISOMAP

NOTEWORTHY_SECONDS, NOTEWORTHY_BYTES = 20.0, 10**9
"""What takes less of either is begun without a word."""


@dataclass(frozen=True)
class Cost:
    """What something takes on one core.

    Attributes:
        seconds: Within a factor of two or three.
        size: Bytes, besides the vectors.
    """

    seconds: float
    size: float

    @property
    def noteworthy(self) -> bool:
        """Whether a person should know before it begins."""
        return self.seconds >= NOTEWORTHY_SECONDS or self.size >= NOTEWORTHY_BYTES

    def words(self) -> str:
        """For a person.

        Returns:
            A few words; nothing where it is not noteworthy.

        Example:
            >>> Cost(200.0, 3e9).words(), Cost(1.0, 1e6).words()
            ('about 3 min and 3 GB', '')
        """
        if not self.noteworthy:
            return ""
        time = f"{self.seconds:.0f} s" if self.seconds < 90 else f"{self.seconds / 60:.0f} min"
        return f"about {time}" + (f" and {self.size / 1e9:.0f} GB" if self.size >= NOTEWORTHY_BYTES else "")


def projection_cost(
    method: str, count: int, size: int, dimensions: int = 2, options: Mapping[str, Any] | None = None
) -> Cost:
    """What a projection takes.

    Args:
        method: Of :func:`~oodretrieval.search.project`.
        count: Number of vectors.
        size: Their dimensions, D.
        dimensions: Of the projection.
        options: Of the method, as far as they are not the defaults.

    Returns:
        Estimated from measured times.

    Example:
        >>> projection_cost("tsne", 20_000, 1280).words(), projection_cost("pca", 20_000, 1280).words()
        ('about 3 min', '')
    """
    steps = float((options or {}).get("max_iter", 1000)) / 1000
    points = max(2, count)
    pca = Cost(2e-9 * points * size, min(8.0 * points * size, 1.6e8))
    seconds, memory = {
        "pca": (0.0, 0.0),
        # measured: 176 s of 20 thousand; every pair of points where there are more than 3 dimensions
        "tsne": (6.2e-4 * points * log2(points) * steps, 3e3 * points)
        if dimensions <= 3
        else (2e-5 * points**2 * steps, 4e1 * points**2),
        "opentsne": (20.0 * steps + 8e-4 * points, 3e3 * points),
        "umap": (10.0 + 2e-3 * points, 4e3 * points),
        "pacmap": (5.0 + 1e-3 * points, 3e3 * points),
        "isomap": (2e-7 * points**2 * log2(points), 1.6e1 * points**2)
        if points <= WHOLE_ISOMAP
        else (1.5e-9 * points**2 + LANDMARKS * 4e-6 * points, 1.6e1 * LANDMARKS * points),
    }.get(method, (0.0, 0.0))
    return Cost(pca.seconds + seconds, pca.size + memory)


def clustering_cost(method: str, count: int, size: int, clusters: int = 10) -> Cost:
    """What clusters take.

    Args:
        method: Of :func:`~oodretrieval.search.cluster`.
        count: Number of vectors.
        size: Their dimensions, D.
        clusters: Their number.

    Returns:
        Estimated from measured times.

    Example:
        >>> clustering_cost("agglomerative", 100_000, 2).words(), clustering_cost("hdbscan", 100_000, 50).words()
        ('', 'about 17 min')
    """
    compared = min(count, LARGEST_COMPARED)
    means = 4e-9 * min(count, 10 * LARGEST_WHOLE) * (size + 20) * clusters
    if method == "kmeans":
        return Cost(means, 8.0 * count * size)
    if method in ("dbscan", "hdbscan"):
        # trees help in few dimensions only
        pairs = 2e-9 * count**2 * size if size > 8 else 2e-5 * count * log2(max(2, count))
        return Cost(pairs, 8.0 * count * (size + 20))
    centres = 4e-10 * count * (size + 20) * CENTRES if count > LARGEST_COMPARED else 0.0
    return Cost(centres + 2e-7 * compared**2, 8.0 * count * size + 1.6e1 * compared**2)
