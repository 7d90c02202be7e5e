"""The library against values that carry their evidence along, on random networks and on every family."""

import numpy as np
import pytest
import timm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from provenance import fixations_forwards
from torch import nn

from oodretrieval.explain import Evidence, fixations
from oodretrieval.models import FCN, DeepLabV3Plus, DeepWV3Plus, PSPNet


class Sum(nn.Module):
    """Two branches, added."""

    def __init__(self, first, second):
        super().__init__()
        self.first, self.second = first, second

    def forward(self, x):
        return self.first(x) + self.second(x)


class Join(Sum):
    """Two branches, one after the other."""

    def forward(self, x):
        return torch.cat([self.first(x), self.second(x)], 1)


class Gate(nn.Module):
    """Squeeze and excitation."""

    def __init__(self, channels):
        super().__init__()
        self.project = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.project(x.mean((2, 3), keepdim=True)))


def randomise(model, seed):
    """Weights, scales and statistics of both signs, in double precision, so that no two contributions are equal."""
    torch.manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight)
            nn.init.normal_(module.bias, std=0.3)
            nn.init.normal_(module.running_mean, std=0.3)
            nn.init.uniform_(module.running_var, 0.3, 2)
        elif isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, std=(module.weight[0].numel() / 2) ** -0.5)
            if module.bias is not None:
                nn.init.normal_(module.bias, std=0.1)
    return model.double().eval()


@st.composite
def convolutions(draw, channels=4):
    kernel = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    return nn.Conv2d(
        channels,
        channels,
        kernel,
        draw(st.integers(1, 2)),
        padding=tuple(draw(st.integers(0, size // 2)) for size in kernel),
        dilation=draw(st.integers(1, 2)),
        groups=draw(st.sampled_from([1, 2, 4])),
    )


def _same():
    return nn.Conv2d(4, 4, 3, padding=1)


LAYERS = st.one_of(
    convolutions(),
    st.sampled_from([nn.ReLU, nn.ReLU6, nn.Hardswish, nn.SiLU, nn.Sigmoid, nn.Dropout]).map(
        lambda kind: kind()
    ),
    st.builds(nn.BatchNorm2d, st.just(4)),
    st.builds(nn.MaxPool2d, st.just(3), st.integers(1, 2), st.just(1)),
    st.builds(nn.AvgPool2d, st.just(3), st.integers(1, 2), st.integers(0, 1)),
    st.builds(nn.AdaptiveAvgPool2d, st.integers(1, 4)),
    st.builds(lambda: Sum(_same(), nn.Identity())),
    st.builds(lambda: nn.Sequential(Join(_same(), nn.Identity()), nn.Conv2d(8, 4, 1))),
    st.builds(lambda: Gate(4)),
    st.builds(nn.Upsample, st.none(), st.sampled_from([2.0, 1.5]), st.just("bilinear"), st.booleans()),
    st.builds(nn.Upsample, st.none(), st.sampled_from([2.0, 1.5]), st.just("nearest")),
)


@settings(max_examples=25)
@given(layers=st.lists(LAYERS, min_size=1, max_size=5), seed=st.integers(0, 99))
def test_random_networks(layers, seed):
    shapes = nn.Sequential(nn.Conv2d(3, 4, 1), *layers).eval()
    try:
        with torch.no_grad():
            shapes(torch.zeros(1, 3, 11, 9))
    except RuntimeError:  # nothing is left of the map
        return
    model = randomise(nn.Sequential(shapes, nn.Upsample((11, 9), mode="bilinear")), seed)
    drawn = torch.randn(1, 3, 11, 9, generator=torch.Generator().manual_seed(seed))
    image, mask = drawn.double(), np.random.default_rng(seed).random((11, 9)) < 0.4
    expected = fixations_forwards(model, image, mask, 2)
    assert np.array_equal(fixations(model, image, mask, 2), expected)
    assert np.array_equal(Evidence(model, image, kept_bytes=1).fixations([(mask, 2)])[0], expected)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("groups", [1, 4])
def test_a_neighbour_that_rounding_alone_weighs_is_none(seed, groups):
    """A map of 13 rows is resized to 11: the row in the middle is one of those, and by rounding almost nothing more."""
    layers = [nn.Conv2d(4, 4, (2, 1), padding=(1, 0), groups=groups) for _ in range(2)]
    model = nn.Sequential(nn.Conv2d(3, 4, 1), *layers, nn.Upsample((11, 9), mode="bilinear"))
    model = randomise(model, seed)
    image, mask = torch.randn(1, 3, 11, 9).double(), np.random.default_rng(seed).random((11, 9)) < 0.4
    assert np.array_equal(fixations(model, image, mask, 2), fixations_forwards(model, image, mask, 2))


FAMILIES = {
    "DeepLabV3Plus": lambda: DeepLabV3Plus(3, channels=8, low_level_channels=8),
    "DeepWV3Plus": lambda: DeepWV3Plus(3, width=2, channels=8, low_level_channels=4),
    "FCN": lambda: FCN(3, "resnet10t", channels=8),
    "PSPNet on ResNet": lambda: PSPNet(3, "resnet10t", channels=8),
    "FCN on MobileNetV3": lambda: FCN(3, "mobilenetv3_small_050", "16s", channels=8),
}


@pytest.mark.parametrize("family", [pytest.param(name, marks=pytest.mark.slow) for name in FAMILIES])
def test_families(family):
    model = randomise(FAMILIES[family](), 0)
    image, mask = torch.randn(1, 3, 33, 25).double(), np.zeros((33, 25), bool)
    mask[5:20, 8:17] = True
    found = Evidence(model, image, kept_bytes=20_000).fixations([(mask, 1), (~mask, 0)])
    assert len(found[0]) and len(found[1])
    for pixels, (segment, target) in zip(found, [(mask, 1), (~mask, 0)], strict=True):
        assert np.array_equal(pixels, fixations_forwards(model, image, segment, target))


@pytest.mark.parametrize(
    "name", ["resnet10t", "mobilenetv3_small_050", "efficientnet_lite0", "convnext_atto"]
)
def test_classifiers(name):
    model = randomise(timm.create_model(name, num_classes=4), 0)
    image = torch.randn(1, 3, 64, 64).double()
    first, second = Evidence(model, image).fixations([(None, 0), (None, 3)])
    assert len(first) and len(second)  # of few channels, both classes may lead to the same pixels
    assert (first >= 0).all() and (first < 64).all()
