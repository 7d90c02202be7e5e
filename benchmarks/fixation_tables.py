"""The page of fixations' measurements, from what benchmarks/fixations.py noted."""
