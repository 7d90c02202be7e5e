import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import auc, roc_auc_score, roc_curve

from oodretrieval.evaluation import r2
from oodretrieval.evaluation.meta_analysis import (
    CorrelationSums,
    kind_of_feature,
    permutation_importance,
    roc_points,
)
from oodretrieval.meta_models import GROUPS


def correlations(features, iou, parts=1):
    sums = CorrelationSums(features.shape[1])
    for some, values in zip(np.array_split(features, parts), np.array_split(iou, parts), strict=True):
        sums.add(some, values)
    return sums.correlations()


def test_correlations_are_pearsons():
    random = np.random.default_rng(0)
    features = random.normal(size=(200, 4)) * [1, 1e-3, 1e4, 1]
    iou = np.clip(0.5 + 0.3 * features[:, 0] + 0.1 * random.normal(size=200), 0, 1)
    expected = [np.corrcoef(features[:, k], iou)[0, 1] for k in range(4)]
    assert np.allclose(correlations(features, iou), expected, atol=1e-12)


@given(arrays(np.float64, (9, 3), elements=st.floats(-100, 100, width=32)), st.integers(2, 12))
def test_correlations_of_parts_are_those_of_the_whole(features, parts):
    iou = np.linspace(0, 1, 9)
    assert np.allclose(correlations(features, iou, parts), correlations(features, iou), atol=1e-6)


@given(arrays(np.float64, (7, 3), elements=st.floats(-100, 100, width=32)))
def test_correlations_lie_between_minus_1_and_1(features):
    iou = np.linspace(0, 1, 7)
    found = correlations(features, iou)
    assert np.isfinite(found).all() and np.abs(found).max() <= 1 + 1e-9
    assert np.allclose(correlations(-features, iou), -found)


def test_what_never_varies_correlates_with_nothing():
    constant = np.full((5, 1), 0.1)
    assert correlations(constant, np.linspace(0, 1, 5)).tolist() == [0]
    assert correlations(np.linspace(0, 1, 5)[:, None], np.full(5, 0.3)).tolist() == [0]
    assert correlations(np.zeros((0, 2)), np.zeros(0)).tolist() == [0, 0]


def test_permutation_finds_what_the_model_looks_at():
    random = np.random.default_rng(0)
    features = random.random((4000, 3))

    def predict(x):
        return 0.8 * x[:, 0] + 0.2 * x[:, 2]

    iou = predict(features)
    groups = {"first": [0], "second": [1], "third": [2], "both": [0, 2]}
    found = permutation_importance(predict, features, iou, groups)
    assert found["second"] == (0, 0)
    # shuffling a part doubles its share of the variance as error
    share = 0.64 / (0.64 + 0.04)
    assert found["first"][0] == pytest.approx(2 * share, abs=0.1)
    assert found["third"][0] == pytest.approx(2 * (1 - share), abs=0.02)
    assert found["both"][0] == pytest.approx(2, abs=0.1), "dealt out together"
    assert found["first"][1] > 0
    assert permutation_importance(predict, features, iou, groups) == found
    assert permutation_importance(predict, features, iou, groups, seed=1) != found


def test_permutation_leaves_the_features_as_they_are():
    features = np.random.default_rng(0).random((20, 2))
    before = features.copy()
    permutation_importance(lambda x: x[:, 0], features, features[:, 0], {"a": [0]}, repeats=1)
    assert np.array_equal(features, before)
    with pytest.raises(ValueError, match="repeats >= 1"):
        permutation_importance(lambda x: x[:, 0], features, features[:, 0], {"a": [0]}, repeats=0)
    with pytest.raises(ValueError, match="expected segments"):
        permutation_importance(lambda x: x[:, 0], features[:0], features[:0, 0], {"a": [0]})
    assert r2(features[:, 0], features[:, 0]) == 1


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 4)), min_size=2, max_size=40))
def test_roc_points_are_scikit_learns(items):
    positive, score = np.array([p for p, _ in items]), np.array([float(s) for _, s in items])
    if positive.all() or not positive.any():
        with pytest.raises(ValueError, match="of one kind"):
            roc_points(positive, score)
        return
    false, true = roc_points(positive, score)
    expected = roc_curve(positive, score, drop_intermediate=False)
    assert np.allclose(false, expected[0]) and np.allclose(true, expected[1])
    assert auc(false, true) == pytest.approx(roc_auc_score(positive, score))


def test_every_feature_of_every_group_has_a_kind():
    for group, names in GROUPS.items():
        assert "others" not in {kind_of_feature(name) for name in names(12)}, group
    assert kind_of_feature("S_rel") == kind_of_feature("log_S_in") == "size (S)"
    assert kind_of_feature("E") != kind_of_feature("energy")
    assert (
        kind_of_feature("ndist_entropy") == kind_of_feature("surrounding_prob") == kind_of_feature("ndist11")
    )
    assert kind_of_feature("cprob_entropy") == kind_of_feature("class3") == kind_of_feature("cprob3")
