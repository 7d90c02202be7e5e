"""Fit what predicts the quality and the novelty of segments."""
