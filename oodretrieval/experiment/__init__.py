"""What a run is told, and what its names stand for: settings, configuration, datasets, networks, trained models."""
