import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score, roc_curve

from oodretrieval.evaluation import (
    ScoreCounter,
    ScoreCounts,
    block_resamples,
    block_weights,
    detection_measures,
    interval,
    resampled_ranks,
    score_counter,
)
from oodretrieval.evaluation.image_histograms import ImageHistograms

items = st.lists(
    st.tuples(st.booleans(), st.one_of(st.integers(-3, 3), st.floats(-1e4, 1e4, width=32))),
    min_size=2,
    max_size=60,
).filter(lambda rows: 0 < sum(positive for positive, _ in rows) < len(rows))


def split(rows):
    positive, score = map(np.array, zip(*rows, strict=True))
    return positive, score.astype(np.float32)


def sklearn_measures(positive, score):
    fpr, tpr, _ = roc_curve(positive, score, drop_intermediate=False)
    return {
        "auroc": roc_auc_score(positive, score),
        "auprc": average_precision_score(positive, score),
        "fpr95": fpr[np.argmax(tpr >= 0.95)],
    }


def counter_of(positive, score, exact_pixels):
    counter = ScoreCounter(exact_pixels)
    for part in np.array_split(np.arange(len(score)), 3):
        counter.update(score[part], positive[part])
    return counter


@settings(max_examples=100)
@given(items)
def test_exact_measures_are_those_of_scikit_learn(rows):
    positive, score = split(rows)
    counts = counter_of(positive, score, 1000).counts()
    measures = detection_measures(counts)
    assert counts.exact
    for name, value in sklearn_measures(positive, score).items():
        assert getattr(measures, name) == pytest.approx(value, abs=1e-12)
        assert getattr(measures, f"{name}_error") == 0
    assert measures.prevalence == positive.mean()
    assert (measures.positives, measures.negatives) == (positive.sum(), (~positive).sum())


@settings(max_examples=100)
@given(items)
def test_measures_of_bins_are_as_near_as_they_say(rows):
    positive, score = split(rows)
    counts = counter_of(positive, score, 0).counts()
    measures = detection_measures(counts)
    assert not counts.exact
    for name, value in sklearn_measures(positive, score).items():
        assert abs(getattr(measures, name) - value) <= getattr(measures, f"{name}_error") + 1e-9


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.floats(0, 0.9)), min_size=2, max_size=40).filter(
        lambda rows: 0 < sum(positive for _, positive, _ in rows) < len(rows)
    )
)
def test_the_bound_holds_whatever_the_order_inside_coarse_bins(rows):
    place, positive, within = map(np.array, zip(*rows, strict=True))
    score = (place + within.astype(np.float32)).astype(np.float32)
    table = np.zeros((2, 4), int)
    np.add.at(table, (np.where(positive, 0, 1), place), 1)
    filled = table.any(axis=0)
    counts = ScoreCounts(np.arange(4.0, dtype=np.float32)[filled][::-1], *table[:, filled][:, ::-1], False)
    measures = detection_measures(counts)
    for name, value in sklearn_measures(positive, score).items():
        assert abs(getattr(measures, name) - value) <= getattr(measures, f"{name}_error") + 1e-9


def test_binned_measures_of_many_pixels_against_scikit_learn():
    rng = np.random.default_rng(0)
    positive = rng.random(200_000) < 0.03
    score = (rng.normal(size=len(positive)) + 2 * positive - 8).astype(np.float32)
    measures = detection_measures(counter_of(positive, score, 0).counts())
    for name, value in sklearn_measures(positive, score).items():
        error = getattr(measures, f"{name}_error")
        assert abs(getattr(measures, name) - value) <= error, name
        assert 0 < error < 1e-3, "the bound must say something"


def test_keeping_gives_way_to_bins_without_losing_a_pixel():
    rng = np.random.default_rng(0)
    positive, score = rng.random(3000) < 0.3, rng.normal(size=3000).astype(np.float32)
    turned = counter_of(positive, score, 1500).counts()
    binned = counter_of(positive, score, 0).counts()
    assert not turned.exact
    for name in ("thresholds", "positives", "negatives"):
        assert np.array_equal(getattr(turned, name), getattr(binned, name))


