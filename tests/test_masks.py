"""Run-length masks: the laws of encoding, and arithmetic against bitmaps."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from oodretrieval.masks import (
    RunLengthMask,
    decode_mask,
    encode_mask,
    encode_within,
    from_coco,
    mask_intersection,
    mask_iou,
    to_coco,
)

MASKS = arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=9))
PAIRS = array_shapes(min_dims=2, max_dims=2, max_side=9).flatmap(
    lambda shape: st.tuples(arrays(np.bool_, shape), arrays(np.bool_, shape))
)


def plain_counts(mask):
    """COCO's definition, pixel by pixel."""
    counts, inside = [0], False
    for value in mask.flatten(order="F"):
        if bool(value) != inside:
            counts.append(0)
            inside = not inside
        counts[-1] += 1
    return counts


def plain_box(mask):
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return 0, 0, 0, 0
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


@given(MASKS)
def test_counts_are_those_of_coco(mask):
    assert encode_mask(mask).counts.tolist() == plain_counts(mask)


@given(MASKS)
def test_decoding_gives_the_mask_back(mask):
    decoded = decode_mask(encode_mask(mask))
    assert decoded.dtype == np.bool_
    np.testing.assert_array_equal(decoded, mask)


@given(MASKS)
def test_area_and_box_are_those_of_the_pixels(mask):
    runs = encode_mask(mask)
    assert runs.area == mask.sum()
    assert runs.box == plain_box(mask)


@given(PAIRS)
def test_intersection_and_iou_are_those_of_the_pixels(pair):
    one, other = pair
    runs = encode_mask(one), encode_mask(other)
    shared, union = (one & other).sum(), (one | other).sum()
    assert mask_intersection(*runs) == mask_intersection(*runs[::-1]) == shared
    assert mask_iou(*runs) == (shared / union if union else 0)


@given(MASKS, st.integers(0, 4), st.integers(0, 4), st.integers(0, 4), st.integers(0, 4))
def test_a_part_is_the_whole_with_nothing_around_it(mask, left, top, right, bottom):
    whole = np.pad(mask, ((top, bottom), (left, right)))
    runs = encode_within(mask, (left, top), (whole.shape[0], whole.shape[1]))
    np.testing.assert_array_equal(runs.counts, encode_mask(whole).counts)


@given(MASKS)
def test_coco_form_survives_json(mask):
    form = json.loads(json.dumps(to_coco(encode_mask(mask))))
    np.testing.assert_array_equal(decode_mask(from_coco(form)), mask)


def test_a_large_mask_stays_small():
    mask = np.zeros((1024, 2048), np.bool_)
    mask[200:800, 300:900] = True
    assert encode_mask(mask).counts.nbytes < mask.nbytes / 100


def test_intersection_of_large_masks_is_exact():
    rng = np.random.default_rng(0)
    one, other = rng.random((2, 700, 900)) < 0.5
    assert mask_intersection(encode_mask(one), encode_mask(other)) == (one & other).sum()


def test_refuses_masks_of_different_images():
    one, other = encode_mask(np.ones((2, 3), bool)), encode_mask(np.ones((3, 2), bool))
    with pytest.raises(ValueError, match=r"one size, got \(2, 3\) and \(3, 2\)"):
        mask_intersection(one, other)


def test_refuses_a_part_that_does_not_lie_in_the_image():
    with pytest.raises(ValueError, match="expected a part of"):
        encode_within(np.ones((2, 2), bool), (3, 0), (4, 4))


def test_refuses_what_is_no_mask():
    with pytest.raises(ValueError, match=r"expected a mask \(H, W\)"):
        encode_mask(np.ones(3, bool))


@pytest.mark.parametrize("counts", [[3], [1, 2, 2], [0, 2, 0, 2], [[4]]])
def test_refuses_runs_that_do_not_fill_the_image(counts):
    with pytest.raises(ValueError, match="expected counts"):
        RunLengthMask((2, 2), np.array(counts, np.uint32))


@pytest.mark.parametrize(
    "form",
    [
        {"size": [2, 2]},
        {"size": [2, 2], "counts": "04"},
        {"size": [2, 2], "counts": [-1, 5]},
        {"size": [2], "counts": [4]},
    ],
)
def test_refuses_what_is_not_cocos_form(form):
    with pytest.raises(ValueError, match="expected"):
        from_coco(form)
