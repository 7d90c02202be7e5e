"""Search an embedding space: nearest neighbours, projections, clusters, and learning from answers."""

from oodretrieval.search.candidates import first_sightings, inspection_order, near_duplicates
from oodretrieval.search.class_ranking import (
    CandidateClass,
    ClassEvidence,
    candidate_classes,
    shown_members,
)
from oodretrieval.search.cluster_quality import silhouette, silhouette_curve
from oodretrieval.search.clustering import cluster, elbow, elbow_curve, noise_share
from oodretrieval.search.density import density
from oodretrieval.search.examples import query_vector
from oodretrieval.search.feedback import FeedbackOptions, RelevanceFeedback
from oodretrieval.search.index import metric_in_use, neighbour_index
from oodretrieval.search.neighbours import NearestNeighbours, Neighbours
from oodretrieval.search.partial_sort import smallest
from oodretrieval.search.projection import project

__all__ = [
    "CandidateClass",
    "ClassEvidence",
    "FeedbackOptions",
    "NearestNeighbours",
    "Neighbours",
    "RelevanceFeedback",
    "candidate_classes",
    "cluster",
    "density",
    "elbow",
    "elbow_curve",
    "first_sightings",
    "inspection_order",
    "metric_in_use",
    "near_duplicates",
    "neighbour_index",
    "noise_share",
    "project",
    "query_vector",
    "shown_members",
    "silhouette",
    "silhouette_curve",
    "smallest",
]
