"""Train a segmentation network."""
