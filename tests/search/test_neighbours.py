from contextlib import contextmanager
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.spatial.distance import cdist

from oodretrieval.choices import OF_TWO_VECTORS
from oodretrieval.errors import UnknownNameError
from oodretrieval.parted_arrays import PartedArray
from oodretrieval.search import NearestNeighbours, kernels, neighbours, passes

# whole numbers, so that the oracle's distances are exact and ties frequent
grid = st.integers(1, 30).flatmap(
    lambda n: st.tuples(arrays(np.float32, (n, 3), elements=st.integers(-2, 2)), st.integers(0, n - 1))
)


few = st.sampled_from([0, 2**18])
"""Small catalogues are measured at once; large ones begin with a pass."""


@contextmanager
def few_are(number):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbours, "FEW", number)
        patch.setattr(passes, "BYTES_AT_ONCE", 64)
        yield


def plain(vectors, query, metric):
    wide, point = vectors.astype(np.float64), np.asarray(query, np.float64)
    if metric == "euclidean":
        return np.sqrt(((wide - point) ** 2).sum(1))
    if metric == "centred_cosine":
        units = np.array([row / (np.linalg.norm(row) or 1) for row in wide])
        centre = units.mean(axis=0)
        about = [
            unit - centre if unit.any() else unit for unit in [*units, point / (np.linalg.norm(point) or 1)]
        ]
        *rows, point = [row if np.linalg.norm(row) > 1e-9 else 0 * row for row in about]
        wide = np.array(rows)
    norms = np.linalg.norm(wide, axis=1) * np.linalg.norm(point)
    same_kind = (np.linalg.norm(wide, axis=1) > 0) == (np.linalg.norm(point) > 0)
    cosine = np.divide(wide @ point, norms, out=np.ones(len(wide)), where=norms > 0)
    return np.where(same_kind, 1 - cosine, 1.0)


@given(grid, st.integers(1, 40), few)
def test_euclidean_against_plain_with_ties(case, k, number):
    vectors, row = case
    with few_are(number):
        indices, distances = NearestNeighbours(vectors).query(vectors[row], k)
    expected = plain(vectors, vectors[row], "euclidean")
    order = np.lexsort((np.arange(len(vectors)), expected))[:k]
    assert indices.tolist() == order.tolist()
    assert distances == pytest.approx(expected[order])


@given(grid, st.integers(1, 40), few, st.sampled_from(["cosine", "centred_cosine"]))
def test_cosine_distances_against_plain(case, k, number, metric):
    vectors, row = case
    with few_are(number):
        indices, distances = NearestNeighbours(vectors, metric).query(vectors[row], k)
    expected = plain(vectors, vectors[row], metric)
    assert len(set(indices.tolist())) == len(indices) == min(k, len(vectors))
    assert distances == pytest.approx(expected[indices], abs=1e-12)
    assert distances == pytest.approx(np.sort(expected)[:k], abs=1e-12)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("scale", "shift"), [(1, 0), (1e-3, 50), (1e-18, 0), (1e25, 0), (1, 1e4), (1e-7, 1)])
@pytest.mark.parametrize("number", [0, 2**18])
def test_exact_at_any_scale(metric, dtype, scale, shift, number, monkeypatch):
    """Also where float32 alone would lose the differences, or leave its range."""
    monkeypatch.setattr(neighbours, "FEW", number)
    random = np.random.default_rng(0)
    vectors = (random.normal(size=(300, 40)) * scale + shift).astype(dtype)
    index = NearestNeighbours(vectors, metric)
    wide = vectors.astype(np.float64)
    for query in (wide[17], wide[:2].mean(0)):
        indices, distances = index.query(query, 12)
        expected = cdist(wide, query[None], metric)[:, 0]
        # cdist's cosine itself is good to 1e-16 only
        assert distances == pytest.approx(
            np.sort(expected)[:12], rel=1e-9, abs=1e-14 if metric == "cosine" else 0
        )
        if metric == "euclidean":
            assert indices.tolist() == np.argsort(expected, kind="stable")[:12].tolist()


