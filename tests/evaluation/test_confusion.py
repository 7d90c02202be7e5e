import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import (
    accuracy_score,
    confusion_matrix,
    f1_score,
    jaccard_score,
    recall_score,
)

from oodretrieval.evaluation import block_resamples, interval
from oodretrieval.evaluation.confusion import (
    ConfusionMatrix,
    class_iou,
    confusion_intervals,
    mean_iou,
    pixel_accuracy,
)

CLASSES = 4
predictions = arrays(np.uint8, (5, 6), elements=st.integers(0, CLASSES - 1))
truths = arrays(np.uint8, (5, 6), elements=st.sampled_from([*range(CLASSES), 255]))


def matrix(*pairs, **kwargs):
    counted = ConfusionMatrix(CLASSES, **kwargs)
    for prediction, truth in pairs:
        counted.update(prediction, truth)
    return counted


@given(predictions, truths)
def test_agrees_with_scikit_learn(prediction, truth):
    known = truth != 255
    assume(known.any())
    true, predicted = truth[known], prediction[known]
    counted = matrix((prediction, truth))
    labels = list(range(CLASSES))
    np.testing.assert_array_equal(
        counted.counts[:, :CLASSES], confusion_matrix(true, predicted, labels=labels)
    )
    assert not counted.counts[:, CLASSES].any()
    assert counted.pixel_accuracy() == pytest.approx(accuracy_score(true, predicted))
    present = [i for i in labels if (true == i).any() or (predicted == i).any()]
    expected = jaccard_score(true, predicted, labels=present, average=None)
    np.testing.assert_allclose(counted.iou()[present], expected)
    assert np.isnan(np.delete(counted.iou(), present)).all()
    assert counted.mean_iou() == pytest.approx(expected.mean())


@given(predictions, truths)
def test_dice_accuracy_and_frequencies_agree_with_scikit_learn(prediction, truth):
    known = truth != 255
    assume(known.any())
    true, predicted = truth[known], prediction[known]
    counted = matrix((prediction, truth))
    labels = list(range(CLASSES))
    present = [i for i in labels if (true == i).any() or (predicted == i).any()]
    dice = f1_score(true, predicted, labels=present, average=None)
    np.testing.assert_allclose(counted.dice()[present], dice)
    assert counted.mean_dice() == pytest.approx(dice.mean())
    there = [i for i in labels if (true == i).any()]
    recalls = recall_score(true, predicted, labels=there, average=None)
    np.testing.assert_allclose(counted.accuracy()[there], recalls)
    assert np.isnan(np.delete(counted.accuracy(), there)).all()
    assert counted.mean_accuracy() == pytest.approx(recalls.mean())
    weighted = jaccard_score(true, predicted, labels=labels, average="weighted", zero_division=0)
    assert counted.frequency_weighted_iou() == pytest.approx(weighted)


@given(truths, truths)
def test_a_pixel_without_a_predicted_class_is_missed(prediction, truth):
    """The same measures as of a further class that is never true; no class has more pixels predicted."""
    counted = matrix((prediction, truth))
    wider = ConfusionMatrix(CLASSES + 1)
    wider.update(np.where(prediction == 255, CLASSES, prediction), truth)
    for name in ("iou", "dice", "accuracy"):
        np.testing.assert_allclose(getattr(counted, name)(), getattr(wider, name)()[:CLASSES])
    assert counted.pixel_accuracy() == pytest.approx(wider.pixel_accuracy(), nan_ok=True)


@given(predictions, truths)
def test_dice_follows_from_iou(prediction, truth):
    counted = matrix((prediction, truth))
    iou = counted.iou()
    np.testing.assert_allclose(counted.dice(), 2 * iou / (1 + iou))


@given(st.lists(st.tuples(predictions, truths), max_size=4))
def test_images_add_up_in_any_order(pairs):
    together = matrix(*pairs).counts
    np.testing.assert_array_equal(together, matrix(*reversed(pairs)).counts)
    joined = [(np.concatenate([p for p, _ in pairs]), np.concatenate([t for _, t in pairs]))] if pairs else []
    np.testing.assert_array_equal(together, matrix(*joined).counts)


