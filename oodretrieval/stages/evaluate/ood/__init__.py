"""How well scores distinguish unknown pixels and components from known ones."""