@given(items)
def test_thresholds_of_bins_are_their_lowest_scores(rows):
    positive, score = split(rows)
    counts = counter_of(positive, score, 0).counts()
    assert (np.diff(counts.thresholds) < 0).all()
    reached = [(score >= threshold).sum() for threshold in counts.thresholds]
    assert reached == np.cumsum(counts.positives + counts.negatives).tolist()


@settings(max_examples=50)
@given(items)
def test_no_threshold_has_a_higher_f1(rows):
    positive, score = split(rows)
    chosen = ScoreCounts.of_scores(score[positive], score[~positive]).best_f1_threshold()
    best = max(f1_score(positive, score >= cut) for cut in np.unique(score))
    assert f1_score(positive, score >= chosen) == pytest.approx(best)


def test_threshold_by_false_positives():
    counts = ScoreCounts.of_scores([5.0], [1, 2, 3, 4])
    assert counts.false_positive_threshold(0.5) == 3
    assert counts.false_positive_threshold(0.0) == 5
    assert counts.false_positive_threshold(1.0) == 1
    above = ScoreCounts.of_scores([0.0], [1.0]).false_positive_threshold(0.5)
    assert 1 < above < 1.0001


def test_the_curve_is_that_of_scikit_learn():
    rng = np.random.default_rng(3)
    positive, score = rng.random(200) < 0.3, rng.integers(0, 30, 200).astype(np.float32)
    fpr, tpr, precision = ScoreCounts.of_scores(score[positive], score[~positive]).curve()
    expected = roc_curve(positive, score, drop_intermediate=False)
    np.testing.assert_allclose(fpr, expected[0][1:])
    np.testing.assert_allclose(tpr, expected[1][1:])
    assert precision[-1] == pytest.approx(positive.mean())


def test_intervals_are_those_of_resampling_images():
    rng = np.random.default_rng(4)
    counter, images = ScoreCounter(), []
    for _ in range(15):
        positive = rng.random(80) < rng.random()
        images.append((positive, (rng.integers(0, 64, 80) / 64 + positive / 4).astype(np.float32)))
        counter.update(images[-1][1], positive)
    found = counter.resampled(block=3, repetitions=60)
    resamples = [
        sklearn_measures(*(np.concatenate([images[i][side] for i in resampled]) for side in (0, 1)))
        for resampled in block_resamples(15, block=3, repetitions=60)
    ]
    values = counter.values()
    assert counter.intervals(block=3, repetitions=60) == {
        name: interval(v, value=values[name]) for name, v in found.items()
    }
    for name, values in found.items():
        assert interval(values) == pytest.approx(interval([each[name] for each in resamples]), abs=1e-9)


def test_degenerate_sets_are_defined():
    nothing = detection_measures(ScoreCounter().counts())
    assert np.isnan([nothing.auroc, nothing.auprc, nothing.fpr95]).all() and nothing.prevalence == 0
    only = ScoreCounts.of_scores([], [1.0])
    assert np.isnan(detection_measures(only).auprc)
    assert detection_measures(ScoreCounts.of_scores([1.0], [])).auprc == 1
    with pytest.raises(ValueError, match="no positive"):
        only.best_f1_threshold()
    with pytest.raises(ValueError, match="no negative"):
        ScoreCounts.of_scores([1.0], []).false_positive_threshold(0.1)


def test_errors():
    with pytest.raises(ValueError, match=r"\(2,\) and positive \(3,\)"):
        ScoreCounter().update(np.zeros(2), np.zeros(3, bool))
    with pytest.raises(ValueError, match="finite"):
        ScoreCounter().update(np.array([np.inf]), np.array([True]))


