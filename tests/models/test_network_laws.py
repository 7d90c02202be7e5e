"""Laws of every family. A new one is a line in NETWORKS; adapters have theirs in adapters/test_adapter_laws.py."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torch import nn

from oodretrieval.models import (
    FCN,
    DeepLabV3Plus,
    DeepWV3Plus,
    PSPNet,
    WithImplicitBackground,
    load_weights,
    save_weights,
)

CLASSES = 5


def deeplab(**options):
    return DeepLabV3Plus(CLASSES, channels=16, low_level_channels=8, **options)


NETWORKS = {
    "deeplab": deeplab,
    "deeplab at stride 8": lambda: deeplab(output_stride=8),
    "deeplab of plain convolutions": lambda: deeplab(separable=False),
    "deeplab on resnet18": lambda: deeplab(backbone="resnet18"),
    "deeplab on mobilenetv3 at stride 8": lambda: deeplab(backbone="mobilenetv3_large_100", output_stride=8),
    "deeplab on convnext": lambda: deeplab(backbone="convnext_atto"),
    "deepwv3plus": lambda: DeepWV3Plus(CLASSES, width=4, channels=16, low_level_channels=8),
    "fcn 32s": lambda: FCN(CLASSES, variant="32s", channels=16),
    "fcn 16s on resnet18": lambda: FCN(CLASSES, "resnet18", variant="16s", channels=16),
    "fcn 8s": lambda: FCN(CLASSES, channels=16),
    "fcn plain": lambda: FCN(CLASSES, variant="plain", channels=16),
    "pspnet": lambda: PSPNet(CLASSES, channels=16),
    "pspnet on resnet18 at stride 16": lambda: PSPNet(CLASSES, "resnet18", 16, channels=16),
    "fcn 8s with implicit background": lambda: WithImplicitBackground(FCN(CLASSES - 1, channels=16)),
    "deepwv3plus with implicit background": lambda: WithImplicitBackground(
        DeepWV3Plus(CLASSES - 1, width=4, channels=16, low_level_channels=8)
    ),
}


@pytest.fixture(scope="module", params=NETWORKS)
def build(request):
    """A builder of a network in training mode, the same each time."""

    def seeded():
        torch.manual_seed(0)
        return NETWORKS[request.param]()

    return seeded


@pytest.fixture(scope="module")
def network(build):
    """A network in evaluation mode; tests must not change it."""
    return build().eval()


def images(height, width, number=1):
    return torch.randn(number, 3, height, width, generator=torch.Generator().manual_seed(height * width))


@settings(max_examples=5)
@given(height=st.integers(32, 99), width=st.integers(32, 99))
@example(height=33, width=65)
@example(height=64, width=96)
def test_logits_have_the_size_of_the_image(network, height, width):
    with torch.inference_mode():
        logits = network(images(height, width, 2))
    assert logits.shape == (2, CLASSES, height, width)
    assert logits.isfinite().all()
    assert logits.std() > 0


def test_low_resolution_logits_upsampled_are_the_output(network):
    x = images(67, 98)
    with torch.inference_mode():
        small = network.low_resolution_logits(x)
        resized = F.interpolate(small, (67, 98), mode="bilinear", align_corners=network.align_corners)
        assert small.shape[2] < 67 and small.shape[3] < 98
        assert torch.equal(network(x), resized)


def test_evaluation_is_deterministic_and_image_by_image(network):
    x = images(48, 64, 2)
    with torch.inference_mode():
        both = network(x)
        assert torch.equal(both, network(x))
        torch.testing.assert_close(both[1:], network(x[1:]), rtol=1e-3, atol=1e-5)


def test_gradients_reach_every_parameter(build):
    network = build()
    with torch.no_grad():
        for (
            parameter
        ) in network.parameters():  # some start at zero, and what lies below them learns a step later
            parameter.add_(torch.randn_like(parameter), alpha=0.02)
    network(images(64, 96, 3)).square().mean().backward()
    without = [
        name
        for name, parameter in network.named_parameters()
        if parameter.grad is None or not parameter.grad.isfinite().all() or not parameter.grad.any()
    ]
    assert without == []


def test_trains_on_a_single_image(build):
    """Batch norm over one vector would refuse: what is pooled over the image must not need a variance."""
    network = build()
    network(images(64, 64)).square().mean().backward()
    assert all(p.grad.isfinite().all() for p in network.parameters() if p.grad is not None)


def test_weights_come_back_from_a_file(build, network, tmp_path):
    """Stored as float16; the running statistics keep their precision."""
    save_weights(network, tmp_path / "w.safetensors", {}, half=True)
    loaded = build().eval()
    for parameter in loaded.parameters():
        nn.init.constant_(parameter, 0.123)
    load_weights(loaded, tmp_path / "w.safetensors")
    own = loaded.state_dict()
    for key, value in network.state_dict().items():
        rounded = value.half().float() if value.is_floating_point() and "running" not in key else value
        assert torch.equal(own[key], rounded), key
    with torch.inference_mode():
        expected = network(images(48, 64))
        torch.testing.assert_close(loaded(images(48, 64)), expected, rtol=0, atol=0.02 * expected.abs().max())
