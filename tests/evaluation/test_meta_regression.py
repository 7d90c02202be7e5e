import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from oodretrieval.evaluation import (
    accuracy,
    accuracy_threshold,
    auprc,
    auroc,
    meta_measures,
    r2,
    rmse,
)

# few different values, so that ties are frequent
shares = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 1.0])
pairs = st.lists(st.tuples(shares, shares), min_size=2, max_size=40)
ranked = st.lists(st.tuples(st.booleans(), shares), min_size=2, max_size=40)


# where the truth never varies, scikit-learn's answer hangs on the rounding of the mean; ours is tested below
@given(pairs.filter(lambda items: len({truth for truth, _ in items}) > 1))
def test_regression_agrees_with_scikit_learn(items):
    truth, predicted = map(np.array, zip(*items, strict=True))
    assert r2(truth, predicted) == pytest.approx(metrics.r2_score(truth, predicted), abs=1e-12)
    assert rmse(truth, predicted) == pytest.approx(metrics.root_mean_squared_error(truth, predicted))


@given(ranked.filter(lambda items: len({hit for hit, _ in items}) == 2))
def test_classification_agrees_with_scikit_learn(items):
    hit, score = map(np.array, zip(*items, strict=True))
    assert auroc(hit, score) == pytest.approx(metrics.roc_auc_score(hit, score), abs=1e-12)
    assert auprc(hit, score) == pytest.approx(metrics.average_precision_score(hit, score), abs=1e-12)
    assert accuracy(hit, score) == pytest.approx(metrics.accuracy_score(hit, score >= 0.5))


@given(ranked)
def test_no_threshold_is_more_accurate(items):
    hit, score = map(np.array, zip(*items, strict=True))
    best = accuracy(hit, score, accuracy_threshold(hit, score))
    cuts = [*np.unique(score), score.max() + 1]
    assert best == max(accuracy(hit, score, cut) for cut in cuts)


def test_what_is_undefined_is_nan():
    undefined = [
        *(r2([], []), rmse([], []), accuracy([], []), auroc([], []), auprc([], [])),
        *(r2([0.3, 0.3], [0.3, 0.3]), r2([0.1, 0.1, 0.1], [0.1, 0.1, 0.2])),
        *(auroc([True, True], [0.1, 0.2]), auprc([False], [0.5])),
    ]
    assert np.isnan(undefined).all()


def test_degenerate_cases_are_defined():
    assert auprc([True], [0.5]) == 1
    assert accuracy_threshold([], []) == 0.5
    assert accuracy_threshold([False, False], [0.2, 0.9]) > 0.9


def test_all_measures_at_once():
    iou, predicted = np.array([0.0, 0.4, 0.8, 0.0]), np.array([0.1, 0.6, 0.7, 0.2])
    measures = meta_measures(iou, predicted, threshold=0.15)
    assert measures.segments == 4
    assert measures.r2 == r2(iou, predicted)
    assert measures.rmse == rmse(iou, predicted)
    assert measures.auroc == measures.auprc == 1
    assert measures.accuracy == 0.75
    assert meta_measures([], []).segments == 0


def test_errors():
    with pytest.raises(ValueError, match="without truth"):
        meta_measures([-1.0, 0.5], [0.5, 0.5])
    with pytest.raises(ValueError, match=r"\(2,\) and \(3,\)"):
        r2([0, 1], [0, 1, 2])
    with pytest.raises(ValueError, match="finite"):
        auroc([True, False], [np.nan, 0.0])
