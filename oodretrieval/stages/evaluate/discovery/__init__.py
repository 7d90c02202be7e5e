"""How soon a person who inspects candidates finds the unknown objects."""
