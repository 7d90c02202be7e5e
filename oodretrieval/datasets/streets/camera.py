"""The pinhole camera of the rendered streets, and the way from pixels back to the ground.

World axes: x to the right across the street, y up, z along the street, in metres; the ground is ``y = 0``.
A bend shifts the whole world sideways by ``bend * z²``, so that everything follows the curve of the street.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""World or view coordinates, ``(N, 3)``."""

NEAR = 0.7
"""Nearest visible depth, in metres."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera above the ground.

    Attributes:
        width: Pixels across.
        height: Pixels down.
        focal: Focal length in pixels.
        elevation: Height above the ground, metres.
        lateral: Position across the street, metres.
        pitch: Radians, positive looks down.
        yaw: Radians, positive looks to the right.
        roll: Radians.
        bend: Curvature of the street, 1/metre.
    """

    width: int
    height: int
    focal: float
    elevation: float
    lateral: float
    pitch: float
    yaw: float
    roll: float
    bend: float

    @cached_property
    def rotation(self) -> NDArray[np.float64]:
        """World axes → view axes (right, up, forward), ``(3, 3)``."""
        cy, sy = np.cos(self.yaw), np.sin(self.yaw)
        cp, sp = np.cos(self.pitch), np.sin(self.pitch)
        cr, sr = np.cos(self.roll), np.sin(self.roll)
        turn = np.array([[cy, 0, -sy], [0, 1, 0], [sy, 0, cy]])
        tilt = np.array([[1, 0, 0], [0, cp, sp], [0, -sp, cp]])
        lean = np.array([[cr, sr, 0], [-sr, cr, 0], [0, 0, 1]])
        return np.asarray(lean @ tilt @ turn)

    def view(self, points: Points) -> Points:
        """Points as seen from the camera: right, up, forward.

        Args:
            points: In the world, ``(N, 3)``, metres.

        Returns:
            ``(N, 3)``, metres.
        """
        shifted = points - np.array([self.lateral, self.elevation, 0.0])
        shifted[:, 0] += self.bend * points[:, 2] ** 2
        return np.asarray(shifted @ self.rotation.T)

    def screen(self, view: Points) -> NDArray[np.float64]:
        """Where points appear in the image.

        Args:
            view: As :meth:`view` gives them, with positive depth, ``(N, 3)``.

        Returns:
            x and y in pixels, ``(N, 2)``.
        """
        depth = np.maximum(view[:, 2], 1e-6)
        x = self.width / 2 + self.focal * view[:, 0] / depth
        y = self.height / 2 - self.focal * view[:, 1] / depth
        return np.stack([x, y], axis=1)

    def polygon(self, points: Points) -> NDArray[np.float64]:
        """Outline of a flat polygon on the screen, cut at the near plane.

        Args:
            points: Corners in world coordinates, ``(N, 3)``.

        Returns:
            Pixel coordinates ``(M, 2)``; empty where the polygon lies behind the camera.
        """
        return self.screen(clip_near(self.view(points)))

    def ground(self) -> tuple[NDArray[np.bool_], NDArray[np.float32], NDArray[np.float32]]:
        """What part of the ground every pixel shows.

        Returns:
            Whether the pixel lies below the horizon ``(H, W)``, and for those pixels in raster order the
            street coordinates x and z, ``(n,)``.
        """
        rays = self.rays()
        below = rays[..., 1] < -1e-3
        down = rays[below]
        reach = np.minimum(self.elevation / -down[:, 1], 4000.0)
        z = reach * down[:, 2]
        x = self.lateral + reach * down[:, 0] - self.bend * z**2
        return below, x.astype(np.float32), z.astype(np.float32)

    def rays(self) -> NDArray[np.float32]:
        """Direction of every pixel in world axes, forward component about 1, ``(H, W, 3)``."""
        columns = (np.arange(self.width, dtype=np.float32) + 0.5 - self.width / 2) / self.focal
        rows = (self.height / 2 - np.arange(self.height, dtype=np.float32) - 0.5) / self.focal
        back = self.rotation.astype(np.float32)
        across = columns[None, :, None] * back[0] + back[2]
        return np.asarray(across + rows[:, None, None] * back[1], dtype=np.float32)


def clip_near(view: Points) -> Points:
    """Cut a flat polygon at the near plane.

    Args:
        view: Corners in view coordinates, ``(N, 3)``.

    Returns:
        The corners of what lies in front, ``(M, 3)``; empty where nothing does.
    """
    inside = view[:, 2] >= NEAR
    if inside.all():
        return view
    if not inside.any():
        return np.empty((0, 3))
    kept: list[NDArray[np.float64]] = []
    for i in range(len(view)):
        here, there = view[i], view[(i + 1) % len(view)]
        if inside[i]:
            kept.append(here)
        if inside[i] != inside[(i + 1) % len(view)]:
            share = (NEAR - here[2]) / (there[2] - here[2])
            kept.append(here + share * (there - here))
    return np.array(kept)
