"""Embedding networks: a crop goes in, a vector that tells what is on it comes out."""

from oodretrieval.embedding.embed import embed_crops
from oodretrieval.embedding.networks import (
    DEFAULT_NETWORK,
    EMBEDDING_NETWORKS,
    EmbeddingNetwork,
    embedding_network,
)
from oodretrieval.embedding.pooling import pool_by_segment

__all__ = [
    "DEFAULT_NETWORK",
    "EMBEDDING_NETWORKS",
    "EmbeddingNetwork",
    "embed_crops",
    "embedding_network",
    "pool_by_segment",
]
