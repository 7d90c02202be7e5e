import numpy as np
import pytest

from oodretrieval.evaluation import ClassMeasures, block_resamples, interval
from oodretrieval.evaluation.confusion import class_iou, mean_iou

NAMES = ("road", "car", "sky")


def scenes(count=7):
    rng = np.random.default_rng(3)
    truths = rng.integers(0, 2, (count, 6, 8)).astype(np.uint8)  # no sky anywhere
    truths[:, 0] = 255
    predictions = np.where(rng.random(truths.shape) < 0.8, np.minimum(truths, 1), 1).astype(np.uint8)
    return predictions, truths


def counted(predictions, truths):
    measures = ClassMeasures(NAMES)
    for prediction, truth in zip(predictions, truths, strict=True):
        measures.update(prediction, truth)
    return measures


def test_values_are_those_of_all_pixels_together():
    predictions, truths = scenes()
    measures = counted(predictions, truths)
    assert measures.images == len(truths)
    values = measures.values(("iou", "mean_iou"))
    assert set(values) == {"iou", "mean_iou"}
    known = truths != 255
    expected = []
    for place in range(2):
        both = ((truths == place) & (predictions == place) & known).sum()
        either = (((truths == place) | (predictions == place)) & known).sum()
        expected.append(both / either)
    assert values["iou"] == {"road": expected[0], "car": expected[1], "sky": None}
    assert values["mean_iou"] == pytest.approx(np.mean(expected))


def test_intervals_are_those_of_images_resampled_one_by_one():
    predictions, truths = scenes()
    found = counted(predictions, truths).intervals(block=2, repetitions=30, wanted=("iou", "mean_iou"))
    assert set(found) == {"iou", "mean_iou"}
    again = [
        counted(predictions[rows], truths[rows]).matrix.counts
        for rows in block_resamples(7, block=2, repetitions=30)
    ]
    assert found["mean_iou"] == pytest.approx(interval([float(mean_iou(counts)) for counts in again]))
    for place, name in enumerate(NAMES[:2]):
        assert found["iou"][name] == pytest.approx(interval([class_iou(counts)[place] for counts in again]))
    assert np.isnan(found["iou"]["sky"]).all()


def test_intervals_of_no_image_are_refused():
    with pytest.raises(ValueError, match="at least one frame"):
        ClassMeasures(NAMES).intervals(block=1, repetitions=3)
