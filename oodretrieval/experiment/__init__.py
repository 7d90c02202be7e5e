"""The settings of a run, and what its names stand for: settings, configuration, datasets, networks, trained models."""
