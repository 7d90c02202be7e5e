"""Arrays as matplotlib charts: one palette, one way to save."""