@given(truths)
def test_the_truth_itself_is_perfect(truth):
    counted = matrix((np.where(truth == 255, 0, truth), truth))
    values = counted.iou()[np.isfinite(counted.iou())]
    assert (values == 1).all()
    assert counted.mean_iou() == 1 or not (truth != 255).any()


def test_with_nothing_counted_all_measures_are_nan():
    for counted in (matrix(), matrix((np.zeros((2, 2), int), np.full((2, 2), 255)))):
        assert not counted.counts.any()
        assert np.isnan(counted.iou()).all()
        assert np.isnan(counted.mean_iou())
        assert np.isnan(
            [counted.mean_dice(), counted.mean_accuracy(), counted.frequency_weighted_iou()]
        ).all()
        assert np.isnan(counted.pixel_accuracy())


def test_another_value_can_be_ignored():
    counted = matrix((np.array([0, 1, 2]), np.array([0, 3, 2])), ignore=3)
    assert counted.counts.sum() == 2
    assert counted.mean_iou() == 1


@pytest.mark.parametrize(
    ("prediction", "truth", "message"),
    [
        ([0, 4], [0, 1], r"prediction has ids 0…4, expected 0…3"),
        ([0, 1], [0, 254], r"truth has ids 0…254, expected 0…3"),
        ([0, -1], [0, 1], r"prediction has ids -1…0"),
        ([0, 1, 2], [0, 1], r"prediction \(3,\) and truth \(2,\) must have one shape"),
    ],
)
def test_ids_and_shapes_that_do_not_fit_are_refused(prediction, truth, message):
    counted = ConfusionMatrix(CLASSES)
    with pytest.raises(ValueError, match=message):
        counted.update(np.array(prediction), np.array(truth))
    assert not counted.counts.any()


def test_a_prediction_where_truth_is_ignored_may_be_anything():
    assert matrix((np.array([255, 1]), np.array([255, 1]))).mean_iou() == 1


def test_small_types_do_not_overflow():
    counted = ConfusionMatrix(200)
    counted.update(np.full((4, 4), 199, np.uint8), np.full((4, 4), 199, np.uint8))
    assert counted.counts[199, 199] == 16


def test_intervals_are_those_of_resampling_images():
    rng = np.random.default_rng(0)
    truths = rng.integers(0, 3, (9, 30))
    predictions = np.where(rng.random((9, 30)) < 0.6, truths, rng.integers(0, 3, (9, 30)))

    def matrix_of(images):
        matrix = ConfusionMatrix(3)
        for image in images:
            matrix.update(predictions[image], truths[image])
        return matrix

    found = confusion_intervals([matrix_of([i]).counts for i in range(9)], block=2, repetitions=40)
    resamples = [matrix_of(resampled) for resampled in block_resamples(9, block=2, repetitions=40)]
    assert found["mean_iou"] == pytest.approx(interval([each.mean_iou() for each in resamples]))
    assert found["pixel_accuracy"] == pytest.approx(interval([each.pixel_accuracy() for each in resamples]))
    for c in range(3):
        assert found["iou"][c] == pytest.approx(interval([each.iou()[c] for each in resamples]))


def test_many_matrices_at_once_are_each_alone():
    counts = np.random.default_rng(1).integers(0, 3, (4, 2, 3, 3))
    counts[0, 0] = 0
    for place in np.ndindex(4, 2):
        assert class_iou(counts)[place] == pytest.approx(class_iou(counts[place]), nan_ok=True)
        assert mean_iou(counts)[place] == pytest.approx(float(mean_iou(counts[place])), nan_ok=True)
    assert np.isnan(mean_iou(counts)[0, 0]) and np.isnan(pixel_accuracy(counts)[0, 0])