def test_lengths_whose_squares_leave_the_range_when_added(monkeypatch):
    monkeypatch.setattr(neighbours, "FEW", 0)
    vectors = np.random.default_rng(0).normal(size=(300, 40)) * 1e153
    indices, distances = NearestNeighbours(vectors).query(vectors[17], 12)
    expected = cdist(vectors / 1e153, vectors[17:18] / 1e153)[:, 0]
    assert indices.tolist() == np.argsort(expected)[:12].tolist()
    assert distances / 1e153 == pytest.approx(np.sort(expected)[:12])


@pytest.mark.parametrize("metric", OF_TWO_VECTORS)
@pytest.mark.parametrize("number", [0, 2**18])
def test_a_stored_vector_finds_itself_first(metric, number, monkeypatch):
    monkeypatch.setattr(neighbours, "FEW", number)
    random = np.random.default_rng(1)
    vectors = random.normal(size=(200, 64)).astype(np.float32)
    vectors[50] = 0
    index = NearestNeighbours(vectors, metric)
    for row in range(0, 200, 10):
        indices, distances = index.query(vectors[row], 3)
        assert indices[0] == row
        assert distances[0] == 0


def test_duplicates_are_tied_and_ordered_by_index(monkeypatch):
    random = np.random.default_rng(2)
    vectors = random.normal(size=(10, 129)).astype(np.float32)[random.integers(0, 10, 100)]
    for size in (1, 129 * 8 * 7, 2**26):
        monkeypatch.setattr(passes, "BYTES_AT_ONCE", size)
        for metric, number in product(OF_TWO_VECTORS, (0, 2**18)):
            monkeypatch.setattr(neighbours, "FEW", number)
            indices, distances = NearestNeighbours(vectors, metric).query(vectors[3], 40)
            for value in np.unique(distances):
                assert (np.diff(indices[distances == value]) > 0).all()
            assert len(np.unique(distances)) <= 10


def test_reads_a_memory_mapped_file(tmp_path):
    vectors = np.random.default_rng(3).normal(size=(50, 8)).astype(np.float32)
    np.save(tmp_path / "vectors.npy", vectors)
    index = NearestNeighbours(np.load(tmp_path / "vectors.npy", mmap_mode="r"))
    assert isinstance(index.vectors, np.memmap)
    assert (
        index.query(vectors[5], 4)[0].tolist() == NearestNeighbours(vectors).query(vectors[5], 4)[0].tolist()
    )


def test_scale_does_not_matter_for_cosine():
    vectors = np.random.default_rng(4).normal(size=(80, 6))
    index = NearestNeighbours(vectors, "cosine")
    assert np.array_equal(index.query(vectors[0], 80)[0], index.query(4 * vectors[0], 80)[0])


def test_few_or_no_vectors():
    assert len(NearestNeighbours(np.zeros((0, 3)))) == 0
    assert NearestNeighbours(np.zeros((0, 3))).query(np.zeros(3), 5)[0].shape == (0,)
    indices, distances = NearestNeighbours([[1, 0], [0, 0]]).query([0, 0], 99)
    assert indices.tolist() == [1, 0]
    assert distances.tolist() == [0, 1]


def test_errors():
    with pytest.raises(UnknownNameError, match="did you mean 'cosine'"):
        NearestNeighbours([[0.0]], "cosin")
    with pytest.raises(ValueError, match=r"\(n, D\), got \(3,\)"):
        NearestNeighbours([0.0, 1.0, 2.0])
    with pytest.raises(ValueError, match="finite"):
        NearestNeighbours([[0.0], [np.nan]])
    index = NearestNeighbours([[0.0, 1.0]])
    with pytest.raises(ValueError, match=r"\(2,\) and finite, got \(3,\)"):
        index.query([0.0, 1.0, 2.0], 1)
    with pytest.raises(ValueError, match="finite"):
        index.query([0.0, np.inf], 1)
    with pytest.raises(ValueError, match="at least 1, got 0"):
        index.query([0.0, 1.0], 0)


