import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays
from hypothesis.strategies import floats, just

from oodretrieval.directions import unit_vectors

NUMBERS = just(0.0) | floats(1e-3, 1e3) | floats(-1e3, -1e-3)


@given(arrays(np.float64, array_shapes(min_dims=1, max_dims=3), elements=NUMBERS))
def test_of_length_one_and_the_same_way_or_zero(vectors):
    units = unit_vectors(vectors)
    lengths = np.sqrt((vectors**2).sum(axis=-1))
    np.testing.assert_allclose(np.sqrt((units**2).sum(axis=-1)), lengths > 0, atol=1e-9)
    expected = np.where(lengths[..., None] > 0, vectors, 0)
    np.testing.assert_allclose(units * lengths[..., None], expected, atol=1e-9)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_keeps_the_type(kind):
    assert unit_vectors(np.eye(2, 3, dtype=kind)).dtype == kind
