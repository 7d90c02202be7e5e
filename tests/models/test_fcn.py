import pytest
import torch
import torch.nn.functional as F

from oodretrieval.errors import ConfigurationError, UnknownNameError
from oodretrieval.models import FCN

X = torch.randn(1, 3, 96, 130, generator=torch.Generator().manual_seed(0))


def fcn(variant, backbone="resnet18"):
    torch.manual_seed(0)
    return FCN(4, backbone, variant=variant, channels=8).eval()


@pytest.mark.parametrize(("variant", "stride"), [("32s", 32), ("16s", 16), ("8s", 8), ("plain", 8)])
@torch.inference_mode()
def test_the_finest_scores_are_at_the_stride_of_the_name(variant, stride):
    small = fcn(variant).low_resolution_logits(X)
    assert small.shape == (1, 4, -(-96 // stride), -(-130 // stride))


@torch.inference_mode()
def test_finer_scores_are_added_one_after_another():
    """FCN-8s by hand: upsample, add the scores of stride 16, upsample, add those of stride 8."""
    network = fcn("8s")
    for skip in network.skips:
        torch.nn.init.normal_(skip.weight)
    eighth, sixteenth, deepest = network.encoder(X)
    assert [f.shape[2] for f in (eighth, sixteenth, deepest)] == [12, 6, 3]
    scores = network.classifier(deepest)
    for skip, features in zip(network.skips, (sixteenth, eighth), strict=True):
        weight = skip.weight[:, :, 0, 0]
        finer = torch.einsum("kc,nchw->nkhw", weight, features) + skip.bias[:, None, None]
        scores = F.interpolate(scores, finer.shape[2:], mode="bilinear") + finer
    torch.testing.assert_close(network.low_resolution_logits(X), scores, rtol=1e-4, atol=1e-4)


@torch.inference_mode()
def test_skips_start_at_zero_as_in_the_paper():
    network = fcn("8s")
    coarse = network.classifier(network.encoder(X)[-1])
    twice = F.interpolate(F.interpolate(coarse, (6, 9), mode="bilinear"), (12, 17), mode="bilinear")
    torch.testing.assert_close(network.low_resolution_logits(X), twice)


def test_the_plain_head_has_no_skips_and_its_encoder_is_dilated():
    network = fcn("plain")
    assert len(network.skips) == 0
    dilations = {m.dilation for m in network.encoder.modules() if isinstance(m, torch.nn.Conv2d)}
    assert dilations == {(1, 1), (2, 2), (4, 4)}
    assert len(fcn("32s").skips) == 0 and len(fcn("16s").skips) == 1


def test_an_unknown_variant_lists_those_there_are():
    with pytest.raises(UnknownNameError, match=r"unknown variant of FCN '4s'.*16s, 32s, 8s, plain"):
        fcn("4s")


def test_a_backbone_without_the_strides_is_refused():
    with pytest.raises(ConfigurationError, match="vit_tiny_patch16_224"):
        fcn("8s", "vit_tiny_patch16_224")
