"""Why did the network say so: the pixels that the evidence for a class is followed back to."""

from oodretrieval.explain.explainer import ExplainedSegment, Explainer
from oodretrieval.explain.fixations import Evidence, fixations
from oodretrieval.explain.maps import drop_outliers, heat_map
from oodretrieval.explain.points import Points
from oodretrieval.explain.rules import Step, register_rule

__all__ = [
    "Evidence",
    "ExplainedSegment",
    "Explainer",
    "Points",
    "Step",
    "drop_outliers",
    "fixations",
    "heat_map",
    "register_rule",
]
