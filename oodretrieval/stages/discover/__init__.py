"""Look for things: candidates like an example, classes that the network does not know, images of a class."""
