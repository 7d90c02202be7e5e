"""Pooling by segment: against a plain loop, and what it refuses."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from oodretrieval.embedding import pool_by_segment
from oodretrieval.embedding.pooling import inside_pixels
from oodretrieval.novelty import pixel_novelty


def plain_pooling(features, components):
    height, width = components.shape
    rows, columns = features.shape[1:]
    padded = np.pad(components, 1, mode="edge")
    pooled = []
    for segment in range(1, components.max() + 1):
        pixels = [(y, x) for y in range(height) for x in range(width) if components[y, x] == segment]
        inside = [(y, x) for y, x in pixels if (padded[y : y + 3, x : x + 3] == segment).all()]
        if len(inside) >= 0.3 * len(pixels) and len(inside) >= 20:
            pixels = inside
        cells = [(int((y + 0.5) * rows / height), int((x + 0.5) * columns / width)) for y, x in pixels]
        pooled.append(
            np.mean([features[:, v, u] for v, u in cells], axis=0) if cells else features[:, 0, 0] * 0
        )
    return np.array(pooled)


@settings(deadline=None, max_examples=25)
@given(
    arrays(np.int64, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 3)),
    st.integers(1, 5),
    st.integers(1, 5),
)
def test_pooling_is_that_of_a_plain_loop(components, rows, columns):
    if not components.max():
        components[0, 0] = 1
    features = np.random.default_rng(0).normal(size=(4, rows, columns))
    assert np.allclose(pool_by_segment(features, components), plain_pooling(features, components), atol=1e-5)


def test_boundary_pixels_do_not_count_where_others_are_left():
    components = np.ones((12, 12), int)
    components[:, 8:] = 2
    features = components[None].astype(float)
    features[0, :, 7] = 100  # the boundary of segment 1
    assert pool_by_segment(features, components)[0].tolist() == [1.0]
    assert inside_pixels(components)[:, 7:9].sum() == 0 and inside_pixels(components)[:, :7].all()


@pytest.mark.parametrize(
    "shapes", [((4, 3), (5, 5)), ((1, 2, 2), (5,)), ((0, 2, 2), (5, 5)), ((1, 2, 2), (0, 5))]
)
def test_other_shapes_are_refused(shapes):
    with pytest.raises(ValueError, match=r"features \(D, h, w\)"):
        pool_by_segment(np.zeros(shapes[0]), np.zeros(shapes[1], int))


def test_pixel_novelty_is_both_parts_smoothed():
    rng = np.random.default_rng(0)
    energy, novelty = rng.normal(size=(2, 60, 80))
    assert np.allclose(
        pixel_novelty(2 * energy, novelty, 2.0), pixel_novelty(energy, novelty, 1.0), atol=1e-6
    )
    one = np.zeros((240, 320))  # the smoothing is 2 pixels wide
    one[120, 160] = 1.0
    for scores in (pixel_novelty(one, 0 * one, 1.0), pixel_novelty(0 * one, one, 1.0)):
        assert scores.shape == one.shape and scores.dtype == np.float32
        assert scores.argmax() == one.argmax() and scores.sum() == pytest.approx(1, abs=1e-5)
        assert scores[120, 161] > scores[120, 164] > 0, "sharp at the pixel, lower around it"
    with pytest.raises(ValueError, match="energy_scale > 0"):
        pixel_novelty(energy, novelty, 0.0)
    with pytest.raises(ValueError, match=r"\(60, 80\) and \(60, 79\)"):
        pixel_novelty(energy, novelty[:, 1:], 1.0)
