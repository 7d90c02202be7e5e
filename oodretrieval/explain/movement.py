"""Rules of operations that only move values: reshape, transpose, slice, join, pad, resize to the nearest."""

from math import prod

import torch
from torch import Tensor

from oodretrieval.explain.points import Points, before_broadcast, coordinates, flat_index
from oodretrieval.explain.rules import Led, Step, register_rule

SAME_ORDER = "view _unsafe_view reshape flatten unsqueeze squeeze _reshape_alias as_strided_"
"""The last is how torch's means over channels that are last in memory give their results their strides."""
MIRRORING = "reflection_pad1d reflection_pad2d replication_pad1d replication_pad2d"
MOVING = (
    "permute t transpose slice select split split_with_sizes chunk unbind index index_select narrow flip roll repeat "
    "pixel_shuffle pixel_unshuffle channel_shuffle"
)


@register_rule(*(f"aten::{name}" for name in SAME_ORDER.split()))
def _follow_same_order(_step: Step, points: Points) -> Led:
    """Another shape of the same values in the same order."""
    return {"self": points}


@register_rule(*(f"aten::{name}" for name in f"{MOVING} {MIRRORING}".split()))
def _follow_moved(step: Step, points: Points) -> Led:
    """Where each value was: the operation is done with the values' places in place of the values."""
    moved = step.arguments["self"]
    kind = torch.float64 if step.name.removeprefix("aten::") in MIRRORING.split() else torch.int64
    places = torch.arange(moved.numel(), device=moved.device, dtype=kind).view(moved.shape)
    result = step.operation(**{**step.arguments, "self": places})
    result = result if isinstance(result, Tensor) else result[step.which]
    return {"self": points.at(result.flatten()[points.index].long())}


@register_rule("aten::expand")
def _follow_expanded(step: Step, points: Points) -> Led:
    """The one value that was spread."""
    return {
        "self": points.at(before_broadcast(points.index, step.output.shape, step.arguments["self"].shape))
    }


@register_rule("aten::cat")
def _follow_joined(step: Step, points: Points) -> Led:
    """The tensor that has the place, by the range of its channels."""
    axis = step.arguments["dim"] % step.output.ndim
    inner, length = prod(step.output.shape[axis + 1 :]), step.output.shape[axis]
    outer, place = points.index // (inner * length), points.index // inner % length
    led, start = [], 0
    for part in step.arguments["tensors"]:
        size = part.shape[axis] if part.ndim == step.output.ndim else 0  # an empty tensor may have any shape
        here = (place >= start) & (place < start + size)
        index = (outer * size + place - start) * inner + points.index % inner
        led.append(points.at(index).where(here))
        start += size
    return {"tensors": led}


@register_rule("aten::constant_pad_nd")
def _follow_padded(step: Step, points: Points) -> Led:
    """The same place, or the nearest one that is no padding."""
    source, pads = step.arguments["self"], step.arguments["pad"]
    places = list(coordinates(points.index, step.output.shape))
    for axis, before in enumerate(pads[::2], start=1):
        places[-axis] = (places[-axis] - before).clamp(0, source.shape[-axis] - 1)
    return {"self": points.at(flat_index(places, source.shape))}
