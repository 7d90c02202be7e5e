"""What a person can do: groups of functions over a session, and the one table that binds them to mouse and keys."""
