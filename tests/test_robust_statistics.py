import numpy as np
import pytest
from hypothesis import given
from hypothesis.strategies import floats, lists
from scipy.stats import median_abs_deviation

from oodretrieval.robust_statistics import median_and_deviation


@given(lists(floats(-1e6, 1e6), min_size=1, max_size=20))
def test_as_scipy_has_it(values):
    median, deviation = median_and_deviation(np.array(values))
    assert median == np.median(values)
    assert deviation == pytest.approx(median_abs_deviation(values, scale="normal"), rel=1e-4)


def test_of_a_normal_distribution_it_is_the_standard_deviation():
    values = np.random.default_rng(0).normal(5, 3, 20_000)
    assert median_and_deviation(values) == pytest.approx((5, 3), abs=0.1)
