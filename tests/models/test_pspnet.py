import pytest
import torch
import torch.nn.functional as F
from torch import nn

from oodretrieval.errors import ConfigurationError
from oodretrieval.models import PSPNet
from oodretrieval.models.convolution import PooledNorm
from oodretrieval.models.pyramid_pooling import PyramidPooling


@torch.inference_mode()
def test_the_pyramid_is_the_map_and_its_means_over_four_grids():
    torch.manual_seed(0)
    pyramid = PyramidPooling(8).eval()
    x = torch.randn(2, 8, 12, 18)
    y = pyramid(x)
    assert y.shape == (2, 16, 12, 18) and pyramid.out_channels == 16
    assert torch.equal(y[:, :8], x)
    for i, grid in enumerate((1, 2, 3, 6)):
        convolution, norm, _ = pyramid.projections[i]
        cells = x.reshape(2, 8, grid, 12 // grid, grid, 18 // grid).mean((3, 5))
        projected = norm(torch.einsum("kc,nchw->nkhw", convolution.weight[:, :, 0, 0], cells)).relu()
        expected = F.interpolate(projected, (12, 18), mode="bilinear")
        torch.testing.assert_close(y[:, 8 + 2 * i : 10 + 2 * i], expected)


def test_maps_smaller_than_a_grid_are_pooled_too():
    assert PyramidPooling(8).eval()(torch.ones(1, 8, 3, 2)).shape == (1, 16, 3, 2)


@pytest.mark.parametrize("stride", [8, 16, 32])
def test_logits_are_at_the_stride_of_the_encoder(stride):
    network = PSPNet(4, "resnet18", stride, channels=8).eval()
    with torch.inference_mode():
        small = network.low_resolution_logits(torch.zeros(1, 3, 97, 130))
    assert small.shape == (1, 4, -(-97 // stride), -(-130 // stride))


def test_a_stride_that_the_backbone_cannot_give_is_refused():
    with pytest.raises(ConfigurationError, match="output stride 3"):
        PSPNet(4, "resnet18", 3)


def test_the_norm_of_single_vectors_uses_the_running_statistics():
    torch.manual_seed(0)
    norm = PooledNorm(3).train()
    norm.running_mean.copy_(torch.tensor([1.0, 2.0, 3.0]))
    norm.running_var.copy_(torch.tensor([4.0, 9.0, 16.0]))
    x = torch.randn(1, 3, 1, 1)
    expected = (x[0, :, 0, 0] - torch.tensor([1.0, 2.0, 3.0])) / torch.tensor([2.0, 3.0, 4.0])
    torch.testing.assert_close(norm(x)[0, :, 0, 0], expected, rtol=1e-4, atol=1e-4)
    assert norm.running_mean[0] == 1, "one vector teaches no statistics"
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        nn.BatchNorm2d(3)(x)


def test_with_more_than_one_vector_it_is_batch_norm():
    torch.manual_seed(0)
    x = torch.randn(4, 3, 1, 1)
    ours, theirs = PooledNorm(3), nn.BatchNorm2d(3)
    assert torch.equal(ours(x), theirs(x))
    assert torch.equal(ours.running_var, theirs.running_var)
    assert torch.equal(ours.eval()(x[:1]), theirs.eval()(x[:1]))
