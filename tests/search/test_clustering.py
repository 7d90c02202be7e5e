import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.cluster import AgglomerativeClustering
from sklearn.metrics import adjusted_rand_score

from oodretrieval.errors import UnknownNameError
from oodretrieval.search import (
    cluster,
    clustering,
    elbow,
    elbow_curve,
    noise_share,
    silhouette,
    silhouette_curve,
)
from oodretrieval.search.clustering import DENSITY_METHODS, METHODS
from oodretrieval.search.weighted_ward import weighted_ward

RNG = np.random.default_rng(0)
CENTRES = np.array([[0.0, 0, 0], [20, 0, 0], [0, 20, 0], [0, 0, 20]])
SIZES = (30, 24, 18, 12)
BLOBS = np.concatenate([c + RNG.normal(size=(n, 3)) for c, n in zip(CENTRES, SIZES, strict=True)])
TRUTH = np.repeat(np.arange(4), SIZES)
methods = pytest.mark.parametrize("method", [name for name in METHODS if name not in DENSITY_METHODS])
dense = pytest.mark.parametrize("method", DENSITY_METHODS)


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
    leaving = lambda self, points: np.where(points[:, 0] < 9, 0, 2)  # noqa: E731
    monkeypatch.setattr(clustering.SpectralClustering, "fit_predict", leaving)
    points = np.array([[0.0], [1.0], [2.0], [4.0], [9.0], [10.0]])
    assert cluster(points, "spectral", 4).tolist() == [2, 0, 0, 3, 1, 1]


def test_as_many_vectors_as_dimensions():
    points = np.array([[0.0, 0, 0], [0, 0, 1], [0, 0, -1]])
    assert sorted(np.bincount(cluster(points, "spectral", 2))) == [1, 2]


@dense
def test_density_finds_the_groups_and_their_number_and_leaves_what_is_apart(method):
    apart = np.full(3, 99.0)
    groups = cluster(np.concatenate([BLOBS, [apart]]), method, **({"eps": 4.0} if method == "dbscan" else {}))
    assert groups[-1] == -1
    inside = groups[:-1] >= 0
    assert inside.mean() > 0.9
    np.testing.assert_array_equal(groups[:-1][inside], TRUTH[inside])
    assert noise_share(groups) == (groups == -1).mean() > 0


@dense
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_density_laws(method, data):
    shape = st.tuples(st.integers(0, 14), st.integers(1, 3))
    points = data.draw(arrays(np.float32, shape, elements=st.integers(-3, 3).map(float)))
    groups = cluster(points, method)
    assert groups.shape == (len(points),)
    assert sorted(set(groups.tolist()) - {-1}) == list(range(groups.max(initial=-1) + 1))
    assert (np.diff(np.bincount(groups[groups >= 0])) <= 0).all()
    for row in np.unique(points, axis=0):
        assert len(set(groups[(points == row).all(axis=1)])) == 1, "equal vectors, one group"
    np.testing.assert_array_equal(groups, cluster(points, method))


@dense
def test_density_takes_no_number(method):
    with pytest.raises(ValueError, match="finds the number of clusters by itself"):
        cluster(BLOBS, method, 4)


def test_options_of_a_method_are_checked():
    with pytest.raises(UnknownNameError, match="min_samples"):
        cluster(BLOBS, "dbscan", epsilon=1.0)
    with pytest.raises(ValueError, match="eps must be at least 0"):
        cluster(BLOBS, "dbscan", eps=-1.0)


def test_dbscan_chooses_the_distance_at_the_knee():
    """In blobs of one density, most of what is near its fifth neighbour is inside."""
    groups = cluster(BLOBS, "dbscan")
    assert groups.max() == 3 and noise_share(groups) < 0.2


@methods
def test_more_than_can_be_compared_are_grouped_by_centres(method, monkeypatch):
    """The same groups as of all of them, where groups are apart."""
    monkeypatch.setattr(clustering, "LARGEST_COMPARED", 60)
    monkeypatch.setattr(clustering, "LARGEST_WHOLE", 60)
    monkeypatch.setattr(clustering, "CENTRES", 40)
    options = {"n_neighbors": 3} if method == "spectral" else {}
    np.testing.assert_array_equal(cluster(BLOBS, method, 4, **options), TRUTH)


@given(st.integers(0, 99), st.integers(2, 12), st.integers(1, 8))
@settings(max_examples=25, deadline=None)
def test_weighted_ward_is_ward_of_repeated_points(seed, count, number):
    random = np.random.default_rng(seed)
    points, weights = random.normal(size=(count, 2)), random.integers(1, 5, count)
    number = min(number, count)
    found = weighted_ward(points, weights.astype(float), number)
    repeated = np.repeat(points, weights, axis=0)
    expected = AgglomerativeClustering(number, linkage="ward").fit_predict(repeated)
    assert adjusted_rand_score(np.repeat(found, weights), expected) == 1


def test_silhouettes_by_hand():
    def plain(points, groups):
        values = []
        for i, group in enumerate(groups):
            if group < 0:
                continue
            means = {
                g: np.mean(
                    [np.linalg.norm(points[i] - points[j]) for j in np.flatnonzero(groups == g) if j != i]
                )
                for g in set(groups.tolist()) - {-1}
            }
            own = means.pop(group)
            values.append((min(means.values()) - own) / max(own, min(means.values())))
        return np.mean(values)

    groups = np.where(np.arange(len(BLOBS)) % 11 == 0, -1, TRUTH)
    assert silhouette(BLOBS, groups) == pytest.approx(plain(BLOBS, groups))
    assert np.isnan(silhouette(BLOBS, np.zeros(len(BLOBS), int)))


def test_the_silhouette_is_highest_at_the_number_of_groups_that_are_there():
    seen = []
    curve = silhouette_curve(BLOBS, largest=6, progress=lambda done, total: seen.append((done, total)))
    assert 2 + int(curve.argmax()) == 4
    assert seen == [(number, 6) for number in range(2, 7)]
    assert silhouette_curve(BLOBS[:2]).tolist() == []
