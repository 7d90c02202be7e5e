"""Known windows: against plain loops, and the laws that distances over means rest on."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oodretrieval.novelty import WindowBank, known_windows, sampled_windows
from oodretrieval.novelty.windows import DIMENSIONS, PER_SIDE, SIDES


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 3), st.integers(0, 99))
def test_windows_match_plain_loops(height, width, times, seed):
    random = np.random.default_rng(seed)
    features = random.normal(size=(3, height, width)).astype(np.float32)
    known = random.random((height * times, width * times)) < 0.97
    for side, found in zip(SIDES, known_windows(features, known), strict=True):
        step = max(1, side // 2)
        expected = [
            features[:, top : top + side, left : left + side].mean(axis=(1, 2))
            for top in range(0, height - side + 1, step)
            for left in range(0, width - side + 1, step)
            if known[top * times : (top + side) * times, left * times : (left + side) * times].all()
        ]
        np.testing.assert_allclose(found, np.reshape(expected, (-1, 3)), atol=1e-5)


def test_one_unknown_pixel_rules_out_the_windows_that_hold_it():
    known = np.ones((64, 64), bool)
    known[20, 40] = False
    assert [len(windows) for windows in known_windows(np.zeros((2, 4, 4)), known)] == [15, 5, 0, 0]


def test_distance_matches_plain_loops():
    random = np.random.default_rng(0)
    known, asked = random.normal(size=(50, 6)) * 7 + 3, random.normal(size=(9, 6)).T.reshape(6, 3, 3)
    bank = WindowBank.of(known)
    std = known.std(axis=0)
    got = bank.log_distance(bank.turned(asked).reshape(len(bank.axes), -1).T)
    expected = [
        np.log(min(np.linalg.norm((asked[:, i, j] - window) / std) for window in known))
        for i in range(3)
        for j in range(3)
    ]
    np.testing.assert_allclose(got, expected, atol=5e-3)


def test_few_components_keep_what_varies_most():
    random = np.random.default_rng(1)
    base = random.normal(size=(400, 5))
    windows = base @ random.normal(size=(5, 200)) + 0.01 * random.normal(size=(400, 200))
    bank = WindowBank.of(windows)
    assert bank.vectors.shape == (400, DIMENSIONS)
    nearest = bank.log_distance((windows - bank.mean) @ bank.axes)
    other = bank.log_distance((windows + 5 * windows.std(axis=0) - bank.mean) @ bank.axes)
    assert nearest.max() < other.min()


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 99))
def test_a_mean_of_turned_features_is_the_turned_mean(seed):
    random = np.random.default_rng(seed)
    bank = WindowBank.of(random.normal(size=(20, 5)))
    features = random.normal(size=(5, 3, 4)).astype(np.float32)
    mean = features.mean(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(bank.turned(features).mean(axis=(1, 2)), bank.turned(mean)[:, 0, 0], atol=1e-4)


def test_every_image_gives_windows_of_every_side():
    image = [np.full((300, 2), side) for side in SIDES]
    kept = sampled_windows([image, image, image])
    assert len(kept) == len(SIDES) * 3 * -(-PER_SIDE // 3)
    assert np.unique(kept).tolist() == list(SIDES)
    few = sampled_windows([[windows[:2] for windows in image]])
    assert len(few) == 2 * len(SIDES)


def test_the_seed_decides_which_are_kept():
    image = [np.arange(2000.0)[:, None]] * len(SIDES)
    assert (sampled_windows([image], 3) == sampled_windows([image], 3)).all()
    assert (sampled_windows([image], 3) != sampled_windows([image], 4)).any()


def test_what_holds_no_window_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        WindowBank.of(np.zeros((0, 4)))
    with pytest.raises(ValueError, match="at least one image"):
        sampled_windows([])


def test_the_digest_says_what_is_known():
    windows = np.random.default_rng(0).normal(size=(9, 4))
    assert WindowBank.of(windows).digest == WindowBank.of(windows).digest
    assert WindowBank.of(windows).digest != WindowBank.of(windows + windows**2).digest
