"""Search an embedding space: nearest neighbours, projections, clusters, and learning from answers."""

from oodretrieval.search.candidates import first_sightings, inspection_order
from oodretrieval.search.clustering import cluster, elbow, elbow_curve
from oodretrieval.search.feedback import FeedbackOptions, RelevanceFeedback
from oodretrieval.search.neighbours import NearestNeighbours
from oodretrieval.search.projection import project

__all__ = [
    "FeedbackOptions",
    "NearestNeighbours",
    "RelevanceFeedback",
    "cluster",
    "elbow",
    "elbow_curve",
    "first_sightings",
    "inspection_order",
    "project",
]
