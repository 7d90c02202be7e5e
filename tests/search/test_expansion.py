import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oodretrieval.search.expansion import expanded_directions


def slowly(vectors, neighbours):
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    centred = units - units.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    rows = []
    for i, one in enumerate(centred):
        others = sorted((j for j in range(len(centred)) if j != i), key=lambda j: -(centred[j] @ one))
        near = sum((max(0.0, centred[j] @ one) * centred[j] for j in others[:neighbours]), np.zeros(len(one)))
        rows.append((one + near) / np.linalg.norm(one + near))
    return np.array(rows)


@settings(deadline=None)
@given(st.integers(2, 30), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_as_it_is_defined(count, neighbours, seed):
    vectors = np.random.default_rng(seed).normal(size=(count, 6)) + 1
    np.testing.assert_allclose(
        expanded_directions(vectors, neighbours), slowly(vectors, neighbours), atol=1e-9
    )


def test_in_blocks_as_at_once(monkeypatch):
    vectors = np.random.default_rng(0).normal(size=(50, 8))
    whole = expanded_directions(vectors)
    monkeypatch.setattr("oodretrieval.search.expansion.BYTES_AT_ONCE", 8 * 50 * 80)
    np.testing.assert_allclose(expanded_directions(vectors), whole, atol=1e-12)


def test_few_and_none():
    assert expanded_directions(np.zeros((0, 3))).shape == (0, 3)
    assert expanded_directions([[3.0, 4.0]]).tolist() == [[0.0, 0.0]], "one vector is the mean"
    np.testing.assert_allclose(
        expanded_directions([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])[2], [0, 0], atol=1e-12
    )
    with pytest.raises(ValueError, match="at least 1"):
        expanded_directions(np.ones((3, 2)), 0)
    with pytest.raises(ValueError, match="finite"):
        expanded_directions([[np.nan, 1.0]])
