from itertools import pairwise

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from oodretrieval.choices import WINDOW_GRID
from oodretrieval.errors import ConfigurationError
from oodretrieval.models import DeepLabV3Plus
from oodretrieval.models.test_time import (
    FlipAverage,
    ScaleAverage,
    SlidingWindow,
    aligns_corners,
    low_resolution_logits,
    window_ranges,
)

SIZES = st.integers(1, 150)
WINDOWS = st.sampled_from([32, 64, 96, 160])


class Pointwise(nn.Module):
    """Every position sees its own block of ``stride`` pixels only."""

    def __init__(self, stride=4, align_corners=False):
        super().__init__()
        self.stride, self.align_corners = stride, align_corners
        self.seen = []

    def low_resolution_logits(self, x):
        self.seen.append(tuple(x.shape[-2:]))
        pooled = F.avg_pool2d(x, self.stride, ceil_mode=True)
        return torch.cat([pooled, pooled[:, :1] * pooled[:, 1:2]], 1)


class Leaning(nn.Module):
    """Sees what lies to the left; at full size."""

    def forward(self, x):
        return F.pad(x, (3, 0))[..., :-3] + 2 * x


def images(height=64, width=96, count=2, seed=0):
    return torch.rand((count, 3, height, width), generator=torch.Generator().manual_seed(seed))


def test_flips_change_nothing_for_a_network_that_knows_no_left():
    x = images(64, 96)
    torch.testing.assert_close(
        low_resolution_logits(FlipAverage(Pointwise()), x), Pointwise().low_resolution_logits(x)
    )


def test_flips_are_the_mean_of_both_views():
    x, network = images(20, 30), Leaning()
    wanted = (network(x) + network(x.flip(-1)).flip(-1)) / 2
    assert not torch.allclose(wanted, network(x))
    torch.testing.assert_close(FlipAverage(network)(x), wanted)
    torch.testing.assert_close(FlipAverage(network)(x.flip(-1)).flip(-1), wanted)


@given(
    SIZES,
    SIZES,
    WINDOWS,
    WINDOWS,
    st.sampled_from([0.0, 0.25, 0.5, 0.9]),
    st.sampled_from([1, 2, 4, 8, 16, 32]),
)
@settings(max_examples=60)
def test_windows_of_a_pointwise_network_equal_the_whole(height, width, tall, wide, overlap, stride):
    x, network = images(height, width, 1), Pointwise(stride)
    wanted = network.low_resolution_logits(x)
    network.seen.clear()
    ours = low_resolution_logits(SlidingWindow(network, (tall, wide), overlap), x)
    torch.testing.assert_close(ours, wanted, atol=1e-5, rtol=1e-5)
    assert max(seen[0] for seen in network.seen) < tall + WINDOW_GRID
    assert max(seen[1] for seen in network.seen) < wide + WINDOW_GRID


@pytest.mark.parametrize("window", [(64, 96), (96, 96), (512, 1024)])
def test_a_window_as_large_as_the_image_is_no_window(window):
    torch.manual_seed(0)
    network, x = DeepLabV3Plus(3, channels=16).eval(), images(64, 96)
    with torch.inference_mode():
        assert torch.equal(SlidingWindow(network, window)(x), network(x))


def test_windows_of_a_real_network_come_close_to_the_whole():
    torch.manual_seed(0)
    network, x = DeepLabV3Plus(3, channels=16).eval(), images(64, 160, 1)
    with torch.inference_mode():
        whole = network.low_resolution_logits(x)
        ours = low_resolution_logits(SlidingWindow(network, (64, 128), 0.5), x)
    assert ours.shape == whole.shape
    assert (ours - whole).abs().mean() < 0.5 * whole.std()


@given(st.integers(1, 5000), WINDOWS, st.floats(0, 0.99))
def test_windows_cover_an_axis_and_overlap(length, window, overlap):
    ranges = window_ranges(length, window, overlap)
    assert (ranges[0][0], ranges[-1][1]) == (0, length)
    assert all(begin % WINDOW_GRID == 0 and end - begin < window + WINDOW_GRID for begin, end in ranges)
    shared = [before[1] - after[0] for before, after in pairwise(ranges)]
    assert all(pixels > min(overlap * window, window - WINDOW_GRID) - 1 for pixels in shared)


def test_a_window_needs_a_whole_stride():
    with pytest.raises(
        ConfigurationError, match=r"stride divides 32; this one makes 11 of 32 pixels.*args.resize"
    ):
        SlidingWindow(Pointwise(stride=3), (32, 32))(images())


@pytest.mark.parametrize(
    ("window", "overlap"), [((31, 64), 0.2), ((0, 32), 0.2), ((32, 32), 1.0), ((32, 32), -0.1)]
)
def test_impossible_windows_are_refused(window, overlap):
    with pytest.raises(ConfigurationError, match="multiples of 32"):
        SlidingWindow(Pointwise(), window, overlap)


def test_scales_are_the_mean_at_the_stride_of_scale_one():
    x, network = images(60, 84), Pointwise()
    at_one = network.low_resolution_logits(x)
    large = network.low_resolution_logits(F.interpolate(x, (120, 168), mode="bilinear"))
    wanted = (at_one + F.interpolate(large, at_one.shape[-2:], mode="bilinear")) / 2
    for scales in ((1.0, 2.0), (2.0, 1.0)):
        torch.testing.assert_close(low_resolution_logits(ScaleAverage(network, scales), x), wanted)
    assert torch.equal(low_resolution_logits(ScaleAverage(network, (1.0,)), x), at_one)


@pytest.mark.parametrize("scale", [0.5, 0.75, 1.25, 2.0])
@pytest.mark.parametrize("align_corners", [False, True])
def test_a_single_scale_keeps_the_shape_of_scale_one(scale, align_corners):
    x, network = images(64, 96), Pointwise(align_corners=align_corners)
    ours = low_resolution_logits(ScaleAverage(network, (scale,)), x)
    assert ours.shape == network.low_resolution_logits(x).shape
    assert network.seen[0] == (64 * scale, 96 * scale)


def test_they_compose_and_behave_like_the_network_inside():
    x, network = images(64, 96), Pointwise(align_corners=True)
    whole = ScaleAverage(FlipAverage(SlidingWindow(network, (32, 64))), (1.0, 1.5))
    assert aligns_corners(whole) and not aligns_corners(Leaning())
    assert whole(x).shape == (2, 4, 64, 96)
    with torch.autocast("cpu", torch.bfloat16):
        assert low_resolution_logits(nn.Conv2d(3, 2, 1), x).dtype == torch.float32
