"""Embedding networks: crop → vector that describes what is on it."""

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
