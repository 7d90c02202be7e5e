"""Embedding networks: crop → vector that describes what is on it."""

from oodretrieval.embedding.contract import EmbeddingNetwork
from oodretrieval.embedding.embed import embed_crops
from oodretrieval.embedding.networks import (
    DEFAULT_NETWORK,
    EMBEDDING_NETWORKS,
    embedding_network,
    text_vectors,
)
from oodretrieval.embedding.pooling import pool_by_segment
from oodretrieval.embedding.text_networks import OpenClipEmbedding
from oodretrieval.embedding.timm_networks import TimmEmbedding

__all__ = [
    "DEFAULT_NETWORK",
    "EMBEDDING_NETWORKS",
    "EmbeddingNetwork",
    "OpenClipEmbedding",
    "TimmEmbedding",
    "embed_crops",
    "embedding_network",
    "pool_by_segment",
    "text_vectors",
]
