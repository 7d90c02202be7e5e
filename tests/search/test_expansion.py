import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oodretrieval.choices import EXPANDED_UP_TO, METRICS, OF_TWO_VECTORS
from oodretrieval.errors import UnknownNameError
from oodretrieval.search import metric_in_use, neighbour_index
from oodretrieval.search.expansion import ExpandedNeighbours, expanded_directions


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
@given(st.integers(2, 30), st.integers(0, 12), st.integers(0, 2**32 - 1))
def test_as_it_is_defined(count, neighbours, seed):
    vectors = np.random.default_rng(seed).normal(size=(count, 6)) + 1
    np.testing.assert_allclose(
        expanded_directions(vectors, neighbours), slowly(vectors, neighbours), atol=1e-6
    )


def test_in_blocks_as_at_once(monkeypatch):
    vectors = np.random.default_rng(0).normal(size=(50, 8))
    whole = expanded_directions(vectors)
    monkeypatch.setattr("oodretrieval.search.expansion.BYTES_AT_ONCE", 4 * 50 * 7)
    np.testing.assert_allclose(expanded_directions(vectors), whole, atol=1e-6)


def test_few_and_none():
    assert expanded_directions(np.zeros((0, 3))).shape == (0, 3)
    assert expanded_directions([[3.0, 4.0]]).tolist() == [[0.0, 0.0]], "one vector is the mean"
    np.testing.assert_allclose(
        expanded_directions([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])[2], [0, 0], atol=1e-12
    )
    with pytest.raises(ValueError, match="at least 0"):
        expanded_directions(np.ones((3, 2)), -1)
    with pytest.raises(ValueError, match="finite"):
        expanded_directions([[np.nan, 1.0]])


@settings(deadline=None)
@given(st.integers(2, 40), st.integers(0, 2**32 - 1))
def test_the_index_compares_what_vectors_become(count, seed):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(count, 5)) + 1
    moved = expanded_directions(vectors)
    index = ExpandedNeighbours(vectors)
    row = int(rng.integers(count))
    expected = 1 - moved @ moved[row]
    np.testing.assert_allclose(index.distances(vectors[row]), expected, atol=1e-6)
    rows, distances = index.query(vectors[row], count)
    assert rows[0] == row and distances[0] == 0, "a stored vector finds itself"
    np.testing.assert_allclose(distances, expected[rows], atol=1e-6)
    assert (np.diff(distances) >= 0).all()


def test_a_query_that_is_not_stored_moves_like_one_that_is():
    vectors = np.random.default_rng(0).normal(size=(60, 5)) + 1
    index = ExpandedNeighbours(vectors)
    query = vectors[3] + 1e-3
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    centred = units - units.mean(axis=0)
    own = query / np.linalg.norm(query) - units.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    own /= np.linalg.norm(own)
    nearest = np.argsort(-(centred @ own))[:4]
    moved = own + (centred[nearest] @ own) @ centred[nearest]
    expected = 1 - expanded_directions(vectors) @ (moved / np.linalg.norm(moved))
    np.testing.assert_allclose(index.distances(query), expected, atol=1e-6)


def test_groups_and_what_may_be_found():
    vectors = np.random.default_rng(1).normal(size=(30, 4))
    index = ExpandedNeighbours(vectors)
    among = np.arange(30) % 2 == 1
    rows, _ = index.query(vectors[4], 5, among=among)
    assert (rows % 2 == 1).all() and len(rows) == 5
    found = index.query_groups(vectors[4], 3, np.arange(30) // 3)
    assert found.rows[0] == 4 and found.counts.tolist() == [3, 3, 3]
    assert len(set(found.rows // 3)) == 3


def test_many_are_compared_by_centred_cosine(caplog):
    caplog.set_level("INFO")
    vectors = np.random.default_rng(2).normal(size=(EXPANDED_UP_TO + 1, 2)).astype(np.float32)
    many = neighbour_index(vectors, "expanded_cosine")
    assert many.metric == "centred_cosine" and "expanded_cosine is for up to 5000" in caplog.text
    for metric in METRICS:
        assert neighbour_index(vectors[:50], metric).metric == metric
        assert (metric_in_use(metric, 10**6) == metric) == (metric in OF_TWO_VECTORS)
    with pytest.raises(UnknownNameError, match="unknown distance metric 'manhattan'"):
        metric_in_use("manhattan", 3)


def test_few_vectors_stay_apart():
    vectors = np.random.default_rng(3).normal(size=(14, 3))
    few, plain = ExpandedNeighbours(vectors), neighbour_index(vectors, "centred_cosine")
    for query in (vectors[5], vectors[5] + 0.1):
        np.testing.assert_allclose(few.distances(query), plain.distances(query), atol=1e-6)
