"""Folded batch normalisation: the outputs stay, the modules go."""

import copy

import pytest
import torch
from torch import nn

from oodretrieval.models.backbones import Backbone
from oodretrieval.models.folding import fold_batch_norms


def shaken(network: nn.Module) -> nn.Module:
    """Statistics and scales as after a training, so that folding has something to fold."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.1)
            module.running_var.uniform_(0.5, 2.0)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
    return network.eval()


@pytest.fixture(scope="module")
def lite() -> nn.Module:
    return shaken(Backbone("tf_efficientnet_lite0", (4, 16), 16))


def norms(network: nn.Module) -> int:
    return sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())


def test_the_features_stay_and_no_normalisation_is_left(lite):
    folded = fold_batch_norms(copy.deepcopy(lite))
    assert norms(lite) == 48 and norms(folded) == 0
    x = torch.rand(2, 3, 64, 96)
    with torch.inference_mode():
        for found, expected in zip(folded(x), lite(x), strict=True):
            assert expected.std() > 1e-3
            torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_what_follows_no_convolution_stays():
    network = shaken(nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 4, 1), nn.ReLU(), nn.BatchNorm2d(4)))
    x = torch.rand(1, 3, 5, 5)
    expected = network(x)
    assert norms(fold_batch_norms(network)) == 2
    torch.testing.assert_close(network(x), expected)


def test_a_bias_of_the_convolution_is_kept():
    network = shaken(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)))
    x = torch.rand(1, 3, 6, 6)
    expected = network(x)
    folded = fold_batch_norms(network)
    assert norms(folded) == 0
    torch.testing.assert_close(folded(x), expected, rtol=1e-4, atol=1e-5)


def test_a_network_that_is_trained_is_refused():
    with pytest.raises(ValueError, match="evaluation mode"):
        fold_batch_norms(nn.Conv2d(1, 1, 1).train())
