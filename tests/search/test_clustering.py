import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oodretrieval.errors import UnknownNameError
from oodretrieval.search import cluster, elbow, elbow_curve
from oodretrieval.search.clustering import METHODS

RNG = np.random.default_rng(0)
CENTRES = np.array([[0.0, 0, 0], [20, 0, 0], [0, 20, 0], [0, 0, 20]])
SIZES = (30, 24, 18, 12)
BLOBS = np.concatenate([c + RNG.normal(size=(n, 3)) for c, n in zip(CENTRES, SIZES, strict=True)])
TRUTH = np.repeat(np.arange(4), SIZES)
methods = pytest.mark.parametrize("method", METHODS)


@methods
def test_finds_groups_that_are_there_largest_first(method):
    np.testing.assert_array_equal(cluster(BLOBS, method, 4), TRUTH)


@methods
def test_without_a_number_the_elbow_chooses(method):
    np.testing.assert_array_equal(cluster(BLOBS, method), TRUTH)


@methods
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_every_vector_is_in_one_group_and_no_group_is_empty(method, data):
    shape = st.tuples(st.integers(0, 12), st.integers(1, 3))
    points = data.draw(arrays(np.float32, shape, elements=st.integers(-3, 3).map(float)))
    number = data.draw(st.integers(1, 14))
    groups = cluster(points, method, number)
    assert groups.shape == (len(points),)
    distinct = np.unique(points, axis=0)
    assert np.unique(groups).tolist() == list(range(min(number, len(distinct))))
    counts = np.bincount(groups)
    assert (np.diff(counts) <= 0).all()
    for row in distinct:
        assert len(set(groups[(points == row).all(axis=1)])) == 1, "equal vectors, one group"
    np.testing.assert_array_equal(groups, cluster(points, method, number))


@methods
def test_more_groups_than_vectors(method):
    assert sorted(cluster([[0.0], [1.0], [2.0]], method, 9)) == [0, 1, 2]


@methods
def test_one_vector_and_none(method):
    assert cluster([[3.0, 4.0]], method).tolist() == [0]
    assert cluster(np.zeros((0, 4)), method).tolist() == []


def test_the_curve_against_sums_done_by_hand():
    curve = elbow_curve(BLOBS, 4)
    total = ((BLOBS - BLOBS.mean(axis=0)) ** 2).sum()
    within = sum(((BLOBS[i == TRUTH] - BLOBS[i == TRUTH].mean(axis=0)) ** 2).sum() for i in range(4))
    assert curve[0] == pytest.approx(total)
    assert curve[3] == pytest.approx(within)
    assert (np.diff(curve) <= 0).all()


def test_the_curve_ends_with_the_different_vectors():
    assert elbow_curve([[1.0], [1.0], [5.0]]).tolist() == [pytest.approx(32 / 3), 0]
    assert elbow_curve(np.zeros((0, 2))).tolist() == []


def test_the_elbow_is_where_the_groups_are():
    assert elbow(elbow_curve(BLOBS)) == 4
    assert elbow(np.array([])) == elbow(np.array([5.0])) == elbow(np.array([5.0, 5.0, 5.0])) == 1
    assert elbow(np.array([9.0, 6.0, 3.0])) == 1


def test_errors_say_what_was_expected():
    with pytest.raises(UnknownNameError, match="kmeans"):
        cluster(BLOBS, "kmeens", 2)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        cluster(BLOBS, clusters=0)
    with pytest.raises(ValueError, match=r"\(n, D\)"):
        cluster([1.0, 2.0])
    with pytest.raises(ValueError, match="NaN"):
        elbow_curve([[np.nan]])


def test_groups_that_a_method_left_empty_are_filled(monkeypatch):
    """As spectral clustering does where points are alike: the farthest of the largest group becomes one."""
    monkeypatch.setitem(METHODS, "spectral", lambda points, *_: np.where(points[:, 0] < 9, 0, 2))
    points = np.array([[0.0], [1.0], [2.0], [4.0], [9.0], [10.0]])
    assert cluster(points, "spectral", 4).tolist() == [2, 0, 0, 3, 1, 1]


def test_as_many_vectors_as_dimensions():
    points = np.array([[0.0, 0, 0], [0, 0, 1], [0, 0, -1]])
    assert sorted(np.bincount(cluster(points, "spectral", 2))) == [1, 2]
