"""What a projection costs before it begins, and new points in a projection that is there."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oodretrieval.parted_arrays import PartedArray
from oodretrieval.search.clustering import METHODS as CLUSTERINGS
from oodretrieval.search.cost import Cost, clustering_cost, projection_cost
from oodretrieval.search.placement import place_points
from oodretrieval.search.projection import METHODS as PROJECTIONS


@pytest.mark.parametrize("method", PROJECTIONS)
def test_small_projections_are_begun_without_a_word_and_more_points_cost_more(method):
    assert projection_cost(method, 300, 1280).words() == "" or method in ("opentsne",)
    costs = [projection_cost(method, count, 1280).seconds for count in (1000, 10_000, 100_000)]
    assert costs == sorted(costs) and costs[0] < costs[-1]


@pytest.mark.parametrize("method", CLUSTERINGS)
def test_more_vectors_cost_no_less(method):
    costs = [clustering_cost(method, count, 50) for count in (300, 10_000, 100_000)]
    assert costs[0].words() == ""
    assert [cost.seconds for cost in costs] == sorted(cost.seconds for cost in costs)


def test_no_method_needs_memory_for_all_pairs_of_very_many():
    """A hundred thousand vectors of 1280: no more than a copy of them and a few hundred megabytes."""
    for cost in (
        *(projection_cost(method, 100_000, 1280) for method in PROJECTIONS),
        *(clustering_cost(method, 100_000, 1280) for method in CLUSTERINGS),
    ):
        assert cost.size < 8 * 100_000 * 1300 + 1e9


def test_words():
    assert Cost(45, 0).words() == "about 45 s"
    assert Cost(600, 2.2e9).words() == "about 10 min and 2 GB"
    assert Cost(1, 4e9).words() == "about 1 s and 4 GB"


@given(st.integers(1, 30), st.integers(1, 4), st.integers(0, 9))
@settings(max_examples=25, deadline=None)
def test_what_is_there_is_placed_on_its_point_and_all_else_among_its_neighbours(count, size, seed):
    random = np.random.default_rng(seed)
    vectors, points = random.normal(size=(count, size)), random.normal(size=(count, 2))
    new = np.concatenate([vectors[:3], random.normal(size=(4, size))])
    placed = place_points(vectors.astype(np.float32), points, new.astype(np.float32))
    assert placed.shape == (len(new), 2)
    np.testing.assert_allclose(placed[: min(3, count)], points[:3], atol=1e-3)
    assert (placed >= points.min(axis=0) - 1e-4).all() and (placed <= points.max(axis=0) + 1e-4).all()


def test_against_weights_by_hand():
    vectors = PartedArray([np.array([[0.0], [3.0]]), np.array([[9.0]])])
    points = np.array([[0.0, 0.0], [10.0, 0.0], [0.0, 50.0]])
    (placed,) = place_points(vectors, points, np.array([[1.0]]), neighbours=2)
    weights = np.array([1 / 1**2, 1 / 2**2])
    np.testing.assert_allclose(placed, weights @ points[:2] / weights.sum(), rtol=1e-5)


def test_nothing_to_place_by():
    with pytest.raises(ValueError, match="n >= 1"):
        place_points(np.zeros((0, 2)), np.zeros((0, 2)), np.ones((1, 2)))
    with pytest.raises(ValueError, match="new"):
        place_points(np.zeros((3, 2)), np.zeros((3, 2)), np.ones((1, 3)))
