"""Search an embedding space: nearest neighbours, projections, clusters, and learning from answers."""

from oodretrieval.search.candidates import first_sightings, inspection_order, near_duplicates
from oodretrieval.search.clustering import cluster, elbow, elbow_curve
from oodretrieval.search.density import density
from oodretrieval.search.examples import query_vector
from oodretrieval.search.feedback import FeedbackOptions, RelevanceFeedback
from oodretrieval.search.neighbours import NearestNeighbours, Neighbours
from oodretrieval.search.partial_sort import smallest
from oodretrieval.search.projection import project

__all__ = [
    "FeedbackOptions",
    "NearestNeighbours",
    "Neighbours",
    "RelevanceFeedback",
    "cluster",
    "density",
    "elbow",
    "elbow_curve",
    "first_sightings",
    "inspection_order",
    "near_duplicates",
    "project",
    "query_vector",
    "smallest",
]
