"""Rules of resizing: bilinear and nearest."""

import torch
from torch import Tensor

from oodretrieval.explain.points import Points, coordinates, flat_index
from oodretrieval.explain.rules import Led, Step, register_rule

_ROUNDED = 1e-6
"""Weights up to this are what rounding leaves of zero: almost nothing of a value is more than one below zero."""


@register_rule("aten::upsample_bilinear2d")
def _follow_bilinear(step: Step, points: Points) -> Led:
    """Of the four neighbours, the one with the largest weighted value."""
    source = step.arguments["self"]
    height, width = source.shape[-2:]
    *front, row, column = coordinates(points.index, step.output.shape)
    align = step.arguments["align_corners"]
    rows, down = _neighbours(row, height, step.output.shape[-2], align, step.arguments["scales_h"])
    columns, right = _neighbours(column, width, step.output.shape[-1], align, step.arguments["scales_w"])
    weights = (down[:, :, None] * right[:, None, :]).flatten(1)
    places = [place[:, None, None] for place in front]
    index = flat_index([*places, rows[:, :, None], columns[:, None, :]], source.shape).flatten(1)
    weighted = points.evidence(weights * source.flatten()[index])
    chosen = weighted.masked_fill(weights <= _ROUNDED, -torch.inf).argmax(1, keepdim=True)
    return {"self": points.at(index.gather(1, chosen)[:, 0])}


@register_rule("aten::upsample_nearest2d", "aten::_upsample_nearest_exact2d")
def _follow_nearest(step: Step, points: Points) -> Led:
    """The value that was copied."""
    source, shape = step.arguments["self"], step.output.shape
    *front, row, column = coordinates(points.index, shape)
    shift = 0.5 if "exact" in step.name else 0.0
    places = [
        ((place + shift) * _ratio(length, size, step.arguments[scale])).long().clamp(max=length - 1)
        for place, length, size, scale in (
            (row, source.shape[-2], shape[-2], "scales_h"),
            (column, source.shape[-1], shape[-1], "scales_w"),
        )
    ]
    return {"self": points.at(flat_index([*front, *places], source.shape))}


def _neighbours(
    place: Tensor, length: int, size: int, align_corners: bool, scale: float | None
) -> tuple[Tensor, Tensor]:
    """The two neighbours of places along an axis, ``(k, 2)``, and their weights; as torch finds them."""
    place = place.double()
    if align_corners:
        exact = place * ((length - 1) / (size - 1) if size > 1 else 0.0)
    else:
        exact = ((place + 0.5) * _ratio(length, size, scale) - 0.5).clamp(min=0)
    first = exact.long().clamp(max=length - 1)
    second = (first + 1).clamp(max=length - 1)
    part = (exact - first).clamp(0, 1)
    return torch.stack([first, second], 1), torch.stack([1 - part, part], 1)


def _ratio(length: int, size: int, scale: float | None) -> float:
    return 1 / scale if scale else length / size
