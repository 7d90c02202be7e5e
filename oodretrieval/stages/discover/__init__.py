"""Look for things in catalogues: candidates like an example, and classes that the network does not know."""
