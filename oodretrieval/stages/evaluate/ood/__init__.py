"""How well scores tell unknown pixels and components from known ones."""
