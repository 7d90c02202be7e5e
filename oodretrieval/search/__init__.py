"""Search an embedding space: nearest neighbours and projections."""

from oodretrieval.search.neighbours import NearestNeighbours
from oodretrieval.search.projection import project

__all__ = ["NearestNeighbours", "project"]
