import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from oodretrieval.segments import Box, crop, enlarge_box, majority_label, segment_boxes

IDS = arrays(np.int32, array_shapes(min_dims=2, max_dims=2, max_side=10), elements=st.integers(-4, 4))


@given(IDS)
@settings(max_examples=100, deadline=None)
def test_boxes_are_the_extremes_of_all_pixels(components):
    boxes = segment_boxes(components)
    assert len(boxes) == np.abs(components).max()
    for i, box in enumerate(boxes.tolist(), 1):
        rows, columns = np.nonzero(np.abs(components) == i)
        wanted = [0] * 4
        if rows.size:
            wanted = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert box == wanted


@given(IDS, st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_majority_label_is_a_vote_of_all_pixels(components, seed):
    labels = np.random.default_rng(seed).choice([0, 3, 255, 65535], components.shape).astype(np.uint16)
    for i, winner in enumerate(majority_label(components, labels), 1):
        values, counts = np.unique(labels[np.abs(components) == i], return_counts=True)
        assert winner == (values[counts.argmax()] if values.size else -1)


@st.composite
def boxes_in_images(draw):
    height, width = draw(st.integers(1, 30)), draw(st.integers(1, 30))
    left, top = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
    box = left, top, draw(st.integers(left + 1, width)), draw(st.integers(top + 1, height))
    return box, height, width


@given(boxes_in_images(), st.integers(0, 40), st.integers(0, 40))
@settings(max_examples=200, deadline=None)
def test_laws_of_enlarged_boxes(case, min_height, min_width):
    box, height, width = case
    big = enlarge_box(box, min_height, min_width, height, width)
    assert 0 <= big.left <= box[0] and box[2] <= big.right <= width
    assert 0 <= big.top <= box[1] and box[3] <= big.bottom <= height
    assert big.width == min(max(box[2] - box[0], min_width), width)
    assert big.height == min(max(box[3] - box[1], min_height), height)
    if big.left > 0 and big.right < width:
        assert abs((big.left + big.right) - (box[0] + box[2])) <= 1
    assert enlarge_box(big, min_height, min_width, height, width) == big


def test_boxes_at_the_border_grow_inwards():
    assert enlarge_box((0, 0, 2, 2), 6, 6, 20, 20) == Box(0, 0, 6, 6)
    assert enlarge_box((18, 19, 20, 20), 6, 6, 20, 20) == Box(14, 14, 20, 20)
    assert enlarge_box((8, 8, 10, 10), 6, 6, 20, 20) == Box(6, 6, 12, 12)
    assert enlarge_box((8, 8, 10, 10), 64, 6, 20, 20) == Box(6, 0, 12, 20)


def test_crop_is_a_view():
    image = np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    part = crop(image, (1, 2, 4, 4))
    assert part.shape == (2, 3, 3)
    assert np.shares_memory(part, image)
    np.testing.assert_array_equal(part, image[2:4, 1:4])


@pytest.mark.parametrize("box", [(0, 0, 0, 1), (-1, 0, 2, 2), (0, 0, 6, 2), (0, 3, 2, 2)])
def test_refuses_boxes_outside_the_image(box):
    with pytest.raises(ValueError, match="inside the image of 5×4"):
        crop(np.zeros((4, 5)), box)


def test_refuses_labels_of_another_shape():
    with pytest.raises(ValueError, match="shape of the components"):
        majority_label(np.ones((2, 2), int), np.ones((2, 3), int))
