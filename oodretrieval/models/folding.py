"""Batch normalisation folded into the convolutions before it: the same features, with one pass less over memory."""

from itertools import pairwise
from typing import TypeVar

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

Network = TypeVar("Network", bound=nn.Module)


def fold_batch_norms(network: Network) -> Network:
    """Fold every batch normalisation that follows a convolution into it, for inference.

    The children of each module are taken as in order of their use, as timm's blocks declare them.

    Args:
        network: In evaluation mode; changed in place, its running statistics are gone afterwards.

    Returns:
        The network; its outputs differ by rounding.

    Raises:
        ValueError: If it is in training mode, whose statistics change with every batch.

    Source:
        Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
        arXiv:1712.05877, section 3.2.
    """
    if network.training:
        raise ValueError("expected a network in evaluation mode; call .eval() before")
    children = list(network.named_children())
    for (_, first), (name, second) in pairwise(children):
        if (
            isinstance(first, nn.Conv2d)
            and isinstance(second, nn.BatchNorm2d)
            and first.out_channels == second.num_features
            and second.running_mean is not None
            and second.running_var is not None
        ):
            first.weight, first.bias = fuse_conv_bn_weights(
                first.weight,
                first.bias,
                second.running_mean,
                second.running_var,
                second.eps,
                second.weight,
                second.bias,
            )
            setattr(network, name, getattr(second, "act", nn.Identity()))  # timm's holds its activation
    for _, child in children:
        fold_batch_norms(child)
    return network