# -- only some of them, each group once ---------------------------------------------------------------------


@given(grid, st.integers(1, 12), few, st.data())
def test_filters_and_groups_against_plain(case, k, number, data):
    vectors, row = case
    n = len(vectors)
    among = data.draw(arrays(np.bool_, n))
    groups = data.draw(arrays(np.int64, n, elements=st.integers(-1, 4)))
    for metric in OF_TWO_VECTORS:
        with few_are(number):
            index = NearestNeighbours(vectors, metric)
            everything, away = index.query(vectors[row], n)
            rows, distances = index.query(vectors[row], k, among=among)
            found = index.query_groups(vectors[row], k, groups, among=among)
        allowed = [i for i in everything.tolist() if among[i]]
        assert rows.tolist() == allowed[:k]
        first = list({int(groups[i]): i for i in reversed(allowed)}.values())
        first = sorted(first, key=allowed.index)[:k]
        assert found.rows.tolist() == first
        assert found.counts.tolist() == [int((groups[among] == groups[i]).sum()) for i in first]
        known = dict(zip(everything.tolist(), away.tolist(), strict=True))
        assert found.distances.tolist() == [known[i] for i in first]
        assert distances.tolist() == [known[i] for i in allowed[:k]]


@given(grid, st.lists(st.integers(0, 30), max_size=4), few)
def test_rows_in_several_arrays_are_found_as_in_one(case, cuts, number):
    vectors, row = case
    parts = np.split(vectors, sorted(min(cut, len(vectors)) for cut in cuts))
    for metric in ("euclidean", "cosine"):
        with few_are(number):
            expected = NearestNeighbours(vectors, metric).query(vectors[row], 5)
            found = NearestNeighbours(PartedArray(parts), metric).query(vectors[row], 5)
        assert [values.tolist() for values in found] == [values.tolist() for values in expected]


@given(grid, few)
def test_all_distances_by_one_pass(case, number):
    vectors, row = case
    for metric in OF_TWO_VECTORS:
        with few_are(number):
            index = NearestNeighbours(vectors, metric)
            assert index.distances(vectors[row]) == pytest.approx(
                plain(vectors, vectors[row], metric), abs=1e-9 if metric == "centred_cosine" else 1e-12
            )


@given(grid, st.integers(1, 12), st.integers(0, 2**31))
def test_short_vectors_have_the_same_neighbours(case, k, seed):
    vectors, row = case
    vectors = vectors + np.random.default_rng(seed).normal(scale=1e-3, size=vectors.shape).astype(np.float32)
    for metric in OF_TWO_VECTORS:
        with few_are(0):
            expected = NearestNeighbours(vectors, metric).query(vectors[row], k)
            found = NearestNeighbours(vectors, metric, short=True).query(vectors[row], k)
        assert [values.tolist() for values in found] == [values.tolist() for values in expected]


def test_short_vectors_leave_little_open(monkeypatch):
    monkeypatch.setattr(neighbours, "FEW", 0)
    vectors = np.random.default_rng(6).normal(size=(3000, 32)).astype(np.float32)
    measured, real = [], neighbours.smallest

    def counting(values, *arguments, **options):
        measured.append(len(values))
        return real(values, *arguments, **options)

    monkeypatch.setattr(neighbours, "smallest", counting)
    for metric in ("euclidean", "cosine"):
        NearestNeighbours(vectors, metric, short=True).query(vectors[5], 10)
        NearestNeighbours(vectors, metric).query(vectors[5], 10)
    assert measured[::2] == [3000] * 4
    assert 10 <= measured[1] <= 40 and measured[3] == 10 and 10 <= measured[5] <= 40 and measured[7] == 10
    with pytest.raises(ValueError, match="beyond the range of float32"):
        NearestNeighbours(np.array([[1e50, 0.0]]), short=True)


