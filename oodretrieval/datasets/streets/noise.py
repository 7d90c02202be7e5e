"""Noise that all textures are made of: periodic tiles, made once per process from a fixed seed."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Map = NDArray[np.floating]
"""Values per pixel or per point."""

SIZE = 512


@lru_cache(maxsize=8)
def cloudy(octaves: int = 6) -> Map:
    """A periodic tile of fractal noise.

    Args:
        octaves: Number of octaves, the coarsest of 128 texels; fewer octaves are smoother.

    Returns:
        ``(512, 512)``, 0…1 with mean about 0.5.
    """
    rng = np.random.default_rng(octaves)
    total = np.zeros((SIZE, SIZE))
    for octave in range(octaves):
        white = rng.standard_normal((SIZE, SIZE))
        smooth = ndimage.gaussian_filter(white, 40 / 2**octave, mode="wrap")
        total += smooth / smooth.std() * 0.62**octave
    return _ranked(total)


@lru_cache(maxsize=2)
def grainy() -> Map:
    """A periodic tile of fine grain, ``(512, 512)``, 0…1 with mean about 0.5."""
    white = np.random.default_rng(99).standard_normal((SIZE, SIZE))
    return _ranked(white + 2.0 * ndimage.gaussian_filter(white, 1.0, mode="wrap"))


@lru_cache(maxsize=2)
def furry() -> Map:
    """A periodic tile of short strands, ``(512, 512)``, 0…1 with mean about 0.5."""
    white = np.random.default_rng(7).standard_normal((SIZE, SIZE))
    strands = ndimage.gaussian_filter(white, (3.0, 0.7), mode="wrap")
    tufts = ndimage.gaussian_filter(white, 8.0, mode="wrap")
    return _ranked(strands / strands.std() + tufts / tufts.std())


def _ranked(values: NDArray[np.float64]) -> Map:
    centred = (values - values.mean()) / values.std()
    return np.asarray(np.clip(0.5 + centred / 5.0, 0, 1), dtype=np.float32)


def nearest(tile: Map, u: Map, v: Map) -> Map:
    """Look a periodic tile up without interpolation.

    Args:
        tile: ``(512, 512)``.
        u: Columns in texels, any shape; wraps around.
        v: Rows in texels, same shape.

    Returns:
        Values, same shape.
    """
    return np.asarray(tile[v.astype(np.int64) & (SIZE - 1), u.astype(np.int64) & (SIZE - 1)])


def smooth(tile: Map, u: Map, v: Map) -> Map:
    """Read a periodic tile with bilinear interpolation.

    Args:
        tile: ``(SIZE, SIZE)``.
        u: Columns to read at, any real number; the tile repeats.
        v: Rows, of the same shape.

    Returns:
        Values, of the shape of ``u``.
    """
    left, top = np.floor(u), np.floor(v)
    right_share, low_share = (u - left).astype(np.float32), (v - top).astype(np.float32)
    x0, y0 = left.astype(np.int64) & (SIZE - 1), top.astype(np.int64) & (SIZE - 1)
    x1, y1 = (x0 + 1) & (SIZE - 1), (y0 + 1) & (SIZE - 1)
    upper = tile[y0, x0] * (1 - right_share) + tile[y0, x1] * right_share
    lower = tile[y1, x0] * (1 - right_share) + tile[y1, x1] * right_share
    return np.asarray(upper * (1 - low_share) + lower * low_share)


def step(values: Map, low: float, high: float) -> Map:
    """A smooth step.

    Args:
        values: Of any shape.
        low: At and below it the step is 0.
        high: At and above it the step is 1; more than ``low``.

    Returns:
        0…1, of the shape of ``values``.
    """
    share = np.clip((values - low) / (high - low), 0.0, 1.0)
    return np.asarray(share * share * (3 - 2 * share), dtype=np.float32)
