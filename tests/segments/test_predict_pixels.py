import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pretended_predictions import street_logits

from oodretrieval.bilinear import resize_bilinear
from oodretrieval.segments import entropy_levels, predict_classes, predict_pixels
from oodretrieval.uncertainty import softmax


def plain(logits, size, align_corners):
    """Resize, argmax and entropy of the whole image at once, in float64 where it matters."""
    full = resize_bilinear(logits, size, align_corners=align_corners)
    p = softmax(full).astype(np.float64)
    entropy = -(p * np.log(p + np.finfo(np.float32).eps)).sum(-1) / np.log(p.shape[-1])
    return full, entropy * 255


@given(
    st.integers(2, 40),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.tuples(st.integers(1, 70), st.integers(1, 300)),
    st.booleans(),
    st.integers(0, 99),
)
def test_classes_and_entropy_are_those_of_the_resized_logits(classes, small, size, align_corners, seed):
    logits = 4 * np.random.default_rng(seed).normal(size=(classes, *small)).astype(np.float32)
    found, levels = predict_pixels(logits, size, align_corners=align_corners, threads=1)
    full, entropy = plain(logits, size, align_corners)
    chosen = np.take_along_axis(full, found[..., None].astype(int), -1)[..., 0]
    np.testing.assert_allclose(chosen, full.max(-1), atol=1e-5)  # ties and rounding may choose another class
    assert np.abs(levels - entropy).max() <= 0.51
    np.testing.assert_array_equal(predict_classes(logits, size, align_corners=align_corners), found)


def test_the_levels_are_those_of_the_softmax():
    logits = street_logits(24, 32, 7, detail=2)
    _, levels = predict_pixels(logits, (96, 128))
    whole = entropy_levels(softmax(resize_bilinear(logits, (96, 128))))
    assert np.abs(levels.astype(int) - whole).max() <= 1
    assert levels.min() < 30 < 150 < levels.max()


def test_threads_change_nothing():
    logits = street_logits(40, 30, 5, detail=2)
    for one, two in zip(*(predict_pixels(logits, (160, 120), threads=n) for n in (1, 3)), strict=True):
        np.testing.assert_array_equal(one, two)


def test_ties_go_to_the_first_class_and_many_classes_need_a_wider_type():
    assert (predict_classes(np.zeros((255, 1, 1), np.float32), (2, 2)) == 0).all()
    last = np.zeros((300, 1, 1), np.float32)
    last[299] = 1
    classes, levels = predict_pixels(last, (2, 3))
    assert classes.dtype == np.uint16 and (classes == 299).all()
    assert (levels > 250).all()
    assert predict_classes(last[:255], (2, 3)).dtype == np.uint8


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_logits_that_are_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match="NaN or infinity"):
        predict_pixels(np.full((2, 3, 3), bad), (3, 3))
