"""Outliers and heat maps."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oodretrieval.explain import drop_outliers, heat_map

SIZE = (60, 80)
POINTS = arrays(np.int64, st.tuples(st.integers(0, 30), st.just(2)), elements=st.integers(0, 59))


@given(points=POINTS)
def test_the_densest_place_stays_and_what_is_dropped_is_lonely(points):
    kept = drop_outliers(points, SIZE)
    distances = np.linalg.norm(points[:, None] - points[None], axis=2)
    near = (distances <= 0.02 * 100).sum(1)
    expected = points[near > 0.05 * near.max(initial=0)]
    assert np.array_equal(kept, expected)
    assert len(kept) >= min(len(points), 1)


def test_a_large_segment_keeps_its_points_and_a_lonely_one_goes():
    """A grid that no circle holds 5 % of, as the road's points are; next to it one that is far from all."""
    grid = np.stack(np.mgrid[100:300:2, 0:400:2], -1).reshape(-1, 2)
    points = np.concatenate([grid, [[10, 350]]])
    assert np.array_equal(drop_outliers(points, (300, 400)), grid)


@given(points=POINTS)
def test_a_heat_map_is_a_sum_of_bells(points):
    heat = heat_map(points, SIZE, width=0.03)
    assert heat.shape == SIZE and heat.min() >= 0
    if not len(points):
        assert heat.max() == 0
        return
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    bells = sum(np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * 3.0**2)) for y, x in points)
    assert np.allclose(heat, bells / bells.max(), atol=2e-2)
