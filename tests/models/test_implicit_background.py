"""The implicit background as a layer, and around whole networks."""

import copy

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.optim.swa_utils import AveragedModel

from oodretrieval.entries import ModelEntry
from oodretrieval.errors import WeightsError
from oodretrieval.models import (
    DeepLabV3Plus,
    ImplicitBackground,
    WithImplicitBackground,
    load_model,
    load_weights,
    save_weights,
)

CLASSES = 4


class Plain(nn.Module):
    """A user's network without low-resolution logits."""

    def __init__(self, num_classes=CLASSES):
        super().__init__()
        self.network = nn.Conv2d(3, num_classes, 3, padding=1)  # the wrapper's own name, too

    def forward(self, x):
        return self.network(x)


class Coarse(Plain):
    """One whose logits are resized with aligned corners."""

    align_corners = True

    def low_resolution_logits(self, x):
        return F.avg_pool2d(self.network(x), 4)

    def forward(self, x):
        return F.interpolate(self.low_resolution_logits(x), x.shape[-2:], mode="bilinear", align_corners=True)


NETWORKS = {
    "plain": Plain,
    "coarse": Coarse,
    "deeplab": lambda: DeepLabV3Plus(CLASSES, channels=16, low_level_channels=8),
}


@pytest.fixture(params=NETWORKS)
def network(request):
    torch.manual_seed(0)
    return NETWORKS[request.param]().eval()


logits = st.lists(st.floats(-60, 60), min_size=1, max_size=6)


@given(logits)
def test_background_is_the_sigmoid_of_twice_the_evidence(values):
    x = torch.tensor(values, dtype=torch.float64)
    extended = ImplicitBackground(dim=0)(x)
    assert torch.equal(extended[1:], x)
    evidence = x.exp().sum().log()
    torch.testing.assert_close(extended.softmax(0)[0], torch.sigmoid(-2 * evidence))
    margin = float(x.max() + evidence)
    if abs(margin) > 1e-9:
        assert (int(extended.argmax()) == 0) == (margin < 0), "it wins exactly where max x < -L"


@pytest.mark.parametrize("dim", [0, 1, 2, -1])
def test_any_dimension_can_hold_the_classes(dim):
    x = torch.randn(3, 4, 5, generator=torch.Generator().manual_seed(0))
    moved = ImplicitBackground(dim=-1)(x.movedim(dim, -1)).movedim(-1, dim)
    assert torch.equal(ImplicitBackground(dim)(x), moved)


@pytest.mark.parametrize("size", [1e4, -1e4])
def test_large_logits_neither_overflow_nor_lose_their_gradient(size):
    x = torch.full((1, 3, 2, 2), size, requires_grad=True)
    extended = ImplicitBackground()(x)
    extended[:, 0].sum().backward()
    assert extended.isfinite().all()
    torch.testing.assert_close(x.grad, torch.full_like(x, -1 / 3))


def test_gradients_are_those_of_the_formula():
    x = torch.randn(2, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(ImplicitBackground(), x)


@pytest.mark.parametrize(("height", "width"), [(33, 47), (32, 48)])
def test_low_resolution_logits_upsampled_are_the_output(network, height, width):
    extended = WithImplicitBackground(network)
    x = torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        small = extended.low_resolution_logits(x)
        resized = F.interpolate(small, (height, width), mode="bilinear", align_corners=extended.align_corners)
        assert resized.shape == (2, CLASSES + 1, height, width)
        assert torch.equal(extended(x), resized)
        torch.testing.assert_close(extended(x)[:, 1:], network(x), msg="the foreground is the network's own")
        torch.testing.assert_close(small[:, 0], -small[:, 1:].logsumexp(1))


def test_a_network_without_its_own_stride_has_the_background_of_every_pixel():
    extended = WithImplicitBackground(Plain())
    with torch.inference_mode():
        out = extended(torch.randn(1, 3, 5, 6))
        torch.testing.assert_close(out[:, 0], -out[:, 1:].logsumexp(1))


def test_gradients_reach_every_parameter(network):
    extended = WithImplicitBackground(network.train())
    extended(torch.randn(2, 3, 64, 96))[:, 0].square().mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in extended.parameters())


def test_the_state_is_the_networks_own_and_loads_both_ways(network, tmp_path):
    extended = WithImplicitBackground(network)
    assert list(extended.state_dict()) == list(network.state_dict())
    save_weights(extended, tmp_path / "w.safetensors", {})
    fresh = copy.deepcopy(network)
    for parameter in fresh.parameters():
        nn.init.zeros_(parameter)
    again = WithImplicitBackground(copy.deepcopy(fresh))
    for loaded in (fresh, again):
        load_weights(loaded, tmp_path / "w.safetensors")
        for key, value in network.state_dict().items():
            assert torch.equal(loaded.state_dict()[key], value)


def test_the_state_survives_a_module_around_it():
    torch.manual_seed(0)
    average = AveragedModel(WithImplicitBackground(Plain()))
    other = AveragedModel(WithImplicitBackground(Plain()))
    other.load_state_dict(average.state_dict())
    assert torch.equal(other.module.network.network.weight, average.module.network.network.weight)


def entry(tmp_path, **options):
    arguments = options.pop("kwargs", {"num_classes": CLASSES})
    return ModelEntry(__name__, "Plain", arguments, tmp_path / "w.safetensors", **options)


def test_an_entry_switches_it_on_for_weights_trained_without(tmp_path):
    plain = Plain()
    save_weights(plain, tmp_path / "w.safetensors", {})
    loaded = load_model(entry(tmp_path, implicit_background=True))
    assert isinstance(loaded, WithImplicitBackground) and not loaded.training
    assert not isinstance(load_model(entry(tmp_path)), WithImplicitBackground)
    x = torch.randn(1, 3, 4, 4)
    with torch.inference_mode():
        torch.testing.assert_close(loaded(x), ImplicitBackground()(plain(x)))


def test_weights_of_an_ordinary_background_do_not_fit(tmp_path):
    save_weights(Plain(CLASSES + 1), tmp_path / "w.safetensors", {})
    with pytest.raises(
        WeightsError, match=r"of another shape: network\.weight \(5, 3, 3, 3\) instead of \(4"
    ):
        load_model(entry(tmp_path, implicit_background=True))


def test_the_encoder_is_the_networks():
    network = DeepLabV3Plus(CLASSES, channels=16)
    assert WithImplicitBackground(network).encoder is network.encoder
    assert WithImplicitBackground(Plain()).encoder is None
