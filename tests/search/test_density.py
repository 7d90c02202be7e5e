"""The density by Fourier transforms is the one that scipy sums up point by point."""

import numpy as np
import pytest
from scipy.stats import gaussian_kde

from oodretrieval.search import density


def clouds(n, seed=0):
    random = np.random.default_rng(seed)
    tilted = random.normal(size=(n // 2, 2)) @ [[1, 0.6], [0, 0.5]]
    return np.concatenate([tilted, random.normal(size=(n - n // 2, 2)) * [0.3, 1] + [4, 2]])


def plain(points, extent, cells, bandwidth):
    x, y = np.linspace(*extent[:2], cells), np.linspace(*extent[2:], cells)
    nodes = np.stack([part.ravel() for part in np.meshgrid(x, y, indexing="ij")])
    return gaussian_kde(points.T, bandwidth)(nodes).reshape(cells, cells)


@pytest.mark.parametrize("bandwidth", [None, 0.5, 0.05, 0.015])
@pytest.mark.parametrize("extent", [(-5.0, 8.0, -4.0, 7.0), (1.0, 2.0, -1.0, 3.0)])
def test_as_scipy_within_a_thousandth_of_the_maximum(bandwidth, extent):
    """Also of a kernel narrower than a cell, and of points outside that reach in."""
    points = clouds(200)
    expected = plain(points, extent, 30, bandwidth)
    found = density(points, extent, 30, bandwidth)
    assert np.abs(found - expected).max() <= 1e-3 * expected.max()
    assert found.min() >= 0


def test_it_integrates_to_one_and_follows_the_points():
    points = clouds(500, seed=1)
    extent = (-12.0, 14.0, -11.0, 13.0)
    found = density(points, extent, 90)
    assert found.sum() * (26 / 89) * (24 / 89) == pytest.approx(1, abs=1e-4)
    moved = density(points + np.array([100, 0]), (88.0, 114.0, -11.0, 13.0), 90)
    np.testing.assert_allclose(moved, found, atol=1e-6 * found.max())


@pytest.mark.parametrize("points", [[[1, 1]], [[1, 1]] * 3, [[0, 0], [1, 1], [2, 2]], [[0, 1], [2, 1]]])
def test_points_on_a_line_and_a_single_one_have_a_density(points):
    extent = (-1.0, 3.0, -1.0, 3.0)
    found = density(points, extent, 81)
    assert 0.7 < found.sum() * (4 / 80) ** 2 < 1.01
    x, y = (round((side + 1) * 20) for side in points[0])
    assert found[x, y] > 0.5 * found.max() and found[0, 80] < 1e-3 * found.max()


def test_refuses_what_has_no_density():
    with pytest.raises(ValueError, match=r"\(n >= 1, 2\) and finite, got \(2, 3\)"):
        density(np.zeros((2, 3)), (0, 1, 0, 1))
    with pytest.raises(ValueError, match=r"\(n >= 1, 2\) and finite"):
        density([[0, 0], [1, np.nan]], (0, 1, 0, 1))
    with pytest.raises(ValueError, match="extent and 2 cells"):
        density(clouds(9), (1, 1, 0, 1))
    with pytest.raises(ValueError, match="the kernel a width"):
        density(clouds(9), (0, 1, 0, 1), bandwidth=0)
