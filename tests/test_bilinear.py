import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from oodretrieval.bilinear import resize_bilinear
from oodretrieval.stores import Prediction
from oodretrieval.uncertainty import softmax

SIZES = [((1, 1), (1, 1)), ((1, 1), (5, 3)), ((7, 9), (7, 9)), ((7, 9), (29, 37)), ((12, 5), (5, 11))]


def by_torch(maps, size, align_corners):
    tensor = torch.from_numpy(maps.astype(np.float32))[None]
    resized = torch.nn.functional.interpolate(tensor, size, mode="bilinear", align_corners=align_corners)
    return resized[0]


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize(("source", "target"), [*SIZES, ((45, 60), (360, 480)), ((65, 129), (512, 1024))])
def test_probabilities_equal_those_of_torch(source, target, align_corners):
    rng = np.random.default_rng(0)
    logits = (8 * rng.normal(size=(5, *source))).astype(np.float16)
    prediction = Prediction(
        prediction=np.zeros(target, np.uint8), logits=logits, num_classes=5, align_corners=align_corners
    )
    wanted = by_torch(logits, target, align_corners).softmax(0).permute(1, 2, 0).numpy()
    ours = prediction.probabilities()
    assert ours.dtype == np.float32 and ours.flags.c_contiguous
    np.testing.assert_allclose(ours, wanted, rtol=0, atol=1e-5)


sides = st.integers(1, 40)


@given(st.tuples(sides, sides), st.tuples(sides, sides), st.booleans())
@settings(max_examples=80, deadline=None)
def test_resize_equals_torch_for_any_size(source, target, align_corners):
    maps = np.random.default_rng(source[0]).normal(size=(2, *source)).astype(np.float32)
    ours = resize_bilinear(maps, target, align_corners=align_corners)
    wanted = by_torch(maps, target, align_corners).permute(1, 2, 0).numpy()
    np.testing.assert_allclose(ours, wanted, rtol=0, atol=1e-5)


def test_softmax_of_large_arrays_and_large_values():
    logits = np.random.default_rng(0).normal(size=(300, 301, 7)).astype(np.float32) * 300
    result = softmax(logits)
    np.testing.assert_allclose(result.sum(axis=2), 1, atol=1e-5)
    np.testing.assert_allclose(result, torch.from_numpy(logits).softmax(2).numpy(), atol=1e-6)
