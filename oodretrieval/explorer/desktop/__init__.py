"""The explorer in a figure of matplotlib: a window on the desktop, or any other canvas."""
