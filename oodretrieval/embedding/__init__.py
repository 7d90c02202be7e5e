"""Embedding networks: crop → vector that describes what is on it."""

from oodretrieval.embedding.embed import embed_crops
from oodretrieval.embedding.networks import (
    DEFAULT_NETWORK,
    EMBEDDING_NETWORKS,
    EmbeddingNetwork,
    embedding_network,
)

__all__ = ["DEFAULT_NETWORK", "EMBEDDING_NETWORKS", "EmbeddingNetwork", "embed_crops", "embedding_network"]
