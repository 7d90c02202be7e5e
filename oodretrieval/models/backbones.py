"""Encoders: any timm network that gives features at a chosen stride.

timm, which imports torchvision, takes longer to import than torch: only a network that is built waits for it.
"""

import logging
from collections.abc import Sequence
from functools import cache
from typing import Any, Literal

from torch import Tensor, nn

from oodretrieval.errors import ConfigurationError, UnknownNameError
from oodretrieval.imagenet_weights import LITE, efficientnet_lite_state, require_timm_weights


class Backbone(nn.Module):
    """Features of a timm network at several strides.

    Args:
        name: Name in timm, e.g. ``"tf_efficientnet_lite0"``, ``"resnet50"``, ``"convnext_tiny"``.
        strides: Strides of the features wanted, ascending, each at most ``output_stride``. One that stands there
            twice, as dilation makes of the next one, gives the map before the deepest of it, too.
        output_stride: Stride of the deepest features; strides beyond it become dilation.
        pretrained: Start from ImageNet weights; ``"packaged"`` only where they come with an installed package.

    Attributes:
        channels: Channels of each feature map, in the order of ``strides``.

    Raises:
        UnknownNameError: If timm does not know the name.
        ConfigurationError: If the network cannot give features at these strides.
        WeightsError: If the weights are neither installed nor cached, and cannot be downloaded.
    """

    def __init__(
        self,
        name: str,
        strides: Sequence[int] = (4, 16),
        output_stride: int = 16,
        pretrained: bool | Literal["packaged"] = False,
    ) -> None:
        super().__init__()
        import timm

        if not timm.is_model(name):
            raise UnknownNameError("backbone", name, timm.list_models())
        indices = _deepest_indices(name, tuple(strides), output_stride)
        network: Any = timm.create_model(
            name, features_only=True, output_stride=output_stride, out_indices=indices
        )
        self.network = network
        self.channels: list[int] = network.feature_info.channels()
        if pretrained is True or (pretrained == "packaged" and name in LITE):
            self._load_imagenet(name, output_stride, indices)

    def _load_imagenet(self, name: str, output_stride: int, indices: Sequence[int]) -> None:
        if name in LITE:
            self.network.load_state_dict(
                efficientnet_lite_state(name.removeprefix("tf_"), self.network.state_dict())
            )
            return
        import timm

        require_timm_weights(name)
        logging.getLogger(__name__).info("loading ImageNet weights of %s", name)
        self.network = timm.create_model(
            name, features_only=True, output_stride=output_stride, out_indices=indices, pretrained=True
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        """Features at several strides.

        Sizes are rounded up; networks that cut the image into patches, such as ConvNeXt, round them down.

        Args:
            x: ``(N, 3, H, W)``, normalised.

        Returns:
            For each stride ``(N, channels[i], H / strides[i], W / strides[i])``.
        """
        features: list[Tensor] = self.network(x)
        return features


@cache
def _deepest_indices(name: str, strides: tuple[int, ...], output_stride: int) -> tuple[int, ...]:
    """For each stride the deepest feature map that has it, the last one of those for the last of equal strides.

    timm says what there is only of a network that it has built.
    """
    import timm

    try:
        network: Any = timm.create_model(name, features_only=True, output_stride=output_stride)
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        raise ConfigurationError(
            f"backbone {name!r} cannot give features at output stride {output_stride} ({error or 'fixed strides'}); "
            "choose another output_stride or backbone"
        ) from error
    reductions = list(network.feature_info.reduction())
    missing = [stride for stride in strides if strides.count(stride) > reductions.count(stride)]
    if missing:
        raise ConfigurationError(
            f"backbone {name!r} gives features at strides {sorted(set(reductions))}, not at {missing}; "
            "choose another output_stride or backbone"
        )
    places = {s: [place for place, of_map in enumerate(reductions) if of_map == s] for s in strides}
    return tuple(places[s][-strides[at:].count(s)] for at, s in enumerate(strides))
