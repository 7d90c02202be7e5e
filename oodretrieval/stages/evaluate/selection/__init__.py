"""How many unknown objects the selection finds."""