def test_norms_that_are_known_are_not_computed_again(monkeypatch):
    vectors = np.random.default_rng(5).normal(size=(40, 6)).astype(np.float32)
    norms = np.linalg.norm(vectors.astype(np.float64), axis=1)
    monkeypatch.setattr(neighbours, "FEW", 0)
    monkeypatch.setattr(passes, "lengths", lambda _: pytest.fail("computed again"))
    index = NearestNeighbours(vectors, "cosine", norms=norms)
    assert index.query(vectors[3], 1)[0].tolist() == [3]
    with pytest.raises(ValueError, match=r"norms must be \(40,\), got \(39,\)"):
        NearestNeighbours(vectors, norms=norms[1:])


def test_an_error_in_a_thread_is_the_callers(monkeypatch):
    monkeypatch.setattr(neighbours, "FEW", 0)
    monkeypatch.setattr(passes, "BYTES_AT_ONCE", 64)
    monkeypatch.setattr(passes, "usable_threads", lambda: 3)
    index = NearestNeighbours(np.zeros((400, 4), np.float32))
    monkeypatch.setattr(kernels, "rough_products_into", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        index.query(np.zeros(4), 3)


def test_masks_and_groups_of_another_length_are_refused():
    index = NearestNeighbours([[0.0], [1.0]])
    with pytest.raises(ValueError, match=r"among must be \(2,\) bool, got \(3,\)"):
        index.query([0.0], 1, among=np.ones(3, bool))
    with pytest.raises(ValueError, match=r"among must be \(2,\) bool, got \(2,\) int64"):
        index.query([0.0], 1, among=np.array([0, 1]))
    with pytest.raises(ValueError, match=r"groups must be \(2,\), got \(1,\)"):
        index.query_groups([0.0], 1, [4])


def test_one_picture_that_was_saved_twice_is_found_once_and_counted():
    stored = np.array([[1, 0], [1, 0.01], [1, 0.5], [1, 0.51], [0, 1]], np.float32)
    index = NearestNeighbours(stored, "cosine")
    groups = [0, 0, 2, 3, 4]
    apart = index.query_groups([1, 0], 3, groups)
    assert (apart.rows.tolist(), apart.counts.tolist()) == ([0, 2, 3], [2, 1, 1])
    together = index.query_groups([1, 0], 3, groups, same=0.98)
    assert (together.rows.tolist(), together.counts.tolist()) == ([0, 2, 4], [2, 2, 1])
    few = index.query_groups([1, 0], 2, groups, same=0.98, among=np.array([0, 1, 1, 1, 0], bool))
    assert (few.rows.tolist(), few.counts.tolist()) == ([1, 2], [1, 2])


def test_what_all_have_in_common_does_not_count_about_the_mean(monkeypatch):
    """Two kinds far from the origin in one direction: their angles to it hide which is which."""
    monkeypatch.setattr(neighbours, "FEW", 0)
    random = np.random.default_rng(3)
    kinds = np.repeat([[1.0, 0], [-1.0, 0]], 50, axis=0)
    vectors = np.c_[kinds + 0.1 * random.normal(size=kinds.shape), 20 + random.normal(size=100)]
    index = NearestNeighbours(vectors, "centred_cosine")
    assert (index.query(vectors[3], 50)[0] < 50).all()
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    np.testing.assert_allclose(index.centre, units.mean(axis=0), atol=1e-12)
    wide = units - units.mean(axis=0)
    expected = cdist(wide, wide[:3], "cosine")
    for row in range(3):
        assert index.distances(vectors[row]) == pytest.approx(expected[:, row], abs=1e-9)
        assert index.query(vectors[row], 100)[1] == pytest.approx(np.sort(expected[:, row]), abs=1e-9)


def test_vectors_of_one_direction_have_none_about_their_mean():
    vectors = np.outer([1.0, 2, 3], [0.3, 0.4, 0.5])
    for number in (0, 2**18):
        with few_are(number):
            rows, distances = NearestNeighbours(vectors, "centred_cosine").query(vectors[1], 3)
            away = NearestNeighbours(vectors, "centred_cosine").query([1.0, 0, 0], 3)[1]
        assert rows.tolist() == [0, 1, 2] and distances.tolist() == [0, 0, 0]
        assert away.tolist() == [1, 1, 1]
