"""Distances of all vectors from a query by one pass, and how far each may be off what is measured one by one.

The pass is one of scalar products: lengths are known, so that ``|v - q|^2 = |v|^2 + |q|^2 - 2 v q``, which costs less
than differences do. What that loses between near vectors far from the origin is in the bound.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from oodretrieval.search import passes
from oodretrieval.search.distances import LEAST_LENGTH, centred_directions

_ROUNDING = 2.0**-52
"""Of float64, twice: that of the pass and that of the measured distance."""
_LARGEST = 2.0**500
"""Of lengths whose squares, added, stay in range."""
_FLOAT32_ROUNDING = 72 * 2.0**-24
"""Of products that are added 64 at a time in float32, relative to the product of the lengths; the query's with it."""
_FLOAT32_LENGTHS = (2.0**-80, 2.0**80)
"""Between these, products with a query of length 1 stay far inside the range of float32."""
_NEAR_CENTRE = 1e-3
"""Directions nearer to the centre are measured one by one."""


@dataclass(frozen=True, eq=False)
class ReadVectors:
    """What a pass reads in the place of some vectors; or the vectors.

    Attributes:
        values: ``(n, D)``, any float type; or uint16, which is bfloat16.
        lengths: Length of each row of ``values``, ``(n,)``.
        errors: How far each row is from the vector that it stands for, ``(n,)``, or ``(1,)`` for all.
        rough: Products may be added in float32, which takes less time; they are where values and lengths allow it.
    """

    values: passes.Vectors
    lengths: NDArray[np.float64]
    errors: NDArray[np.float64]
    rough: bool = False

    @cached_property
    def in_float32(self) -> bool:
        """Whether products are added in float32."""
        least, most = _FLOAT32_LENGTHS
        fitting = (self.lengths == 0) | ((self.lengths > least) & (self.lengths < most))
        return self.rough and self.values.dtype != np.float64 and bool(fitting.all())

    @property
    def roundings(self) -> float:
        """Of sums over a row, relative to the sum of the terms' sizes."""
        own = float((self.values.shape[1] + 8) * _ROUNDING)
        return own + _FLOAT32_ROUNDING if self.in_float32 else own

    def products(self, query: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scalar product of each row with a query.

        Args:
            query: ``(D,)``.

        Returns:
            ``(n,)``, off by :attr:`roundings` of the product of both lengths.
        """
        if not self.in_float32:
            return passes.products(self.values, query)
        exponent = np.frexp(np.abs(query).max(initial=0.0))[1]
        scaled = np.ldexp(query, -exponent).astype(np.float32)
        return np.ldexp(passes.rough_products(self.values, scaled), exponent)


class RoughDistances(NamedTuple):
    """Distances that are known but for a bound.

    Attributes:
        distances: ``(n,)``.
        slack: What the measured one is away from it at most, ``(n,)``.
    """

    distances: NDArray[np.float64]
    slack: NDArray[np.float64]


def rough_euclidean(read: ReadVectors, query: NDArray[np.float64]) -> RoughDistances:
    """Euclidean distance of each vector from a query.

    Args:
        read: What the pass reads.
        query: ``(D,)``.

    Returns:
        The distances.
    """
    least = read.values.shape[1] * LEAST_LENGTH
    length = float(np.sqrt(query @ query))
    together = read.lengths + length
    if not together.max(initial=0.0) < _LARGEST:
        away = np.sqrt(passes.squared_distances(read.values, query))
        return RoughDistances(away, read.roundings * away + (read.errors + least))
    squares = read.lengths**2 - 2 * read.products(query) + length**2
    away = np.sqrt(np.maximum(squares, 0.0))
    # squares are off by the square of this at most, so that a root is off by its share, or by all of it next to 0
    unsure = np.sqrt(2 * read.roundings) * together + least
    return RoughDistances(away, unsure * (unsure / np.maximum(away, unsure)) + read.errors)


def rough_cosine(read: ReadVectors, query: NDArray[np.float64], norms: NDArray[np.float64]) -> RoughDistances:
    """Cosine distance of each vector from a query.

    Args:
        read: What the pass reads.
        query: ``(D,)``.
        norms: Length of each vector, ``(n,)``.

    Returns:
        The distances: 1 between a zero vector and any other, 0 between two.
    """
    length = float(np.sqrt(query @ query))
    scale = norms * length
    straight = scale > 0
    nothing = np.zeros(len(norms))
    cosines = np.divide(read.products(query), scale, out=nothing.copy(), where=straight)
    rough = np.where((norms > 0) == (length > 0), 1 - cosines, 1.0)
    rough[(norms == 0) & (length == 0)] = 0.0
    off = np.broadcast_to(read.errors, len(norms))
    return RoughDistances(rough, 4 * read.roundings + np.divide(off, norms, out=nothing, where=straight))


def rough_centred_cosine(
    read: ReadVectors,
    query: NDArray[np.float64],
    norms: NDArray[np.float64],
    centre: NDArray[np.float64],
    apart: NDArray[np.float64],
) -> RoughDistances:
    """Cosine distance about a centre: of directions ``u - m``, whose products with one are those of ``u`` less ``m``'s.

    Args:
        read: What the pass reads.
        query: ``(D,)``.
        norms: Length of each vector, ``(n,)``.
        centre: Mean direction, ``(D,)``.
        apart: How far the direction of each vector lies from it, ``(n,)``; 0 of a zero vector.

    Returns:
        The distances; next to the centre nothing is known, which the slack says.
    """
    towards = centred_directions(query[None], centre)[0]
    length = float(np.sqrt(towards @ towards))
    if length < _NEAR_CENTRE:  # of no direction to speak of: everything is measured
        return RoughDistances(np.ones(len(norms)), np.full(len(norms), 2.0))
    scale = norms * apart * length
    straight = (apart > _NEAR_CENTRE) & (scale > 0)
    products = read.products(towards) - norms * float(centre @ towards)
    rough = 1 - np.divide(products, scale, out=np.zeros(len(norms)), where=straight)
    away = np.where(straight, apart, 1.0)
    off = read.errors / np.maximum(norms * away, LEAST_LENGTH)
    slack = np.where(straight, 32 * read.roundings / away**2 / length + off, 2.0)
    return RoughDistances(rough, slack)
