"""An index of faiss: what it finds is measured exactly, most of the neighbours are found, and all where it matters."""

import numpy as np
import pytest

from oodretrieval.choices import OF_TWO_VECTORS
from oodretrieval.errors import ConfigurationError
from oodretrieval.search import NearestNeighbours
from oodretrieval.search.approximate import LEAST, ApproximateNeighbours

faiss = pytest.importorskip("faiss")


@pytest.fixture(scope="module")
def vectors():
    """Three thousand in forty clouds, far from the origin, two of them zero."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(40, 16)) + 1
    points = (centres[random.integers(0, 40, 3000)] + 0.3 * random.normal(size=(3000, 16))).astype(np.float32)
    points[[5, 6]] = 0
    return points


@pytest.fixture(scope="module", params=OF_TWO_VECTORS)
def both(request, vectors):
    return NearestNeighbours(vectors, request.param), ApproximateNeighbours(
        vectors, request.param, least=1000
    )


def test_most_neighbours_are_found_and_distances_are_exact(both, vectors):
    exact, index = both
    assert index.is_approximate
    found = []
    for row in range(10, 3000, 60):
        rows, distances = index.query(vectors[row], 10)
        expected, away = exact.query(vectors[row], 10)
        assert rows[0] == row and (np.diff(distances) >= 0).all() and len(rows) == 10
        known = dict(zip(*exact.query(vectors[row], 3000), strict=True))
        assert [known[i] for i in rows.tolist()] == distances.tolist()
        assert (distances >= away).all()
        found.append(len(set(rows) & set(expected)) / 10)
    assert np.mean(found) > 0.8


def test_filters_and_groups_are_kept_to(both, vectors):
    exact, index = both
    random = np.random.default_rng(1)
    among, groups = random.random(3000) < 0.5, random.integers(0, 300, 3000)
    found = index.query_groups(vectors[20], 12, groups, among=among)
    assert among[found.rows].all() and len(set(groups[found.rows])) == 12
    assert found.counts.tolist() == [int((groups[among] == groups[row]).sum()) for row in found.rows]
    few = np.zeros(3000, bool)
    few[::100] = True
    for way in ({"among": few}, {"among": few, "k": 40}):
        asked = {"k": 5, **way}
        assert [v.tolist() for v in index.query(vectors[3], **asked)] == [
            v.tolist() for v in exact.query(vectors[3], **asked)
        ], "where few are left, all are searched"
    far = groups * 0
    far[-1] = 1
    assert len(index.query_groups(vectors[20], 2, far).rows) == 2, "the other group lies in no near list"


def test_few_vectors_are_searched_exactly_and_wrong_arguments_refused(vectors):
    index = ApproximateNeighbours(vectors, "cosine")
    assert len(vectors) < LEAST and not index.is_approximate
    assert (
        index.query(vectors[3], 4)[0].tolist()
        == NearestNeighbours(vectors, "cosine").query(vectors[3], 4)[0].tolist()
    )
    index = ApproximateNeighbours(vectors, "cosine", least=1000)
    for wrong in ({"among": np.ones(3)}, {"among": np.ones(3000)}, {"k": 0}):
        with pytest.raises(ValueError, match="among must be|k must be"):
            index.query(vectors[3], **{"k": 3, **wrong})
    with pytest.raises(ValueError, match="groups must be"):
        index.query_groups(vectors[3], 3, np.zeros(4, int))


def test_the_same_seed_finds_the_same(vectors):
    one, two = (ApproximateNeighbours(vectors, "cosine", least=1000, seed=3) for _ in range(2))
    for row in range(0, 3000, 500):
        assert one.query(vectors[row], 10)[0].tolist() == two.query(vectors[row], 10)[0].tolist()


def test_without_the_package_that_is_said(vectors, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "faiss", None)
    with pytest.raises(
        ConfigurationError, match=r"index of nearest neighbours needs the package 'faiss'.*\[faiss\]"
    ):
        ApproximateNeighbours(vectors)
