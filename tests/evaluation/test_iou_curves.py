import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oodretrieval.evaluation import ConfusionMatrix, IouCurveSums
from oodretrieval.evaluation.iou_curves import THRESHOLDS

classes = arrays(np.uint8, (4, 5), elements=st.integers(0, 2))
truths = arrays(np.uint8, (4, 5), elements=st.sampled_from([0, 1, 2, 255]))
estimates = arrays(np.float64, (4, 5), elements=st.sampled_from([0.0, 0.25, 0.3, 0.5, 1.0]))


def plain(images, chosen):
    matrix = ConfusionMatrix(3)
    for prediction, truth, estimate in images:
        kept = chosen(estimate)
        matrix.update(prediction[kept], truth[kept])
    return matrix.mean_iou()


@settings(max_examples=50)
@given(st.lists(st.tuples(classes, truths, estimates), min_size=1, max_size=3))
def test_every_threshold_is_the_mean_iou_of_the_pixels_on_its_side(images):
    sums = IouCurveSums(3)
    for image in images:
        sums.update(*image)
    curves = sums.curves()
    assert curves.thresholds.tolist() == list(THRESHOLDS)
    for t in (0, 25, 26, 30, 50, 99, 100):
        value = THRESHOLDS[t]
        assert curves.above[t] == pytest.approx(plain(images, lambda e, v=value: e >= v), nan_ok=True)
        assert curves.below[t] == pytest.approx(plain(images, lambda e, v=value: e < v), nan_ok=True)
        known = [(truth != 255, estimate) for _, truth, estimate in images]
        total = sum(mask.sum() for mask, _ in known)
        share = sum((mask & (estimate >= value)).sum() for mask, estimate in known) / max(total, 1)
        assert curves.share_above[t] == pytest.approx(share)


def test_thresholds_of_ones_own():
    sums = IouCurveSums(2, thresholds=[0.5])
    sums.update(np.array([[0, 1]]), np.array([[0, 0]]), np.array([[0.5, 0.4]]))
    curves = sums.curves()
    assert curves.above.tolist() == [1] and curves.below.tolist() == [0]


def test_errors():
    with pytest.raises(ValueError, match="one shape"):
        IouCurveSums(2).update(np.zeros((1, 2), int), np.zeros((1, 2), int), np.zeros((2, 1)))
