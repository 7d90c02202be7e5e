"""Expected non-distinctiveness: anchors, a plain loop, and what it keeps."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oodretrieval.evaluation import ExpectedNonDistinctiveness, non_distinctiveness

CHANNELS = 5
maps = arrays(np.float64, (2, CHANNELS, 3, 4), elements=st.floats(-30, 30))


def plain(pixel, mode, background):
    """One pixel, by the words of the definition."""
    b = pixel[background]
    x = [value for k, value in enumerate(pixel) if k != background]
    largest = max(math.exp(v) for v in x) / sum(math.exp(v) for v in x)
    in_class = (largest - 1 / len(x)) / (1 - 1 / len(x))
    if mode == 1:
        return in_class * math.exp(b) / sum(math.exp(v) for v in pixel)
    return in_class / (1 + math.exp(max(x) - b))


def anchor(height, width, background=0):
    values = torch.full((1, 21, height, width), -9.0)
    values[:, (background + 1) % 21] = 11.0
    values[:, background] = 10.0
    return values


@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 5), (64, 96)])
@pytest.mark.parametrize(("mode", "expected"), [(1, 0.26894140), (2, 0.26894141)])
@pytest.mark.parametrize("background", [0, 20, 3])
def test_the_anchors_hold_at_any_size(height, width, mode, expected, background):
    measure = ExpectedNonDistinctiveness(mode, background)
    assert measure(anchor(height, width, background)) == pytest.approx(expected, abs=1e-8)
    assert round(measure(anchor(9, 2, background)), 8) == expected


@given(maps, st.sampled_from([1, 2]), st.integers(0, CHANNELS - 1))
def test_agrees_with_the_plain_loop(logits, mode, background):
    expected = [plain(logits[n, :, y, x].tolist(), mode, background) for n, y, x in np.ndindex(2, 3, 4)]
    found = non_distinctiveness(logits, mode, background)
    np.testing.assert_allclose(found.ravel(), expected, atol=1e-12)
    assert (found >= -1e-12).all() and (found <= 1).all()


@given(maps, st.sampled_from([1, 2]), st.floats(-500, 500))
def test_a_constant_changes_nothing(logits, mode, constant):
    np.testing.assert_allclose(
        non_distinctiveness(logits + constant, mode), non_distinctiveness(logits, mode), atol=1e-9
    )


@given(st.lists(maps, min_size=1, max_size=3), st.sampled_from([1, 2]))
def test_runs_over_all_pixels_until_it_is_reset(batches, mode):
    measure = ExpectedNonDistinctiveness(mode)
    values = [measure(batch) for batch in batches]
    whole = np.concatenate(batches)
    assert values[-1] == measure.value == pytest.approx(non_distinctiveness(whole, mode).mean())
    measure.reset()
    assert math.isnan(measure.value)
    assert measure(batches[0]) == pytest.approx(values[0])


def test_ignored_labels_are_left_out():
    logits = np.random.default_rng(0).normal(size=(1, 4, 2, 3))
    labels = np.array([[[0, 255, 1], [255, 2, 255]]])
    kept = non_distinctiveness(logits)[labels != 255].mean()
    for truth in (labels, torch.from_numpy(labels)):
        assert ExpectedNonDistinctiveness(ignore=255)(logits, truth) == pytest.approx(kept)
    assert ExpectedNonDistinctiveness()(logits, labels) == pytest.approx(non_distinctiveness(logits).mean())
    assert math.isnan(ExpectedNonDistinctiveness(ignore=255)(logits, np.full_like(labels, 255)))


def test_tensors_of_any_precision_and_no_graph():
    logits = torch.randn(1, 4, 8, 8, requires_grad=True)
    measure = ExpectedNonDistinctiveness()
    assert isinstance(measure(logits * 2), float)
    assert ExpectedNonDistinctiveness()(logits.bfloat16()) == pytest.approx(
        ExpectedNonDistinctiveness()(logits), abs=1e-2
    )
    assert not any(isinstance(value, torch.Tensor) for value in vars(measure).values())


def test_small_contributions_are_not_lost_in_a_long_sum():
    measure = ExpectedNonDistinctiveness()
    large = anchor(200, 200)
    for _ in range(8):
        measure(large)
    assert measure.value == pytest.approx(0.26894140, abs=1e-8)


@pytest.mark.parametrize(
    ("arguments", "shape", "message"),
    [
        ({}, (1, 2, 4, 4), r"background and K >= 2 classes, got \(1, 2, 4, 4\)"),
        ({"background": 4}, (1, 4, 2, 2), r"a channel 0 … 3, got 1 and 4"),
        ({"background": -1}, (1, 4, 2, 2), r"a channel 0 … 3"),
    ],
)
def test_what_cannot_be_measured_is_refused(arguments, shape, message):
    with pytest.raises(ValueError, match=message):
        ExpectedNonDistinctiveness(**arguments)(np.zeros(shape))


def test_unknown_modes_and_labels_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="mode must be 1 or 2, got 3"):
        ExpectedNonDistinctiveness(mode=3)
    with pytest.raises(ValueError, match=r"labels \(1, 2, 3\) must have the shape"):
        ExpectedNonDistinctiveness(ignore=255)(np.zeros((1, 4, 2, 2)), np.zeros((1, 2, 3)))
