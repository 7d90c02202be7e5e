"""Measures of a segmentation and its background, from label ids."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from oodretrieval.evaluation import (
    BackgroundQuality,
    ConfusionMatrix,
    SegmentationQuality,
    block_resamples,
    interval,
    non_distinctiveness,
)
from oodretrieval.labels import LabelSet

# 3 is unknown, 7 is void; as background, predicted ids move up.
PLAIN = LabelSet(
    label_mapping={i: (f"label {i}", (i, i, i)) for i in (0, 1, 2, 3, 7)},
    pred_mapping={i: (f"class {i}", (i, i, i)) for i in range(3)},
    label_to_pred={0: 0, 1: 1, 2: 2, 3: 255, 7: 255},
    void_ids=frozenset({7}),
)
VOID_BEHIND = PLAIN.with_background()
UNKNOWN_BEHIND = PLAIN.with_background(void=False, unknown=True)


def scene(seed, channels=4):
    rng = np.random.default_rng(seed)
    labels = rng.choice([0, 1, 2, 3, 7], (6, 8)).astype(np.uint8)
    return labels, rng.normal(0, 3, (channels, 6, 8))


@settings(max_examples=25)
@given(st.integers(0, 10**6))
def test_void_as_background(seed):
    scenes = [scene(seed), scene(seed + 1)]
    quality = SegmentationQuality(VOID_BEHIND)
    for labels, logits in scenes:
        quality.update(logits.argmax(0), labels, logits)
    measures = quality.measures()
    labels, logits = (np.concatenate(parts, axis=-1) for parts in zip(*scenes, strict=True))
    for mode in (1, 2):
        expected = non_distinctiveness(logits[None], mode).mean()
        assert measures[f"non_distinctiveness_{mode}"] == pytest.approx(expected), (
            "nothing is void any longer"
        )
    probabilities = np.exp(logits) / np.exp(logits).sum(0)
    known = np.isin(labels, [0, 1, 2])
    for name, label in (("background", 7), ("unknown", 3)):
        chosen = known | (labels == label)
        expected = roc_auc_score((labels == label)[chosen], probabilities[0][chosen])
        assert measures[f"auroc_{name}"] == pytest.approx(expected)


def test_unknown_as_background_leaves_void_out():
    labels, logits = scene(0)
    quality = BackgroundQuality(UNKNOWN_BEHIND)
    quality.update(logits, labels)
    kept = non_distinctiveness(logits[None])[0][labels != 7]
    assert quality.measures()["non_distinctiveness_1"] == pytest.approx(kept.mean())
    assert np.isnan(quality.measures()["auroc_unknown"]), "nothing is unknown any longer"


@settings(max_examples=10)
@given(st.integers(0, 10**6))
def test_intervals_are_those_of_measures_of_resampled_images(seed):
    scenes = [scene(seed + i) for i in range(4)]
    resampling = {"block": 2, "repetitions": 30, "seed": seed}

    def quality_of(chosen):
        quality = SegmentationQuality(VOID_BEHIND)
        for labels, logits in chosen:
            quality.update(logits.argmax(0), labels, logits)
        return quality

    resamples = [
        quality_of([scenes[i] for i in resampled]).measures()
        for resampled in block_resamples(4, **resampling)
    ]
    found = quality_of(scenes).intervals(**resampling)
    for name in ("mean_iou", "mean_dice", "mean_accuracy", "frequency_weighted_iou", "pixel_accuracy"):
        assert found[name] == pytest.approx(interval([each[name] for each in resamples]))
    for name in ("non_distinctiveness_1", "non_distinctiveness_2"):
        assert found[name] == pytest.approx(interval([each[name] for each in resamples]))
    for name in ("auroc_background", "auroc_unknown"):  # of scores in bins
        assert found[name] == pytest.approx(interval([each[name] for each in resamples]), abs=5e-3)
    dice = [each["dice"]["class 1"] for each in resamples]
    assert found["dice"]["class 1"] == pytest.approx(interval(dice))


def test_of_what_was_not_seen_there_is_no_measure():
    quality = SegmentationQuality(PLAIN)
    quality.update(np.array([[0, 1]]), np.array([[0, 0]]))
    measures = json.loads(json.dumps(quality.measures(), allow_nan=False))
    assert measures["iou"] == {"class 0": 0.5, "class 1": 0, "class 2": None}
    assert measures["accuracy"] == {"class 0": 0.5, "class 1": None, "class 2": None}
    assert SegmentationQuality(PLAIN).measures()["mean_iou"] is None


def test_the_confusion_is_that_of_predicted_ids():
    labels, logits = scene(3)
    quality = SegmentationQuality(VOID_BEHIND)
    quality.update(logits.argmax(0), labels)
    matrix = ConfusionMatrix(4)
    matrix.update(logits.argmax(0), VOID_BEHIND.to_predicted(labels))
    measures = quality.measures()
    assert measures["mean_iou"] == matrix.mean_iou() and measures["mean_dice"] == matrix.mean_dice()
    assert list(measures["iou"]) == ["background", "class 0", "class 1", "class 2"]
    assert measures["accuracy"]["class 2"] == matrix.accuracy()[3]
    assert "non_distinctiveness_1" not in measures, "without logits the background is not evaluated"
    assert quality.images == measures["images"] == 1


def test_without_a_background_only_classes_are_evaluated():
    labels, logits = scene(4, channels=3)
    quality = SegmentationQuality(PLAIN)
    quality.update(logits.argmax(0), labels, logits)
    assert not any(key.startswith(("auroc", "non_dist")) for key in quality.measures())
    with pytest.raises(ValueError, match="none of the predicted classes is a background"):
        BackgroundQuality(PLAIN)


def test_one_class_and_the_background_has_no_distinctiveness():
    one = PLAIN.with_unknown(["class 1", "class 2"]).with_background()
    quality = SegmentationQuality(one)
    labels, logits = scene(5, channels=2)
    quality.update(logits.argmax(0), labels, logits)
    assert "non_distinctiveness_1" not in quality.measures()
