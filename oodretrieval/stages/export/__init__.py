"""Taking along what was named: tagged candidates as files that other tools and trainings read."""
