"""Tagged candidates as files that other tools and trainings read."""
