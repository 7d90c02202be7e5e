import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from oodretrieval.segments import label_components, segment_metrics

from .plain import neighbours, segments_of

CLASS_MAPS = arrays(np.int16, array_shapes(min_dims=2, max_dims=2, max_side=10), elements=st.integers(-1, 3))


@given(CLASS_MAPS, st.sampled_from([None, -1, 2, 77]))
@settings(max_examples=100, deadline=None)
def test_ids_are_those_of_a_flood_fill_in_raster_order(classes, ignore):
    ids = np.zeros(classes.shape, np.int32)
    for i, pixels in enumerate(segments_of(classes, ignore), 1):
        for pixel in pixels:
            ids[pixel] = i
    ours = label_components(classes, ignore=ignore)
    assert ours.dtype == np.int32
    np.testing.assert_array_equal(ours, ids)


@given(CLASS_MAPS)
@settings(max_examples=100, deadline=None)
def test_negative_ids_have_a_neighbour_of_another_class(classes):
    height, width = classes.shape
    wanted = [
        [any(classes[q] != classes[y, x] for q in neighbours(y, x, height, width)) for x in range(width)]
        for y in range(height)
    ]
    prediction = np.where(classes < 0, 255, classes)
    p = np.full((height, width, 4), 0.25, np.float32)
    _, signed = segment_metrics(p, prediction=prediction)
    np.testing.assert_array_equal(np.abs(signed), label_components(prediction, ignore=255))
    np.testing.assert_array_equal(signed < 0, np.array(wanted) & (prediction != 255))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.int64, np.uint64])
def test_every_integer_type_is_accepted(dtype):
    classes = np.array([[0, 255, 0], [255, 255, 255]], dtype)
    assert label_components(classes).tolist() == [[1, 2, 3], [2, 2, 2]]
    assert label_components(classes, ignore=255).tolist() == [[1, 0, 2], [0, 0, 0]]


@pytest.mark.parametrize("bad", [np.zeros((2, 2)), np.zeros((0, 3), int), np.zeros((1, 2, 2), int), [[True]]])
def test_refuses(bad):
    with pytest.raises(ValueError, match="prediction"):
        label_components(bad)
