import numpy as np
import pytest

from oodretrieval.evaluation import block_bootstrap, block_resamples, block_weights, interval, ratio_interval


def test_interval_covers_the_mean_and_repeats():
    random = np.random.default_rng(0)
    frames = np.repeat(np.arange(100), 5)
    values = random.normal(size=500)
    low, high = block_bootstrap(frames, lambda rows: values[rows].mean(), repetitions=300)
    assert low < values.mean() < high
    assert high - low == pytest.approx(4 / np.sqrt(500), rel=0.5)
    assert (low, high) == block_bootstrap(frames, lambda rows: values[rows].mean(), repetitions=300)


def test_blocks_keep_neighbouring_frames_together():
    """What changes slowly over a video has a wider interval than single frames would make believe."""
    frames = np.arange(200)
    slow = np.sin(frames / 30)

    def width(block):
        low, high = block_bootstrap(frames, lambda rows: slow[rows].mean(), block=block, repetitions=300)
        return high - low

    assert width(20) > 2 * width(1)


def test_frames_are_taken_whole_and_as_many_as_there_are():
    frames = np.array(["b", "a", "b", "c", "a", "b"])
    resampled = []
    block_bootstrap(frames, lambda rows: resampled.append(rows) or 0.0, block=2, repetitions=50)
    sizes = {"a": 2, "b": 3, "c": 1}
    for rows in resampled:
        names, counts = np.unique(frames[rows], return_counts=True)
        assert all(count % sizes[name] == 0 for name, count in zip(names, counts, strict=True))
        assert sum(count // sizes[name] for name, count in zip(names, counts, strict=True)) == 3


def test_a_block_longer_than_the_video_is_the_video():
    seen = []
    found = block_bootstrap(
        [3, 1, 2], lambda rows: seen.append(sorted(rows)) or float(np.sum(rows)), block=20
    )
    assert all(rows == [0, 1, 2] for rows in seen)
    assert np.isnan(found).all(), "every resample is the same: no interval"


def test_an_interval_holds_its_value_or_is_undefined():
    assert interval([0.5, 0.6, 0.7], value=0.6) != interval([0.5, 0.6, 0.7], value=0.8)
    assert np.isnan(interval([0.5, 0.6, 0.7], value=0.8)).all()
    assert np.isnan(interval([0.5, 0.5], value=0.5)).all()
    assert np.isnan(interval([0.5, 0.6], value=np.nan)).all()


def test_weights_are_how_often_each_image_is_taken():
    resamples = list(block_resamples(7, block=3, repetitions=20, seed=5))
    weights = block_weights(7, block=3, repetitions=20, seed=5)
    assert weights.shape == (20, 7)
    for resampled, weight in zip(resamples, weights, strict=True):
        assert weight.tolist() == [(resampled == image).sum() for image in range(7)]
    assert (weights.sum(axis=1) == 7).all()


def test_a_measure_of_sums_has_the_same_interval_by_weights_and_by_items():
    values = np.random.default_rng(0).normal(size=30)
    by_items = block_bootstrap(np.arange(30), lambda rows: values[rows].mean(), block=4, repetitions=100)
    weights = block_weights(30, block=4, repetitions=100)
    assert interval(weights @ values / 30) == pytest.approx(by_items)


def test_resamples_without_a_measure_are_left_out_of_the_interval():
    assert interval([np.nan, 1.0, np.nan]) == (1.0, 1.0)
    assert np.isnan(interval([np.nan])).all()


def test_errors():
    with pytest.raises(ValueError, match="at least one frame"):
        block_bootstrap([], lambda _: 0.0)
    with pytest.raises(ValueError, match="block >= 1"):
        block_bootstrap([1, 2], lambda _: 0.0, block=0)
    with pytest.raises(ValueError, match="level"):
        interval([1.0], 1.0)


def test_the_interval_of_a_ratio_is_that_of_its_sums():
    parts, wholes = np.array([1.0, 0, 2, 0]), np.array([2.0, 1, 2, 0])
    resamples = list(block_resamples(4, block=1, repetitions=300))
    ratios = [parts[d].sum() / wholes[d].sum() if wholes[d].sum() else np.nan for d in resamples]
    found = ratio_interval(parts, wholes, block_weights(4, block=1, repetitions=300))
    assert found == pytest.approx(interval(ratios))
