"""Find, in street scenes, the objects that a segmentation network was never taught."""

__version__ = "0.1.0"
