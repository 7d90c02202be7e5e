import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.ndimage import gaussian_filter
from scipy.special import logsumexp, softmax

from oodretrieval.evaluation import PIXEL_SCORES, LogitStatistics, LogitStatisticsSums, pixel_scores

images = arrays(np.float32, (3, 4, 5), elements=st.floats(-30, 30, width=32))


def statistics_of(mean, std):
    return LogitStatistics(np.asarray(mean, float), np.asarray(std, float), np.ones(len(mean), np.int64))


@settings(max_examples=100)
@given(images, st.sampled_from([0.5, 1.0, 3.0]))
def test_against_the_definitions(logits, temperature):
    mean, std = np.arange(5.0), np.arange(1.0, 6.0)
    iou = np.linspace(0, 1, 12).reshape(3, 4)
    scores = pixel_scores(
        logits, temperature=temperature, statistics=statistics_of(mean, std), predicted_iou=iou
    )
    assert tuple(scores) == PIXEL_SCORES
    z = logits.astype(np.float64)
    p, best = softmax(z, axis=2), z.argmax(axis=2)
    energy = -temperature * logsumexp(z / temperature, axis=2)
    expected = {
        "max_softmax": 1 - p.max(axis=2),
        "entropy": -(p * np.log(p + np.finfo(np.float32).eps)).sum(axis=2) / np.log(5),
        "energy": energy,
        "max_logit": -z.max(axis=2),
        "standardised_max_logit": -(z.max(axis=2) - mean[best]) / std[best],
        "smoothed_energy": gaussian_filter(energy, 0.02 * np.sqrt(12), mode="nearest"),
        "expected_iou": 1 - iou,
    }
    for name, values in expected.items():
        assert scores[name].shape == (3, 4) and scores[name].dtype == np.float32
        np.testing.assert_allclose(scores[name], values, rtol=2e-5, atol=2e-6, err_msg=name)


def test_higher_means_more_unknown():
    sure, unsure = [9.0, 0.0, 0.0], [1.0, 0.5, 0.0]
    scores = pixel_scores(np.array([[sure, unsure]]), statistics=statistics_of([5, 5, 5], [1, 1, 1]))
    assert len(scores) == 6
    for name, values in scores.items():
        assert values[0, 0] < values[0, 1], name


def test_very_sure_pixels_are_still_distinguished():
    """1 - p would be 0 for both in float32."""
    values = pixel_scores(np.array([[[40.0, 0.0], [35.0, 0.0]]]))["max_softmax"][0]
    assert 0 < values[0] < values[1]


def test_images_of_more_pixels_than_are_taken_at_once():
    logits = np.random.default_rng(0).normal(size=(400, 300, 3)).astype(np.float32)
    whole = pixel_scores(logits)
    for name, values in pixel_scores(logits[350:]).items():
        assert name == "smoothed_energy" or np.array_equal(values, whole[name][350:])


def test_smoothing_distinguishes_things_from_seams():
    """A seam is as high as a thing, pixel by pixel, but a pixel wide."""
    logits = np.full((100, 100, 2), 5.0)
    logits[:, 20] = logits[40:70, 50:80] = 0
    scores = pixel_scores(logits)
    assert scores["energy"][50, 20] == scores["energy"][55, 65]
    assert scores["smoothed_energy"][50, 20] < scores["smoothed_energy"][55, 65]


def test_statistics_over_images_are_those_of_all_known_pixels():
    rng = np.random.default_rng(1)
    logits, known = rng.normal(3, 2, (4, 6, 7, 3)), rng.random((4, 6, 7)) < 0.7
    sums = LogitStatisticsSums(3)
    for image, mask in zip(logits, known, strict=True):
        sums.update(image, mask)
    statistics = sums.statistics()
    chosen = logits[known]
    for c in range(3):
        largest = chosen.max(axis=1)[chosen.argmax(axis=1) == c]
        assert statistics.pixels[c] == len(largest)
        assert statistics.mean[c] == pytest.approx(largest.mean())
        assert statistics.std[c] == pytest.approx(largest.std())


def test_a_class_never_predicted_has_the_statistics_of_all():
    sums = LogitStatisticsSums(3)
    sums.update(np.array([[[1.0, 0, -9], [0, 3.0, -9]]]))
    statistics = sums.statistics()
    assert statistics.mean.tolist() == [1, 3, 2] and statistics.pixels.tolist() == [1, 1, 0]
    assert statistics.std.tolist() == [0, 0, 1]
    assert np.isfinite(statistics.standardise(np.array([1.5]), np.array([0]))).all()


def test_errors():
    with pytest.raises(ValueError, match=r"C >= 2, got \(2, 2, 1\)"):
        pixel_scores(np.zeros((2, 2, 1)))
    with pytest.raises(ValueError, match="finite"):
        pixel_scores(np.full((1, 1, 2), np.nan))
    with pytest.raises(ValueError, match="temperature > 0"):
        pixel_scores(np.zeros((1, 1, 2)), temperature=0)
    with pytest.raises(ValueError, match=r"predicted_iou \(1, 2\)"):
        pixel_scores(np.zeros((1, 2, 2)), predicted_iou=np.zeros((2, 1)))
    with pytest.raises(ValueError, match=r"\(H, W, 3\)"):
        LogitStatisticsSums(3).update(np.zeros((1, 1, 2)))
    with pytest.raises(ValueError, match="no pixel"):
        LogitStatisticsSums(3).statistics()
