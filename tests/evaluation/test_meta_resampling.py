"""All resamples at once against the plain measures of each resample."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oodretrieval.evaluation import (
    accuracy,
    auprc,
    auroc,
    block_bootstrap,
    block_resamples,
    block_weights,
    interval,
    r2,
    resampled_measures,
    rmse,
)


def made_up(seed, images=25, segments=160):
    random = np.random.default_rng(seed)
    frames = random.integers(0, images, segments)
    frames[:images] = np.arange(images)
    iou = np.round(random.random(segments) * (random.random(segments) > 0.4), 2)
    predicted = np.clip(iou + random.normal(0, 0.2, segments), 0, 1)
    score = np.round(predicted, 1)  # many ties
    return frames, iou, predicted, score


@given(st.integers(0, 1000), st.integers(1, 7))
def test_every_resample_has_the_measures_of_its_segments(seed, block):
    frames, iou, predicted, score = made_up(seed)
    arguments = {"block": block, "repetitions": 7, "seed": seed}
    weights = block_weights(25, **arguments)
    found = resampled_measures(weights, frames, iou, predicted, score, score >= 0.5)
    members = [np.flatnonzero(frames == frame) for frame in range(25)]
    for place, resampled in enumerate(block_resamples(25, **arguments)):
        rows = np.concatenate([members[frame] for frame in resampled])
        hit = iou[rows] > 0
        assert found["r2"][place] == pytest.approx(r2(iou[rows], predicted[rows]), abs=1e-9)
        assert found["rmse"][place] == pytest.approx(rmse(iou[rows], predicted[rows]), abs=1e-12)
        assert found["auroc"][place] == pytest.approx(auroc(hit, score[rows]), abs=1e-12)
        assert found["auprc"][place] == pytest.approx(auprc(hit, score[rows]), abs=1e-12)
        assert found["accuracy"][place] == pytest.approx(accuracy(hit, score[rows], 0.5), abs=1e-12)


def test_intervals_are_those_of_the_block_bootstrap():
    frames, iou, predicted, score = made_up(1)
    weights = block_weights(25, block=4, repetitions=120)
    found = resampled_measures(weights, frames, iou, predicted, score, score >= 0.5)
    expected = block_bootstrap(frames, lambda rows: r2(iou[rows], predicted[rows]), block=4, repetitions=120)
    assert interval(found["r2"]) == pytest.approx(expected, abs=1e-9)


def test_what_a_resample_leaves_undefined_is_no_number():
    weights = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    frames, iou = np.array([0, 0, 1, 1]), np.array([0.0, 0.0, 0.5, 0.5])
    found = resampled_measures(weights, frames, iou, iou, iou, iou > 0)
    assert np.isnan(found["auroc"]).tolist() == [True, True, False]
    assert np.isnan(found["auprc"]).tolist() == [True, False, False]
    assert np.isnan(found["r2"]).tolist() == [True, True, False]
    assert found["auroc"][2] == found["auprc"][2] == found["r2"][2] == 1
    assert found["accuracy"].tolist() == [1, 1, 1] and found["rmse"].tolist() == [0, 0, 0]
