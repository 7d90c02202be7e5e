"""Regions that may be objects, whatever their class: proposed, scored, and a best set of them cut out."""

from oodretrieval.regions.proposals import RegionOptions, Weights, propose_regions
from oodretrieval.regions.tree import RegionTree

__all__ = ["RegionOptions", "RegionTree", "Weights", "propose_regions"]
