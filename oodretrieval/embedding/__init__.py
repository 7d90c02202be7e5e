"""Embedding networks: crop → vector that describes what is on it."""

from oodretrieval.embedding.candidates import (
    ImageCandidates,
    embed_candidates,
    embedding_name,
    network_of,
    parts_of_name,
)
from oodretrieval.embedding.contract import EmbeddingNetwork
from oodretrieval.embedding.embed import embed_crops, embed_views
from oodretrieval.embedding.networks import (
    DEFAULT_NETWORK,
    EMBEDDING_NETWORKS,
    embedding_network,
    text_vectors,
)
from oodretrieval.embedding.own_features import SegmentationFeatures
from oodretrieval.embedding.pooling import pool_by_segment
from oodretrieval.embedding.taught import TaughtEmbedding, taught_by
from oodretrieval.embedding.text_networks import OpenClipEmbedding
from oodretrieval.embedding.timm_networks import TimmEmbedding
from oodretrieval.embedding.views import View

__all__ = [
    "DEFAULT_NETWORK",
    "EMBEDDING_NETWORKS",
    "EmbeddingNetwork",
    "ImageCandidates",
    "OpenClipEmbedding",
    "SegmentationFeatures",
    "TaughtEmbedding",
    "TimmEmbedding",
    "View",
    "embed_candidates",
    "embed_crops",
    "embed_views",
    "embedding_name",
    "embedding_network",
    "network_of",
    "parts_of_name",
    "pool_by_segment",
    "taught_by",
    "text_vectors",
]
