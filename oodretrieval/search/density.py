"""Density of points in the plane: a Gaussian around every point, summed on a grid by fast Fourier transforms."""

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.fft import irfft2, next_fast_len, rfft2

_FAR = 5.5
"""Standard deviations beyond which a Gaussian is nothing (3e-7 of its top)."""
_FLAT = 1e-16
"""Of the extent's area, squared: points whose kernel covers less are on one line."""
_FINEST = 4096
"""Nodes a side of the refined grid, at most; a kernel that is too narrow for it is taken as wide as it can show."""
_OWN = 1.0
"""Standard deviation, in cells, of the part of the kernel that each point is drawn with."""
SHADED_CELLS, SHADES = 160, 9
"""Nodes along a side, and steps, of the density as views shade it."""
_REACH = 5
"""Nodes to each side that a point is drawn at."""
_LEAST = 1.6
"""Standard deviation of the kernel, in cells, at which sums over nodes are integrals within 2e-5 of the top."""


def density(
    points: ArrayLike,
    extent: tuple[float, float, float, float],
    cells: int = 128,
    bandwidth: float | None = None,
) -> NDArray[np.float64]:
    """Gaussian kernel density estimate at the nodes of a grid.

    A Gaussian is the convolution of two narrower ones: with one, a cell wide, every point is drawn at the
    nodes around it, and the grid is folded with the other. So the time hardly depends on the width of the kernel, and
    little on the number of points. A grid that is too coarse for the kernel is refined on the way.

    Args:
        points: ``(n, 2)``, ``n >= 1``; those outside the extent count where they reach into it. Points on one line,
            which have no spread across it, get a kernel that is a hundredth of the extent wider.
        extent: Left, right, bottom, top of the grid: its first and last nodes.
        cells: Nodes along each side, >= 2.
        bandwidth: Width of the kernel as a share of the points' own spread, in every direction; None for Scott's
            rule, ``n ** (-1 / 6)``.

    Returns:
        ``(cells, cells)``: entry ``[i, j]`` is the density at the ``i``-th x and the ``j``-th y; its integral over
        the plane is 1.

    Raises:
        ValueError: If the points are not ``(n, 2)``, finite, or the extent is empty, or the bandwidth not positive.

    Source:
        Silverman, Kernel density estimation using the fast Fourier transform, Applied Statistics 31, 1982; the same
        estimate as ``scipy.stats.gaussian_kde``.

    Example:
        >>> peak = density([[0, 0], [1, 0], [0, 1], [1, 1]], (-2, 3, -2, 3), 51, bandwidth=2)
        >>> [int(place) for place in np.unravel_index(peak.argmax(), peak.shape)]
        [25, 25]
    """
    places = np.asarray(points, np.float64)
    low, high = np.array(extent[::2], np.float64), np.array(extent[1::2], np.float64)
    if places.ndim != 2 or places.shape[1] != 2 or not len(places) or not np.isfinite(places).all():
        raise ValueError(f"points must be (n >= 1, 2) and finite, got {places.shape}")
    width = len(places) ** (-1 / 6) if bandwidth is None else bandwidth
    if not ((high > low).all() and cells >= 2 and width > 0):
        raise ValueError(
            f"the grid must have an extent and 2 cells a side, the kernel a width; got {extent}, {cells}, {width}"
        )
    covariance = np.cov(places.T) * width**2 if len(places) > 1 else np.zeros((2, 2))
    if not np.linalg.det(covariance) > _FLAT * np.prod(high - low) ** 2:
        covariance += np.diag(((high - low) / 100) ** 2)
    step = (high - low) / (cells - 1)
    narrowest = np.sqrt(np.linalg.eigvalsh(covariance / np.outer(step, step))[0])
    finer = max(1, min(int(np.ceil(_LEAST / narrowest)), _FINEST // cells))
    step = step / finer
    covariance = covariance / np.outer(step, step)
    short = max(0.0, _LEAST**2 - float(np.linalg.eigvalsh(covariance)[0]))
    remaining = covariance + (short - _OWN**2) * np.eye(2)
    margin = np.ceil(_FAR * np.sqrt(np.diag(remaining))).astype(int) + _REACH + 1
    drawn = _drawn((places - low) / step + margin, (cells - 1) * finer + 1 + 2 * margin)
    smooth = _folded(drawn, _gaussian(remaining, margin))
    found = smooth[tuple(slice(m, m + (cells - 1) * finer + 1, finer) for m in margin)]
    return np.asarray(np.maximum(found, 0) / (len(places) * np.prod(step)), np.float64)


def density_around(
    points: NDArray[np.floating], cells: int = SHADED_CELLS
) -> tuple[NDArray[np.float64], tuple[float, float, float, float]]:
    """Density of points as it is shaded behind them: on a square around all, by a kernel that keeps groups apart.

    Args:
        points: ``(n, 2)``, ``n >= 1``.
        cells: Nodes along each side.

    Returns:
        Density as of :func:`density`, with half of the width of Scott's rule, which is for one bell and would melt
        groups into one; and the extent: left, right, bottom, top of the first and last nodes.
    """
    low, high = points.min(axis=0).astype(float), points.max(axis=0).astype(float)
    reach = 0.65 * float((high - low).max()) or 1.0
    (left, bottom), (right, top) = (low + high) / 2 - reach, (low + high) / 2 + reach
    extent = float(left), float(right), float(bottom), float(top)
    return density(points, extent, cells, 0.5 * len(points) ** (-1 / 6)), extent


def _drawn(places: NDArray[np.float64], shape: NDArray[np.intp]) -> NDArray[np.float64]:
    """Points on a grid of unit steps, each a narrow Gaussian; those that reach beyond it are left out."""
    node = np.rint(places).astype(np.intp)
    inside = ((node >= _REACH) & (node < shape - _REACH)).all(axis=1)
    node, away = node[inside], (places - np.rint(places))[inside]
    steps = np.arange(-_REACH, _REACH + 1)
    shares = np.exp(-((steps[:, None, None] - away) ** 2) / (2 * _OWN**2)) / (np.sqrt(2 * np.pi) * _OWN)
    grid = np.zeros(int(np.prod(shape)))
    for right, across in zip(steps, shares[:, :, 0], strict=True):
        for up, along in zip(steps, shares[:, :, 1], strict=True):
            at = (node[:, 0] + right) * shape[1] + node[:, 1] + up
            grid += np.bincount(at, across * along, len(grid))
    return grid.reshape(tuple(shape))


def _gaussian(covariance: NDArray[np.float64], margin: NDArray[np.intp]) -> NDArray[np.float64]:
    """Gaussian on a grid of unit steps, ``(2 margin + 1)`` nodes a side."""
    x, y = (np.arange(-reach, reach + 1, dtype=np.float64) for reach in margin)
    inverse = np.linalg.inv(covariance)
    square = inverse[0, 0] * x[:, None] ** 2 + 2 * inverse[0, 1] * x[:, None] * y + inverse[1, 1] * y**2
    return np.asarray(np.exp(-square / 2) / (2 * np.pi * np.sqrt(np.linalg.det(covariance))))


def _folded(grid: NDArray[np.float64], kernel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Convolution, of the grid's shape."""
    size = [next_fast_len(a + b - 1, real=True) for a, b in zip(grid.shape, kernel.shape, strict=True)]
    product = rfft2(grid, size) * rfft2(kernel, size)
    first = [reach // 2 for reach in kernel.shape]
    whole = irfft2(product, size)
    return np.asarray(whole[first[0] : first[0] + grid.shape[0], first[1] : first[1] + grid.shape[1]])
