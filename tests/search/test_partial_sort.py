import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from oodretrieval.search.partial_sort import smallest


@given(st.integers(0, 3000), st.integers(1, 60), st.integers(0, 2**31), st.sampled_from([3, 1000, 10**9]))
def test_the_smallest_are_the_first_of_a_stable_sort(n, number, seed, distinct):
    """With many ties and with none, with infinite values and with NaN, in falling order and in none."""
    random = np.random.default_rng(seed)
    values = random.integers(0, distinct, n).astype(float)
    values[random.random(n) < 0.1] = np.inf
    if seed % 2:
        values[random.random(n) < 0.1] = np.nan
    if seed % 3 == 0:
        values = -np.sort(-values)
    known = np.flatnonzero(~np.isnan(values))
    expected = known[np.argsort(values[known], kind="stable")][:number]
    assert smallest(values, number).tolist() == expected.tolist()
