"""Encoders: any timm network that gives features at a chosen stride.

timm, which imports torchvision, takes longer to import than torch: only a network that is built waits for it.
"""

import logging
from collections.abc import Sequence
from typing import Any, Literal

from huggingface_hub import is_offline_mode, try_to_load_from_cache
from huggingface_hub.constants import ENDPOINT, HF_HUB_CACHE
from torch import Tensor, nn

from oodretrieval.errors import ConfigurationError, UnknownNameError, WeightsError
from oodretrieval.imagenet_weights import efficientnet_lite_state, unreachable

LITE = ("tf_efficientnet_lite0", "tf_efficientnet_lite1", "tf_efficientnet_lite2")
"""Backbones whose ImageNet weights come with an installed package, without a download."""

HUB_FILES = ("model.safetensors", "pytorch_model.bin")


class Backbone(nn.Module):
    """Features of a timm network at several strides.

    Args:
        name: Name in timm, e.g. ``"tf_efficientnet_lite0"``, ``"resnet50"``, ``"convnext_tiny"``.
        strides: Strides of the features wanted, ascending, each at most ``output_stride``.
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
        indices = _deepest_indices(name, strides, output_stride)
        network: Any = timm.create_model(
            name, features_only=True, output_stride=output_stride, out_indices=indices
        )
        self.network = network
        self.channels: list[int] = network.feature_info.channels()
        if pretrained is True or (pretrained == "packaged" and name in LITE):
            self._load_imagenet(name, output_stride, indices)

    def _load_imagenet(self, name: str, output_stride: int, indices: Sequence[int]) -> None:
        import timm

        if name in LITE:
            full = timm.create_model(name).state_dict()
            state = efficientnet_lite_state(name.removeprefix("tf_"), full)
            own = self.network.state_dict()
            self.network.load_state_dict({key: state[key] for key in own})
            return
        _require_timm_weights(name)
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


def _deepest_indices(name: str, strides: Sequence[int], output_stride: int) -> list[int]:
    """For each stride the deepest feature map that has it."""
    import timm

    try:
        network: Any = timm.create_model(name, features_only=True, output_stride=output_stride)
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        raise ConfigurationError(
            f"backbone {name!r} cannot give features at output stride {output_stride} ({error or 'fixed strides'}); "
            "choose another output_stride or backbone"
        ) from error
    reductions = list(network.feature_info.reduction())
    missing = [stride for stride in strides if stride not in reductions]
    if missing:
        raise ConfigurationError(
            f"backbone {name!r} gives features at strides {sorted(set(reductions))}, not at {missing}; "
            "choose another output_stride or backbone"
        )
    return [len(reductions) - 1 - reductions[::-1].index(stride) for stride in strides]


def _require_timm_weights(name: str) -> None:
    """Fail at once, not after a minute of retries, where the weights are neither cached nor reachable."""
    import timm

    config = timm.get_pretrained_cfg(name)
    if config is None or not config.hf_hub_id:
        raise WeightsError(f"timm has no ImageNet weights of {name!r}; train it with pretrained=False")
    repository = config.hf_hub_id
    if repository.endswith("/"):
        repository += f"{config.architecture}.{config.tag}" if config.tag else str(config.architecture)
    if any(isinstance(try_to_load_from_cache(repository, file), str) for file in HUB_FILES):
        return
    reason = "offline mode is on" if is_offline_mode() else unreachable(ENDPOINT)
    if reason:
        raise WeightsError(
            f"ImageNet weights of {name!r} are not in the cache {HF_HUB_CACHE}, and the hub cannot be reached "
            f"({reason}); fetch the repository {repository!r} on a machine with network access and copy the "
            f"cache, or use one of {', '.join(LITE)}, whose weights are installed"
        )
