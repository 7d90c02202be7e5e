"""Evaluate every step."""
