"""Networks that turn a crop into a vector: what an ImageNet network knows before its last layer.

==================  ====  ==================================================
name                D     weights
==================  ====  ==================================================
efficientnet_lite0  1280  installed with the project
efficientnet_lite1  1280  installed with the project
efficientnet_lite2  1280  installed with the project
vgg16                512  torchvision's, from torch's cache or by download
resnet18             512  torchvision's, from torch's cache or by download
resnet101           2048  torchvision's, from torch's cache or by download
resnet152           2048  torchvision's, from torch's cache or by download
wide_resnet101      2048  torchvision's, from torch's cache or by download
densenet201         1920  torchvision's, from torch's cache or by download
==================  ====  ==================================================

Beyond these: any network of timm by its name, and entries of ``EMBEDDINGS`` in ``configuration.py``. ``_layers`` behind
the name of a convolutional network of timm puts its last stages next to that; ``efficientnet_lite0_layers`` (1712) is
the default.
"""

import re
from collections.abc import Sequence

import numpy as np
import timm
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision import models

from oodretrieval.choices import DEFAULT_NET
from oodretrieval.embedding.contract import EmbeddingNetwork
from oodretrieval.embedding.layered import LAYERS, LayeredEmbedding
from oodretrieval.embedding.timm_networks import TimmEmbedding
from oodretrieval.entries import IMAGENET_MEAN, IMAGENET_STD, LITE_MEAN, LITE_STD, EmbeddingEntry, build_kind
from oodretrieval.errors import UnknownNameError, WeightsError
from oodretrieval.imagenet_weights import (
    cached_torchvision_weights,
    efficientnet_lite_state,
    load_tensors,
)

DEFAULT_NETWORK = DEFAULT_NET
_LITE = ("efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2")
_TORCHVISION: dict[str, tuple[str, models.WeightsEnum, int]] = {
    "vgg16": ("vgg16", models.VGG16_Weights.IMAGENET1K_V1, 512),
    "resnet18": ("resnet18", models.ResNet18_Weights.IMAGENET1K_V1, 512),
    "resnet101": ("resnet101", models.ResNet101_Weights.IMAGENET1K_V1, 2048),
    "resnet152": ("resnet152", models.ResNet152_Weights.IMAGENET1K_V1, 2048),
    "wide_resnet101": ("wide_resnet101_2", models.Wide_ResNet101_2_Weights.IMAGENET1K_V1, 2048),
    "densenet201": ("densenet201", models.DenseNet201_Weights.IMAGENET1K_V1, 1920),
}
EMBEDDING_NETWORKS = (*_LITE, *_TORCHVISION)
"""Names of the networks of the table above."""


def embedding_network(
    network: str | EmbeddingEntry = DEFAULT_NETWORK, pretrained: bool = True
) -> EmbeddingNetwork:
    """Build an embedding network, ready for inference.

    Args:
        network: One of :data:`EMBEDDING_NETWORKS`, any network of timm by name, either with ``_layers`` behind it
            (:mod:`oodretrieval.embedding.layered`), or an entry of ``configuration.py``.
        pretrained: Whether to load the weights of a name; else they are random.

    Returns:
        The network, in evaluation mode, on the CPU.

    Raises:
        UnknownNameError: If there is no such network.
        ConfigurationError: If an entry builds something else.
        WeightsError: If its weights are not at hand and cannot be downloaded; says which file to put where.

    Source:
        Oberdiek et al., arXiv:2005.06831, compares several of these networks.

    Example:
        >>> import torch
        >>> embedding_network("resnet18", pretrained=False)(torch.zeros(2, 3, 32, 40)).shape
        torch.Size([2, 512])
    """
    if isinstance(network, EmbeddingEntry):
        built = _of_entry(network)
    elif network.endswith(LAYERS):
        built = LayeredEmbedding(embedding_network(network.removesuffix(LAYERS), pretrained))
    elif network in _LITE:
        built = _lite(network, pretrained)
    elif network in _TORCHVISION:
        built = _torchvision(network, pretrained)
    elif timm.is_model(network):
        built = TimmEmbedding(network, pretrained=pretrained)
    else:
        raise UnknownNameError(
            "embedding network", network, (*EMBEDDING_NETWORKS, *timm.list_models(pretrained=True))
        )
    return built.eval().requires_grad_(False)


def text_vectors(
    network: str | EmbeddingEntry | EmbeddingNetwork, texts: Sequence[str]
) -> NDArray[np.float32]:
    """Embed texts where the crops of a network lie, to search among them by description.

    Args:
        network: The network, or what :func:`embedding_network` builds it from, which takes seconds.
        texts: ``n`` descriptions.

    Returns:
        ``(n, D)``, of length 1; to be compared by cosine.

    Raises:
        ConfigurationError: If the network has no text side, or its package is missing.
        WeightsError: If its weights are not at hand.
    """
    built = network if isinstance(network, EmbeddingNetwork) else embedding_network(network)
    return built.encode_text(texts)


def _of_entry(entry: EmbeddingEntry) -> EmbeddingNetwork:
    own = {} if entry.weights is None else {"weights_file": entry.weights}
    return build_kind(entry, EmbeddingNetwork, "an EmbeddingNetwork", **own)


def _lite(name: str, pretrained: bool) -> EmbeddingNetwork:
    trunk = timm.create_model(f"tf_{name}", pretrained=False, num_classes=0, global_pool="")
    if pretrained:
        trunk.load_state_dict(efficientnet_lite_state(name, trunk.state_dict()))
    return EmbeddingNetwork(name, trunk, 1280, LITE_MEAN, LITE_STD)


def _torchvision(name: str, pretrained: bool) -> EmbeddingNetwork:
    builder, weights, dim = _TORCHVISION[name]
    # asked for before the network is built, as the largest take seconds to build
    state = _published_state(name, weights) if pretrained else None
    network = getattr(models, builder)(weights=None)
    if state is not None:
        try:
            network.load_state_dict(state)
        except RuntimeError as error:
            raise WeightsError(
                f"the weights of {name} do not fit it: {' '.join(str(error).split())}"
            ) from error
    return EmbeddingNetwork(name, _trunk(network), dim, IMAGENET_MEAN, IMAGENET_STD)


def _published_state(name: str, weights: models.WeightsEnum) -> dict[str, Tensor]:
    path = cached_torchvision_weights(weights)
    state = load_tensors(path, "delete it, so that it is downloaded again")
    # the published DenseNets have names of an older torch, such as denselayer1.norm.1.weight
    return {re.sub(r"(denselayer\d+\.(?:norm|conv))\.(\d)\.", r"\1\2.", key): t for key, t in state.items()}


def _trunk(network: nn.Module) -> nn.Module:
    """All of a torchvision network before its global pooling."""
    if isinstance(network, models.VGG):
        return nn.Sequential(network.features)
    if isinstance(network, models.DenseNet):
        return nn.Sequential(network.features, nn.ReLU())
    return nn.Sequential(*list(network.children())[:-2])
