from collections import Counter
from itertools import combinations
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oodretrieval.evaluation import cluster_measures

ITEMS = st.lists(st.tuples(st.integers(-1, 4), st.sampled_from("abc")), min_size=1, max_size=30)


def plain(items):
    """Purity, mutual information and Rand index from their definitions, by counting items and pairs."""
    kept = [(group, label) for group, label in items if group >= 0]
    n = len(kept)
    groups, labels, both = Counter(g for g, _ in kept), Counter(c for _, c in kept), Counter(kept)
    purity = sum(max(count for (g, _), count in both.items() if g == group) for group in groups) / n
    information = sum(k / n * log(k * n / (groups[g] * labels[c])) for (g, c), k in both.items())
    entropies = [-sum(k / n * log(k / n) for k in counts.values()) for counts in (groups, labels)]
    together = [g == h and c == d for (g, c), (h, d) in combinations(kept, 2)]
    same = [sum(k * (k - 1) / 2 for k in counts.values()) for counts in (groups, labels)]
    pairs = n * (n - 1) / 2
    chance, most = same[0] * same[1] / pairs if pairs else 0, sum(same) / 2
    ari = 1.0 if most == chance else (sum(together) - chance) / (most - chance)
    return purity, 2 * information / sum(entropies) if sum(entropies) else 1.0, ari


@given(ITEMS)
def test_measures_are_what_they_are_defined_as(items):
    groups, labels = zip(*items, strict=True)
    found = cluster_measures(groups, labels)
    assert found.noise == pytest.approx(np.mean(np.array(groups) < 0))
    assert found.clusters == len({group for group in groups if group >= 0})
    if found.clusters:
        assert (found.purity, found.nmi, found.ari) == pytest.approx(plain(items), abs=1e-6)
    else:
        assert np.isnan([found.purity, found.nmi, found.ari]).all()


@given(ITEMS, st.permutations(range(5)))
def test_numbers_of_groups_mean_nothing(items, numbers):
    groups, labels = zip(*items, strict=True)
    renamed = [number if number < 0 else numbers[number] + 7 for number in groups]
    one, other = cluster_measures(groups, labels), cluster_measures(renamed, labels)
    for name in ("nmi", "ari", "purity", "noise", "clusters"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), nan_ok=True)


def test_shapes_that_disagree_are_refused():
    for groups, labels in (([0], ["a", "b"]), ([], []), ([[0]], [["a"]])):
        with pytest.raises(ValueError, match="expected groups and labels"):
            cluster_measures(groups, labels)
