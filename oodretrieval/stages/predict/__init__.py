"""Run a segmentation network over a dataset and keep what the later stages need."""
