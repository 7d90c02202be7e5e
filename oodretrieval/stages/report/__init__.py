"""All results of a workspace on one page."""
