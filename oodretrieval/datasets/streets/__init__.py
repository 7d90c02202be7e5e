"""Rendered street scenes with exact truth: the dataset that needs no download.

A seed decides the layout of a street (``scene``); everything in it is placed in metres and seen through a
pinhole camera (``camera``), painted from back to front (``canvas``, ``ground``, ``buildings``), lit and
exposed (``weather``). The test split also holds objects of unknown kinds (``unknown_objects``).
"""

from oodretrieval.datasets.streets.classes import LABELS
from oodretrieval.datasets.streets.dataset import SPLITS, VERSION, Streets, default_cache
from oodretrieval.datasets.streets.render import Rendering, render

__all__ = ["LABELS", "SPLITS", "VERSION", "Rendering", "Streets", "default_cache", "render"]
