"""Laws of the pinhole camera."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oodretrieval.datasets.streets.camera import NEAR, Camera, clip_near

angles = st.floats(-0.15, 0.15)


def camera(pitch=0.0, yaw=0.0, roll=0.0, bend=0.0):
    return Camera(128, 64, 100.0, 1.5, 0.4, pitch, yaw, roll, bend)


def test_a_point_straight_ahead_is_in_the_middle():
    eye = camera()
    pixel = eye.screen(eye.view(np.array([[0.4, 1.5, 10.0]])))
    assert pixel.tolist() == [[64.0, 32.0]]


def test_right_is_right_and_up_is_up():
    eye = camera()
    (right, up) = eye.screen(eye.view(np.array([[1.4, 1.5, 10.0], [0.4, 2.5, 10.0]])))
    assert right.tolist() == pytest.approx([74.0, 32.0])
    assert up.tolist() == pytest.approx([64.0, 22.0])


@settings(max_examples=30, deadline=None)
@given(angles, angles, angles, st.floats(-0.002, 0.002))
def test_ground_is_the_inverse_of_projection(pitch, yaw, roll, bend):
    eye = camera(pitch, yaw, roll, bend)
    below, x, z = eye.ground()
    near = (z < 60) & (z > NEAR)
    rows, columns = np.nonzero(below)
    points = np.stack([x, np.zeros_like(x), z], axis=1)[near].astype(float)
    pixels = eye.screen(eye.view(points))
    expected = np.stack([columns, rows], axis=1)[near] + 0.5
    assert np.abs(pixels - expected).max(initial=0.0) < 0.05


def test_rotation_is_orthonormal():
    rotation = camera(0.1, -0.2, 0.05).rotation
    assert np.allclose(rotation @ rotation.T, np.eye(3))
    assert np.linalg.det(rotation) == pytest.approx(1.0)


def test_clipping_keeps_what_is_in_front():
    front = np.array([[0.0, 0, 5], [1, 0, 5], [1, 1, 5]])
    assert np.array_equal(clip_near(front), front)
    assert clip_near(front * [1, 1, -1]).shape == (0, 3)
    cut = clip_near(np.array([[0.0, 0, -5], [0, 0, 5], [0, 1, 5], [0, 1, -5]]))
    assert len(cut) == 4 and cut[:, 2].min() == pytest.approx(NEAR)
