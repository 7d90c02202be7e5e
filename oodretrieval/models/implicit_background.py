"""Implicit background: one channel more, without a parameter more, for "none of the classes"."""

from typing import Any

import torch
from torch import Tensor, nn

from oodretrieval.models.contract import SegmentationNetwork, logits_of

INNER = "network."


class ImplicitBackground(nn.Module):
    """Puts the logit of a background in front of the logits of ``K`` classes.

    For foreground logits ``x`` and ``L = logsumexp(x)`` the output is ``[-L, x]``. Its softmax gives the
    background ``sigmoid(-2 L)``, so that it wins exactly where ``max x < -L``: where no class has evidence.

    Args:
        dim: Dimension of the classes.

    Example:
        >>> ImplicitBackground()(torch.full((1, 2, 4, 4), -1.0))[0, :, 0, 0].tolist()  # doctest: +ELLIPSIS
        [0.306..., -1.0, -1.0]
    """

    def __init__(self, dim: int = 1) -> None:
        super().__init__()
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        """Put the background's logit in front.

        Args:
            x: Logits ``(…, K, …)``.

        Returns:
            ``(…, K + 1, …)``, background first.
        """
        background = -torch.logsumexp(x, self.dim, keepdim=True)
        return torch.cat([background, x], self.dim)

    def extra_repr(self) -> str:
        """Arguments, as ``repr`` shows them."""
        return f"dim={self.dim}"


class WithImplicitBackground(SegmentationNetwork):
    """Any segmentation network, extended by an implicit background as class 0.

    Its state dict has the network's own names, as the layer has no parameters: weights trained without a
    background can be extended by one, and the other way round.

    Args:
        network: Normalised images ``(N, 3, H, W)`` → logits ``(N, K, H, W)``. Where it offers
            ``low_resolution_logits``, the background is a channel of these and resized together with them.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.background = ImplicitBackground()
        self.align_corners = bool(getattr(network, "align_corners", False))
        self.register_state_dict_post_hook(_without_prefix)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(_with_prefix)  # type: ignore[no-untyped-call]

    @property
    def encoder(self) -> nn.Module | None:
        """The network's part that starts from ImageNet weights; None where it names none."""
        return getattr(self.network, "encoder", None)

    def low_resolution_logits(self, x: Tensor) -> Tensor:
        """Normalised images → logits ``(N, K + 1, h, w)`` at the network's stride; full size where it has none."""
        extended: Tensor = self.background(logits_of(self.network, x))
        return extended


def _without_prefix(module: nn.Module, state: dict[str, Any], prefix: str, _metadata: Any) -> None:
    inner = prefix + INNER
    for key in [key for key in state if key.startswith(inner)]:
        state[prefix + key.removeprefix(inner)] = state.pop(key)


def _with_prefix(module: nn.Module, state: dict[str, Any], prefix: str, *_rest: Any) -> None:
    for key in [key for key in state if key.startswith(prefix)]:
        state[prefix + INNER + key.removeprefix(prefix)] = state.pop(key)
