"""Select the segments that look unknown, cut them out and embed them."""
