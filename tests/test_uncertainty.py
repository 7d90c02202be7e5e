import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp, softmax
from scipy.stats import entropy as plain_entropy

from oodretrieval.uncertainty import energy, normalised_entropy, softmax_and_energy

LOGITS = np.random.default_rng(0).normal(0, 9, (4, 5, 6)).astype(np.float32)


@pytest.mark.parametrize("axis", [0, 1, 2, -1])
def test_of_any_axis_as_scipy_has_it(axis):
    probabilities, heat = softmax_and_energy(LOGITS, axis)
    np.testing.assert_allclose(probabilities, softmax(LOGITS, axis), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(heat, -logsumexp(LOGITS, axis), rtol=1e-6)
    np.testing.assert_array_equal(energy(LOGITS, axis), heat)
    expected = plain_entropy(probabilities, axis=axis) / np.log(LOGITS.shape[axis])
    np.testing.assert_allclose(normalised_entropy(probabilities, axis), expected, atol=1e-5)


@given(st.floats(-1e4, 1e4))
def test_a_constant_moves_the_energy_alone(constant):
    logits = LOGITS.astype(np.float64)
    probabilities, heat = softmax_and_energy(logits + constant, 0)
    np.testing.assert_allclose(probabilities, softmax_and_energy(logits, 0)[0], atol=1e-9)
    np.testing.assert_allclose(heat, energy(logits, 0) - constant, atol=1e-7)
