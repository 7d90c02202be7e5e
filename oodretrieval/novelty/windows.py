"""Known windows: what regions of any size are compared with, by features of small and large squares of known pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from oodretrieval.directions import leading_axes
from oodretrieval.novelty.neighbours import SMALLEST, digest_of, log_lengths, nearest_places

SIDES = (1, 2, 4, 8)
"""Sides of the windows, in cells of the features."""

PER_SIDE = 500
"""Windows that are kept of each side."""

DIMENSIONS = 64
"""Principal components of the features that distances are measured in."""


@dataclass(frozen=True, eq=False)
class WindowBank:
    """Features of known windows of training images.

    Attributes:
        mean: Mean feature of all windows, ``(D,)``.
        axes: Standardises and turns onto the principal components, ``(D, k)``.
        vectors: The windows, turned likewise, ``(m, k)`` float16.
    """

    mean: NDArray[np.float32]
    axes: NDArray[np.float32]
    vectors: NDArray[np.float16]

    @classmethod
    def of(cls, windows: NDArray[np.floating]) -> "WindowBank":
        """Keep windows in their leading principal components.

        Args:
            windows: ``(m, D)``, finite, ``m >= 1``.

        Returns:
            The bank.

        Raises:
            ValueError: If there is no window.
        """
        if windows.ndim != 2 or not len(windows):
            raise ValueError(f"expected windows (m, D) with m at least 1, got {windows.shape}")
        mean = windows.mean(axis=0, dtype=np.float64)
        std = np.maximum(windows.std(axis=0, dtype=np.float64), SMALLEST)
        standard = (windows - mean) / std
        axes = leading_axes(standard, DIMENSIONS) / std[:, None]
        turned = (windows - mean) @ axes
        return cls(mean.astype(np.float32), axes.astype(np.float32), turned.astype(np.float16))

    @property
    def digest(self) -> str:
        """Hash of what is known."""
        return digest_of(self.mean, self.axes, self.vectors)

    def turned(self, features: NDArray[np.floating]) -> NDArray[np.float32]:
        """A map of features in the components that distances are measured in; means over it can be compared.

        Args:
            features: ``(D, h, w)``.

        Returns:
            ``(k, h, w)``.
        """
        depth, height, width = features.shape
        flat = features.reshape(depth, -1).T.astype(np.float32) - self.mean
        return np.asarray((flat @ self.axes).T.reshape(-1, height, width), np.float32)

    def log_distance(self, vectors: NDArray[np.floating]) -> NDArray[np.float64]:
        """``ln`` of the Euclidean distance to the nearest known window, whatever its side.

        Args:
            vectors: Turned features, ``(n, k)``.

        Returns:
            ``(n,)``.
        """
        known, half_squares = self._compared
        rows = np.asarray(vectors, np.float32)
        return log_lengths(rows - known[nearest_places(rows, known, half_squares)])

    @cached_property
    def _compared(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The windows ``(m, k)``, and half their squared lengths ``(m,)``."""
        known = self.vectors.astype(np.float32)
        return known, (known**2).sum(axis=1) / 2


def known_windows(features: NDArray[np.floating], known: NDArray[np.bool_]) -> list[NDArray[np.float32]]:
    """Mean features of the square windows of an image that hold known pixels alone.

    Windows of one side overlap by half.

    Args:
        features: ``(D, h, w)`` at any stride.
        known: Which pixels show something known, ``(H, W)``.

    Returns:
        For each of :data:`SIDES` the windows, ``(n, D)``, in raster-scan order.

    Example:
        >>> [len(windows) for windows in known_windows(np.zeros((3, 4, 4)), np.ones((64, 64), bool))]
        [16, 9, 1, 0]
    """
    depth, height, width = features.shape
    rows, columns = (
        np.arange(n) * m // n for n, m in zip(known.shape, (height, width), strict=True)
    )  # the cell that each pixel lies in
    other = np.zeros((height, width))
    np.add.at(other, (rows[:, None], columns[None]), ~known)
    sums = _summed(np.concatenate([np.asarray(features, np.float64), other[None]]))
    found = []
    for side in SIDES:
        if side > min(height, width):
            found.append(np.zeros((0, depth), np.float32))
            continue
        inside = (
            sums[:, side:, side:] - sums[:, :-side, side:] - sums[:, side:, :-side] + sums[:, :-side, :-side]
        )
        step = max(1, side // 2)
        flat = inside[:, ::step, ::step].reshape(depth + 1, -1).T
        found.append((flat[flat[:, -1] < 0.5, :-1] / side**2).astype(np.float32))
    return found


def sampled_windows(images: Sequence[Sequence[NDArray[np.floating]]], seed: int = 0) -> NDArray[np.float32]:
    """At most :data:`PER_SIDE` windows of each side, as many of each image as there are.

    Args:
        images: What :func:`known_windows` gives of each image; at least one.
        seed: Which are kept.

    Returns:
        ``(m, D)``.

    Raises:
        ValueError: If there is no image.
    """
    if not images:
        raise ValueError("expected the windows of at least one image, got none")
    random = np.random.default_rng(seed)
    each = -(-PER_SIDE // len(images))
    kept = [random.permutation(windows)[:each] for image in images for windows in image]
    return np.concatenate(kept).astype(np.float32)


def _summed(maps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums over all cells above and to the left, ``(K, h + 1, w + 1)``."""
    return np.pad(maps.cumsum(axis=1).cumsum(axis=2), ((0, 0), (1, 0), (1, 0)))
