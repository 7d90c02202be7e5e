"""New classes in the last layer: found in the features that are there, and the old ones stay."""

import numpy as np
import pytest
import torch
from torch import nn

from oodretrieval.labels import NO_CLASS
from oodretrieval.training import fit_new_rows, last_layer, sampled_features

COLOURS = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
"""Of two old classes and of a new one."""


def network(bias=True):
    """Distinguishes red and green; of a third class it knows nothing."""
    net = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(3, 3, 1, bias=bias)).eval()
    with torch.no_grad():
        net[1].weight[:] = torch.tensor([[4.0, -4, 0], [-4, 4, 0], [0.01, 0, 0]])[:, :, None, None]
        if bias:
            net[1].bias[:] = torch.tensor([0.3, -0.3, -0.3])
    return net


def images(seed=0):
    rng = np.random.default_rng(seed)
    for _ in range(3):
        target = np.kron(rng.integers(0, 3, (8, 8)), np.ones((2, 2), int))
        picture = COLOURS[target] + rng.normal(0, 0.1, (16, 16, 3)).astype(np.float32)
        target[:2, :4] = NO_CLASS
        yield torch.from_numpy(picture.transpose(2, 0, 1)), target


@pytest.mark.parametrize("power", [0.0, 0.5])
@pytest.mark.parametrize("bias", [True, False])
def test_a_class_that_the_features_show_is_found_and_the_old_rows_stay(bias, power):
    net = network(bias)
    before = {key: value.clone() for key, value in net.state_dict().items()}
    layer = last_layer(net, [f"1.{key}" for key in layer_keys(bias)])
    assert layer is net[1]
    fit_new_rows(layer, 2, *sampled_features(net, layer, images()), power)
    for key, value in net.state_dict().items():
        assert torch.equal(value[:2], before[key][:2]) and torch.isfinite(value).all()
    for picture, target in images(seed=1):
        with torch.inference_mode():
            found = net(picture[None])[0].argmax(0).numpy()
        truth = target[::2, ::2]
        assert (found == truth)[truth != NO_CLASS].mean() > 0.95


def layer_keys(bias):
    return ["weight", "bias"] if bias else ["weight"]


def test_pixels_without_a_class_are_left_out_and_all_others_counted():
    net = network()
    features, classes, counts = sampled_features(net, net[1], images())
    expected = np.bincount(np.concatenate([target[::2, ::2].ravel() for _, target in images()]), minlength=3)
    assert counts.tolist() == expected[:3].tolist() and len(features) == len(classes) == counts.sum()
    before = len(features)
    net(torch.zeros(1, 3, 16, 16))
    assert len(features) == before


def test_another_last_layer_is_none():
    assert last_layer(nn.Sequential(nn.Conv2d(3, 3, 3)), ["0.weight"]) is None
    assert last_layer(nn.Sequential(nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)), ["0.weight", "1.weight"]) is None
    assert last_layer(nn.Sequential(nn.Linear(3, 3)), ["0.weight"]) is None
