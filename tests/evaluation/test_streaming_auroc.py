import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import roc_auc_score

from oodretrieval.evaluation import StreamingAUROC

scores = arrays(np.float64, st.integers(1, 30), elements=st.integers(0, 255).map(lambda i: i / 256))


@given(scores, scores)
def test_is_exact_where_scores_fall_on_bins(positive, negative):
    measure = StreamingAUROC(0, 1, bins=256)
    for part in np.array_split(positive, 3):
        measure.update(part, np.array([]))
    measure.update(np.array([]), negative)
    truth = np.r_[np.ones(len(positive)), np.zeros(len(negative))]
    assert measure.value == pytest.approx(roc_auc_score(truth, np.r_[positive, negative]))


def test_is_close_for_any_scores():
    rng = np.random.default_rng(0)
    positive, negative = rng.normal(1, 3, 20000), rng.normal(0, 3, 30000)
    measure = StreamingAUROC(-40, 40)
    measure.update(positive.reshape(100, 200), negative)
    truth = np.r_[np.ones(20000), np.zeros(30000)]
    assert measure.value == pytest.approx(roc_auc_score(truth, np.r_[positive, negative]), abs=1e-5)


def test_beyond_the_range_scores_are_equal():
    measure = StreamingAUROC(0, 1)
    measure.update(np.array([5.0, np.inf]), np.array([1.0]))
    assert measure.value == 0.5


def test_without_both_kinds_there_is_no_figure():
    measure = StreamingAUROC(0, 1)
    assert math.isnan(measure.value)
    measure.update(np.array([0.5]), np.array([]))
    assert math.isnan(measure.value)


def test_what_cannot_be_ranked_is_refused():
    with pytest.raises(ValueError, match="got NaN"):
        StreamingAUROC(0, 1).update(np.array([np.nan]), np.array([]))
    with pytest.raises(ValueError, match="low < high"):
        StreamingAUROC(1, 1)
