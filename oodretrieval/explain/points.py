"""What is followed through a network: elements of one of its tensors, and whether they should be high or low."""

from collections.abc import Iterator, Sequence
from math import prod
from typing import NamedTuple

import torch
from torch import Tensor

AT_ONCE = 2**24
"""Numbers that are compared at a time: 64 MiB of float32, however many points there are."""


class Points(NamedTuple):
    """Elements of a tensor.

    Attributes:
        index: Where each lies in the tensor read row by row, ``(k,)`` int64.
        low: Whether a low value of it is the evidence, not a high one, ``(k,)`` bool. What a convolution takes with a
            negative weight speaks for its output where it is low.
    """

    index: Tensor  # type: ignore[assignment]  # as tuple.index, which nobody asks here
    low: Tensor

    @classmethod
    def high(cls, index: Tensor) -> "Points":
        """Elements of which a high value is the evidence, by their ``index``."""
        return cls(index, torch.zeros_like(index, dtype=torch.bool))

    def at(self, index: Tensor) -> "Points":
        """The same number of points elsewhere, at each ``index``."""
        return Points(index, self.low)

    def turned(self, against: Tensor) -> "Points":
        """Low where they were high and the other way round, where ``against``, ``(k,)`` bool."""
        return Points(self.index, self.low ^ against)

    def where(self, chosen: Tensor) -> "Points":
        """Those that are ``chosen``, ``(k,)`` bool."""
        return Points(self.index[chosen], self.low[chosen])

    def evidence(self, values: Tensor) -> Tensor:
        """Values with their sign turned where low ones are the evidence.

        Args:
            values: ``(k, …)``, of each point.

        Returns:
            The same shape; higher is stronger.
        """
        low = self.low.view(-1, *(1,) * (values.ndim - 1))
        return torch.where(low, -values, values)

    def chunks(self, size: int) -> "Iterator[Points]":
        """Cut them up, so that what is compared for all points of a part stays small.

        Args:
            size: Numbers that are compared for each.

        Yields:
            Parts, in order; one empty part where there is no point.
        """
        step = max(1, AT_ONCE // max(1, size))
        for start in range(0, max(1, len(self.index)), step):
            yield Points(self.index[start : start + step], self.low[start : start + step])


def unite(parts: Sequence[Points]) -> Points:
    """Distinct points of several lots.

    Args:
        parts: At least one.

    Returns:
        In the order of their index; an element may be there twice, as high and as low.
    """
    keys = torch.cat([part.index * 2 + part.low for part in parts]).unique()  # type: ignore[no-untyped-call]
    return Points(keys // 2, keys % 2 == 1)


def concatenated(parts: Sequence[Points]) -> Points:
    """Parts one after the other, as they are.

    Args:
        parts: At least one.

    Returns:
        All points.
    """
    return Points(torch.cat([part.index for part in parts]), torch.cat([part.low for part in parts]))


def coordinates(index: Tensor, shape: Sequence[int]) -> tuple[Tensor, ...]:
    """Where elements lie along each axis.

    Args:
        index: In the tensor read row by row, ``(k,)``.
        shape: Of the tensor.

    Returns:
        For each axis ``(k,)``.
    """
    return torch.unravel_index(index, tuple(shape))


def flat_index(places: Sequence[Tensor], shape: Sequence[int]) -> Tensor:
    """Index of elements in the tensor read row by row; the inverse of :func:`coordinates`.

    Args:
        places: For each axis ``(k,)``, or what broadcasts to it.
        shape: Of the tensor.

    Returns:
        ``(k,)``.
    """
    index = torch.zeros_like(places[0])
    for place, size in zip(places, shape, strict=True):
        index = index * size + place
    return index


def before_broadcast(index: Tensor, shape: Sequence[int], source: Sequence[int]) -> Tensor:
    """Elements of a tensor that others were copied from where it was broadcast.

    Args:
        index: In the tensor that it was broadcast to, ``(k,)``.
        shape: Of that tensor.
        source: Shape of the tensor before; axes in front may be missing.

    Returns:
        In the tensor before, ``(k,)``.
    """
    if prod(source) == prod(shape):
        return index
    if not source:
        return torch.zeros_like(index)
    places = coordinates(index, shape)[len(shape) - len(source) :]
    kept = [
        place if size > 1 else torch.zeros_like(place) for place, size in zip(places, source, strict=True)
    ]
    return flat_index(kept, source)