def images_of(number, pixels, rng):
    """Scores of images with 3 % positives, each image on a level of its own."""
    for _ in range(number):
        positive = rng.random(pixels) < 0.03
        score = rng.normal(size=pixels) + 1.5 * positive + rng.normal() / 4 - 12
        yield positive, score.astype(np.float32)


@pytest.mark.parametrize("exact_pixels", [0, 10**6])
@pytest.mark.parametrize(("sample", "tolerance"), [(2000, 8e-3), (10**6, 1e-3)])
def test_intervals_are_those_of_the_scores_themselves(exact_pixels, sample, tolerance, monkeypatch):
    """Ranked again for every resample, score by score; of 2000 scores 60 are positive and decide the bins."""
    monkeypatch.setattr(score_counter, "SAMPLE_PIXELS", sample)
    images = list(images_of(12, 3000, np.random.default_rng(0)))
    counter = ScoreCounter(exact_pixels)
    for positive, score in images:
        counter.update(score, positive)
    frames = np.repeat(np.arange(12), 3000)
    positive, score = (np.concatenate([image[side] for image in images]) for side in (0, 1))
    weights = block_weights(12, block=1, repetitions=40)
    expected = resampled_ranks(weights, frames, positive, score)
    resampled = counter.resampled(block=1, repetitions=40)
    for name in ("auroc", "auprc"):
        np.testing.assert_allclose(resampled[name], expected[name], atol=tolerance)
        low, high = counter.intervals(block=1, repetitions=40)[name]
        assert low <= counter.values()[name] <= high


@settings(max_examples=100, deadline=None)
@given(items, st.integers(1, 4), st.sampled_from([0, 1000]))
def test_an_interval_holds_its_own_value_or_is_undefined(rows, block, exact_pixels):
    positive, score = split(rows)
    counter = counter_of(positive, score, exact_pixels)
    measures = detection_measures(counter.counts())
    for name, (low, high) in counter.intervals(block=block, repetitions=30).items():
        assert np.isnan(low) or low - 1e-9 <= getattr(measures, name) <= high + 1e-9
        assert np.isnan(low) or low < high
    if block >= 3:  # one block holds all three images
        assert all(np.isnan(ends).all() for ends in counter.intervals(block=block, repetitions=5).values())


def test_resamples_without_positives_are_left_out():
    counter = ScoreCounter()
    counter.update(np.array([0.9, 0.8, 0.1]), np.array([True, False, False]))
    for _ in range(3):
        counter.update(np.array([0.85, 0.2]), np.array([False, False]))
    weights = block_weights(4, block=1, repetitions=200)
    resampled = counter.resampled(block=1, repetitions=200)
    for name in ("auroc", "auprc", "fpr95"):
        assert np.array_equal(np.isnan(resampled[name]), weights[:, 0] == 0)
    without = ScoreCounter()
    without.update(np.array([0.3, 0.2]), np.array([False, False]))
    assert all(np.isnan(ends).all() for ends in without.intervals(block=1, repetitions=9).values())


def test_memory_is_bounded_whatever_the_number_of_images():
    """Twice the images take no more: what is kept of each shrinks."""
    rng = np.random.default_rng(1)

    def scores(positives, negatives):
        return (
            rng.normal(size=positives).astype(np.float32) + 1,
            rng.normal(size=negatives).astype(np.float32),
        )

    histograms = ImageHistograms(scores(3000, 3000), cells=2**16)
    sizes = []
    images = [scores(5, 40) for _ in range(400)]
    for image in images:
        histograms.add(image)
        sizes.append(histograms.cells)
    assert max(sizes) <= 2**16
    assert sum(len(side) for image in images for side in image) == histograms.items
    merged = histograms.rates(np.ones((1, 400)))["auroc"][0]
    exact = detection_measures(
        ScoreCounts.of_scores(*(np.concatenate([i[s] for i in images]) for s in (0, 1)))
    )
    assert merged == pytest.approx(exact.auroc, abs=5e-3)
