"""Regions that may be objects, whatever their class: proposed, scored, and a best set of them cut out."""

from oodretrieval.regions.cut import best_cut, without_overlap
from oodretrieval.regions.evidence import Evidence, pool_evidence, region_shapes
from oodretrieval.regions.proposals import RegionOptions, Weights, propose_regions
from oodretrieval.regions.tree import RegionTree

__all__ = [
    "Evidence",
    "RegionOptions",
    "RegionTree",
    "Weights",
    "best_cut",
    "pool_evidence",
    "propose_regions",
    "region_shapes",
    "without_overlap",
]
