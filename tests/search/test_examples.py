"""Several examples, and what is not wanted, make one query."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oodretrieval.choices import METRICS
from oodretrieval.errors import UnknownNameError
from oodretrieval.search import NearestNeighbours, neighbour_index, query_vector
from oodretrieval.search.examples import AWAY

vectors = arrays(np.float64, st.tuples(st.integers(1, 4), st.just(3)), elements=st.integers(-3, 3))


@given(vectors)
def test_one_example_finds_what_it_would_itself(examples):
    for metric in METRICS:
        index = neighbour_index(np.eye(3), metric)
        asked = index.query(query_vector(examples[:1], None, metric, index.centre), 3)
        np.testing.assert_allclose(asked[1], index.query(examples[0], 3)[1], atol=1e-12)


@given(vectors, vectors)
def test_as_written_out(wanted, unwanted):
    middle, other = wanted.mean(0), unwanted.mean(0)
    expected = middle + AWAY * (middle - other)
    np.testing.assert_allclose(query_vector(wanted, unwanted, "euclidean"), expected, atol=1e-12)
    like, unlike = (
        np.mean([row / (np.linalg.norm(row) or 1) for row in rows], axis=0) for rows in (wanted, unwanted)
    )
    np.testing.assert_allclose(query_vector(wanted, unwanted), like - AWAY * unlike, atol=1e-12)


@given(vectors, vectors, st.integers(0, 9))
def test_about_a_centre_as_written_out(wanted, unwanted, seed):
    """The neighbours of the query are those of the middle of centred directions."""
    stored = np.random.default_rng(seed).normal((3, 0, 0), size=(20, 3))
    index = NearestNeighbours(stored, "centred_cosine")
    about = [
        [0 * row if not row.any() else row / np.linalg.norm(row) - index.centre for row in rows]
        for rows in (wanted, unwanted)
    ]
    middle = np.mean(about[0], axis=0) - AWAY * np.mean(about[1], axis=0)
    assume(np.linalg.norm(middle) > 1e-3)
    units = stored / np.linalg.norm(stored, axis=1, keepdims=True) - index.centre
    expected = 1 - units @ middle / np.linalg.norm(units, axis=1) / np.linalg.norm(middle)
    rows, distances = index.query(query_vector(wanted, unwanted, "centred_cosine", index.centre), 20)
    np.testing.assert_allclose(distances, expected[rows], atol=1e-9)


def test_nothing_in_the_middle_is_the_centre():
    centre = np.array([0.5, 0, 0])
    np.testing.assert_array_equal(query_vector([[0.0, 0, 0]], None, "centred_cosine", centre), centre)


def test_what_is_not_wanted_moves_back():
    stored = [[1, 0.1, 0], [1, 0, 0.1]]
    index = NearestNeighbours(stored, "cosine")
    assert index.query(query_vector([[1, 0, 0.01]]), 1)[0].tolist() == [1]
    assert index.query(query_vector([[1, 0, 0.01]], [[0, 0, 1]]), 1)[0].tolist() == [0]


def test_refuses_what_is_no_query():
    with pytest.raises(ValueError, match=r"wanted \(p >= 1, D\)"):
        query_vector(np.zeros((0, 3)))
    with pytest.raises(ValueError, match=r"got \(1, 3\) and \(1, 2\)"):
        query_vector([[1, 2, 3]], [[1, 2]])
    with pytest.raises(ValueError, match="finite"):
        query_vector([[1, np.inf]])
    with pytest.raises(UnknownNameError, match="did you mean 'cosine'"):
        query_vector([[1]], metric="cosin")
    with pytest.raises(ValueError, match="need the centre of their index"):
        query_vector([[1]], metric="centred_cosine")
