"""Regions that may be objects, whatever their class: proposed, scored, and a best set of them cut out."""

from oodretrieval.regions.cut import best_cut, without_overlap
from oodretrieval.regions.evidence import PooledEvidence, pool_evidence, pool_features, region_shapes
from oodretrieval.regions.masks import tree_of_masks
from oodretrieval.regions.proposals import RegionOptions, Weights, propose_regions
from oodretrieval.regions.scoring import (
    Choice,
    RegionReference,
    ScoreWeights,
    choose_regions,
    order_scores,
    region_terms,
    score_regions,
)
from oodretrieval.regions.tree import RegionTree

__all__ = [
    "Choice",
    "PooledEvidence",
    "RegionOptions",
    "RegionReference",
    "RegionTree",
    "ScoreWeights",
    "Weights",
    "best_cut",
    "choose_regions",
    "order_scores",
    "pool_evidence",
    "pool_features",
    "propose_regions",
    "region_shapes",
    "region_terms",
    "score_regions",
    "tree_of_masks",
    "without_overlap",
]
