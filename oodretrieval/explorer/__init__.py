"""Looking at images, embedding spaces and neighbours."""

from oodretrieval.explorer.explorer import Explorer

__all__ = ["Explorer"]
