import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oodretrieval.segments import paint_segments

components = arrays(np.int32, (4, 5), elements=st.integers(0, 6))
values = st.dictionaries(st.integers(0, 9), st.floats(-1, 1))


@given(components, values)
def test_every_pixel_has_the_value_of_its_segment(ids, of_segment):
    painted = paint_segments(ids, list(of_segment), list(of_segment.values()), missing=7.0)
    assert painted.tolist() == [[of_segment.get(i, 7.0) for i in row] for row in ids.tolist()]


def test_pixels_of_no_segment_have_no_value():
    assert np.isnan(paint_segments(np.array([[0, 1]]), [1], [0.5])).tolist() == [[True, False]]


def test_values_of_other_segments_are_refused():
    with pytest.raises(ValueError, match=r"ids \(n,\) and values \(n,\), got \(2,\) and \(1,\)"):
        paint_segments(np.array([[1]]), [1, 2], [0.5])
