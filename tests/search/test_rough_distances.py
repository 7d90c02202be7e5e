from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from oodretrieval.search.rough_distances import ReadVectors, rough_cosine, rough_euclidean
from oodretrieval.search.short_vectors import shortened


def as_they_are(vectors):
    return ReadVectors(vectors, np.linalg.norm(vectors.astype(np.float64), axis=1), np.zeros(1))


def in_float32(vectors):
    read = replace(as_they_are(vectors), rough=True)
    assert read.in_float32
    return read


@pytest.mark.parametrize("read", [as_they_are, shortened, in_float32])
@pytest.mark.parametrize(("scale", "shift"), [(1, 0), (1e-3, 50), (1e-18, 0), (1e18, 0), (1, 1e6)])
@pytest.mark.parametrize("size", [40, 64, 200])
def test_what_is_measured_lies_within_the_slack(read, scale, shift, size):
    random = np.random.default_rng(0)
    vectors = (random.normal(size=(200, size)) * scale + shift).astype(np.float32)
    vectors[3], vectors[4] = vectors[2], 0
    wide = vectors.astype(np.float64)
    for row, metric in product((2, 4, 17), ("euclidean", "cosine")):
        if metric == "euclidean":
            measured = cdist(wide, wide[row : row + 1])[:, 0]
            rough, slack = rough_euclidean(read(vectors), wide[row])
        else:
            norms = np.linalg.norm(wide, axis=1)
            lengths = norms * norms[row]
            cosines = np.divide(wide @ wide[row], lengths, out=np.zeros(200), where=lengths > 0)
            measured = np.where((norms > 0) == (norms[row] > 0), 1 - cosines, 1.0)
            measured[(norms == 0) & (norms[row] == 0)] = 0
            rough, slack = rough_cosine(read(vectors), wide[row], norms)
        assert (np.abs(rough - measured) <= slack).all()
        if not shift:  # far from the origin rounding may leave everything open
            share = np.median(slack[measured > 0] / measured[measured > 0])
            assert share < {as_they_are: 1e-10, shortened: 1e-2, in_float32: 1e-4}[read]


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_what_would_leave_the_range_of_float32_is_added_in_float64(scale):
    vectors = np.full((3, 100), scale, np.float32)
    assert not replace(as_they_are(vectors), rough=True).in_float32
    assert not replace(as_they_are(vectors.astype(np.float64)), rough=True).in_float32


def test_queries_of_any_size_are_read_in_float32():
    vectors = np.eye(3, 80, dtype=np.float32)
    for size in (1e-300, 1e-40, 1.0, 1e40, 1e300):
        products = in_float32(vectors).products(np.full(80, size))
        np.testing.assert_allclose(products, size, rtol=1e-6)
    assert not in_float32(vectors).products(np.zeros(80)).any()
