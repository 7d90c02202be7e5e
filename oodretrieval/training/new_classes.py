"""Rows of new classes in the last layer of a network, fitted to a few labelled images before the network is trained."""

from collections.abc import Iterable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from oodretrieval.labels import NO_CLASS
from oodretrieval.training.losses import class_weights

_PIXELS = 500
"""Pixels of a class that are taken of an image."""
_STEPS = 60
_DECAY = 1e-4


def last_layer(network: nn.Module, widened: Sequence[str]) -> nn.Conv2d | None:
    """The layer that maps features to classes pixel by pixel.

    Args:
        network: With more classes than it had.
        widened: Keys of the tensors that have more rows than they had.

    Returns:
        The layer; None where it is of another kind, or several have got rows.
    """
    owners = {key.rpartition(".")[0] for key in widened}
    layer = network.get_submodule(owners.pop()) if len(owners) == 1 else None
    plain = isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1) and layer.groups == 1
    return layer if plain else None  # type: ignore[return-value]  # plain says so


@torch.no_grad()
def sampled_features(
    network: nn.Module, layer: nn.Conv2d, images: Iterable[tuple[Tensor, NDArray[np.integer]]], seed: int = 0
) -> tuple[Tensor, Tensor, NDArray[np.int64]]:
    """What the last layer sees at some pixels of images.

    Args:
        network: In evaluation mode.
        layer: Its last one.
        images: Image ``(3, H, W)`` on the network's device, and predicted ids ``(H, W)``, 255 for none.
        seed: Of the pixels.

    Returns:
        Features ``(n, D)``, their classes ``(n,)``, and the number of pixels of each class that they stand for,
        ``(C,)``.
    """
    rng, seen = np.random.default_rng(seed), list[Tensor]()
    hook = layer.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    features, classes = [], []
    counts = np.zeros(layer.out_channels, np.int64)
    try:
        for image, target in images:
            seen.clear()
            network(image[None])
            (found,) = seen
            size = found.shape[2:]
            labels = (
                F.interpolate(torch.from_numpy(target.astype(np.float32))[None, None], size)[0, 0]
                .numpy()
                .ravel()
            )
            flat = found[0].reshape(found.shape[1], -1)
            for name in np.unique(labels[labels != NO_CLASS]).astype(int).tolist():
                places = np.flatnonzero(labels == name)
                counts[name] += len(places)
                chosen = rng.permutation(places)[:_PIXELS]
                features.append(flat[:, torch.from_numpy(chosen).to(flat.device)].T.float().cpu())
                classes.append(np.full(len(chosen), name))
    finally:
        hook.remove()
    return torch.cat(features), torch.from_numpy(np.concatenate(classes)), counts


def fit_new_rows(
    layer: nn.Conv2d, old: int, features: Tensor, classes: Tensor, counts: NDArray[np.int64], power: float
) -> None:
    """Fit the rows of new classes by logistic regression, the others stay; changes the layer.

    Args:
        layer: The last one.
        old: Number of classes whose rows stay.
        features: What it sees, ``(n, D)``.
        classes: Of each, ``(n,)``.
        counts: Pixels of each class that the features stand for, ``(C,)``.
        power: 0 weighs pixels alike, 1 classes.

    Source:
        Multinomial logistic regression over fixed features; cf. Qi et al., "Low-Shot Learning with Imprinted Weights",
        arXiv:1712.07136.
    """
    taken = torch.bincount(classes, minlength=len(counts)).numpy()
    stand_for = torch.from_numpy(counts / np.maximum(taken, 1)).float()[classes]
    shares = stand_for * class_weights(counts, power)[classes]
    shares = shares / shares.sum()
    kept_weight = layer.weight.detach()[:old, :, 0, 0].float().cpu()
    kept_bias = layer.bias.detach()[:old].float().cpu() if layer.bias is not None else torch.zeros(old)
    known = features @ kept_weight.T + kept_bias
    weight = torch.zeros(len(counts) - old, features.shape[1], requires_grad=True)
    bias = torch.full((len(counts) - old,), float(kept_bias.min()), requires_grad=layer.bias is not None)
    optimiser = torch.optim.LBFGS(
        [each for each in (weight, bias) if each.requires_grad],
        max_iter=_STEPS,
        line_search_fn="strong_wolfe",
    )

    def loss() -> Tensor:
        optimiser.zero_grad()
        logits = torch.cat([known, features @ weight.T + bias], dim=1)
        value = (shares * F.cross_entropy(logits, classes, reduction="none")).sum()
        value = value + _DECAY * weight.square().sum()
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        layer.weight[old:, :, 0, 0] = weight.to(layer.weight)
        if layer.bias is not None:
            layer.bias[old:] = bias.to(layer.bias)
