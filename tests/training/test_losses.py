import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from oodretrieval.training import class_weights, cross_entropy


def plain(logits, target, weights):
    """Pixel by pixel."""
    total, mass = 0.0, 0.0
    for n, row, column in np.ndindex(*target.shape):
        true = int(target[n, row, column])
        if true == 255:
            continue
        scores = [math.exp(v) for v in logits[n, :, row, column].tolist()]
        weight = 1.0 if weights is None else float(weights[true])
        total -= weight * math.log(scores[true] / sum(scores))
        mass += weight
    return total / mass if mass else 0.0


@given(st.integers(0, 10**6), st.booleans(), st.floats(0, 1))
def test_cross_entropy_is_the_plain_loop(seed, weighted, ignored):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(2, 4, 3, 5, generator=generator)
    target = torch.randint(0, 4, (2, 3, 5), generator=generator)
    target[torch.rand(2, 3, 5, generator=generator) < ignored] = 255
    weights = torch.rand(4, generator=generator) + 0.1 if weighted else None
    loss = float(cross_entropy(logits, target, weights))
    assert loss == pytest.approx(plain(logits, target, weights), rel=1e-4, abs=1e-6)


def test_without_a_class_anywhere_the_loss_is_zero_and_so_is_its_gradient():
    logits = torch.randn(1, 3, 2, 2, requires_grad=True)
    loss = cross_entropy(logits, torch.full((1, 2, 2), 255))
    loss.backward()
    assert float(loss.detach()) == 0
    assert not logits.grad.any()


def test_ignored_pixels_have_no_gradient():
    logits = torch.randn(1, 3, 2, 2, requires_grad=True)
    cross_entropy(logits, torch.tensor([[[0, 255], [2, 255]]])).backward()
    assert not logits.grad[..., 1].any()
    assert logits.grad[..., 0].any()


def test_half_precision_logits_are_summed_in_single():
    logits = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    target = torch.zeros(1, 64, 64, dtype=torch.long)
    half = cross_entropy(logits.bfloat16(), target)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, cross_entropy(logits, target), rtol=1e-2, atol=0)


counts = st.lists(st.integers(0, 10**9), min_size=1, max_size=20).map(np.array)


@given(counts, st.floats(0, 1))
def test_class_weights_fall_with_frequency_and_stay_in_range(pixels, power):
    weights = class_weights(pixels, power).numpy()
    assert weights.dtype == np.float32
    assert ((weights == 0) == (pixels == 0)).all()
    assert (weights <= 10).all()
    order = np.argsort(pixels[pixels > 0])
    assert (np.diff(weights[pixels > 0][order]) <= 1e-6).all()


@given(counts)
def test_power_zero_weighs_all_seen_classes_alike(pixels):
    assert set(class_weights(pixels, 0).tolist()) <= {0.0, 1.0}


def test_power_one_undoes_the_frequencies():
    pixels = np.array([100, 200, 0, 300])
    products = class_weights(pixels, 1).numpy() * pixels
    np.testing.assert_allclose(products, [200, 200, 0, 200], rtol=1e-6)
