"""What holds for every adapter: sizes, the resize at the end, determinism, batches, gradients."""

import pytest
import torch
import torch.nn.functional as F
from tiny_networks import CLASSES, KINDS, entry_of

from oodretrieval.models import WithImplicitBackground, load_model

WITHOUT_PARAMETERS = {"onnx"}
# transformers' own: the norm of a pooled output and the scale of a training loss, neither on the way to the logits
UNUSED = ("swin.layernorm.weight", "swin.layernorm.bias", "criterion.logit_scale")
OWN_RESIZE = {"own class"}


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def network(kind, tmp_path_factory):
    return load_model(entry_of(kind, tmp_path_factory.mktemp("network")))


def images(height, width, count=1):
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(height * width))


@pytest.mark.parametrize(("height", "width"), [(65, 97), (47, 71), (64, 96)])
def test_logits_have_the_size_of_the_image(kind, network, height, width):
    with torch.inference_mode():
        logits = network(images(height, width))
    assert logits.shape == (1, CLASSES, height, width)
    assert logits.dtype == torch.float32 and logits.isfinite().all()


def test_low_resolution_logits_upsampled_are_the_output(kind, network):
    if kind in OWN_RESIZE:
        pytest.skip("a class without a resize at its end")
    x = images(65, 97)
    with torch.inference_mode():
        small = network.low_resolution_logits(x)
        assert small.shape[-2] < 65 / 3 and small.shape[-1] < 97 / 3
        resized = F.interpolate(small, (65, 97), mode="bilinear", align_corners=network.align_corners)
        assert torch.equal(network(x), resized)


def test_an_implicit_background_extends_it(network):
    extended = WithImplicitBackground(network).eval()
    x = images(65, 97)
    with torch.inference_mode():
        logits, small = extended(x), extended.low_resolution_logits(x)
        assert logits.shape == (1, CLASSES + 1, 65, 97)
        torch.testing.assert_close(logits[:, 1:], network(x))
        torch.testing.assert_close(small[:, 0], -small[:, 1:].logsumexp(1))
        resized = F.interpolate(small, (65, 97), mode="bilinear", align_corners=extended.align_corners)
        assert torch.equal(logits, resized)


def test_evaluation_is_deterministic_and_image_by_image(network):
    x = images(64, 96, 2)
    assert not network.training
    with torch.inference_mode():
        both = network(x)
        assert torch.equal(both, network(x))
        torch.testing.assert_close(both[1:], network(x[1:]), rtol=1e-3, atol=1e-4)


def test_the_number_of_classes_is_known_before_any_image(kind, network):
    if kind in OWN_RESIZE:
        pytest.skip("not asked of a class of one's own")
    assert network.num_classes == CLASSES


def test_the_layout_that_the_stages_ask_for_changes_nothing(network):
    x = images(64, 96)
    with torch.no_grad():
        before = network(x)
        moved = network.to(torch.device("cpu"), memory_format=torch.channels_last)
        after = moved(x.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(before, after, rtol=1e-4, atol=1e-4)


def test_gradients_reach_every_parameter(kind, network):
    if kind in WITHOUT_PARAMETERS:
        assert list(network.parameters()) == []
        return
    network.train()
    (network(images(64, 96, 2)) * images(64, 96, 1)[:, :1]).square().mean().backward()
    without = [n for n, p in network.named_parameters() if p.grad is None and not n.endswith(UNUSED)]
    network.zero_grad()
    network.eval()
    assert without == []
