"""Rules of pooling: the largest value of a window."""

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor

from oodretrieval.explain.points import Points, concatenated, coordinates, flat_index
from oodretrieval.explain.rules import Led, Step, register_rule


@register_rule("aten::max_pool2d_with_indices", "aten::adaptive_max_pool2d")
def _follow_maximum(step: Step, points: Points) -> Led:
    """The value that was the maximum, also where a low one is the evidence: it alone decides."""
    source = step.arguments["self"]
    plane = points.index // step.output.shape[-2:].numel()
    within = step.outputs[1].flatten()[points.index]
    return {"self": points.at(plane * source.shape[-2:].numel() + within)}


@register_rule("aten::avg_pool2d")
def _follow_average(step: Step, points: Points) -> Led:
    """The largest value of the window, or the lowest where that is the evidence."""
    kernel, padding = _pair(step.arguments["kernel_size"]), _pair(step.arguments["padding"])
    stride = _pair(step.arguments["stride"] or kernel)
    shape, ranges = step.arguments["self"].shape, []
    for axis, place in enumerate(coordinates(points.index, step.output.shape)[-2:]):
        start = place * stride[axis] - padding[axis]
        ranges.append((start.clamp(min=0), (start + kernel[axis]).clamp(max=shape[axis - 2])))
    return {"self": _strongest(step, points, *ranges)}


@register_rule("aten::_adaptive_avg_pool2d", "aten::adaptive_avg_pool2d")
def _follow_adaptive_average(step: Step, points: Points) -> Led:
    """As the average of windows of one size, in windows that share the map among the outputs."""
    shape, ranges = step.arguments["self"].shape, []
    for axis, place in enumerate(coordinates(points.index, step.output.shape)[-2:]):
        length, cells = shape[axis - 2], step.output.shape[axis - 2]
        ranges.append((place * length // cells, -(-(place + 1) * length // cells)))
    return {"self": _strongest(step, points, *ranges)}


@register_rule("aten::mean", "aten::sum", "aten::amax", "aten::logsumexp")
def _follow_reduced(step: Step, points: Points) -> Led:
    """The largest of all values that one was made from, or the lowest where that is the evidence."""
    source = step.arguments["self"]
    axes = step.arguments.get("dim")
    reduced = {axis % source.ndim for axis in (axes if axes else range(source.ndim))}
    kept = [axis for axis in range(source.ndim) if axis not in reduced]
    gone = sorted(reduced)
    strides = [prod(source.shape[axis + 1 :]) for axis in range(source.ndim)]
    offsets = _offsets(
        torch.arange(prod(source.shape[a] for a in gone), device=source.device), gone, source, strides
    )
    values, parts = source.flatten(), []
    for part in points.chunks(len(offsets)):
        index = _offsets(part.index, kept, source, strides)[:, None] + offsets
        chosen = part.evidence(values[index]).argmax(1, keepdim=True)
        parts.append(part.at(index.gather(1, chosen)[:, 0]))
    return {"self": concatenated(parts)}


def _offsets(index: Tensor, axes: Sequence[int], source: Tensor, strides: Sequence[int]) -> Tensor:
    """Index over some axes → what they add to the index over all."""
    if not axes:
        return torch.zeros_like(index)
    places = coordinates(index, [source.shape[axis] for axis in axes])
    total = torch.zeros_like(index)
    for place, axis in zip(places, axes, strict=True):
        total = total + place * strides[axis]
    return total


def _strongest(
    step: Step, points: Points, rows: tuple[Tensor, Tensor], columns: tuple[Tensor, Tensor]
) -> Points:
    """The strongest value of each point's window, which may be of another size for each."""
    source = step.arguments["self"]
    height, width = ((int((end - start).max()) if len(start) else 1) for start, end in (rows, columns))
    down, right = (torch.arange(size, device=source.device) for size in (height, width))
    front = coordinates(points.index, step.output.shape)[:-2]
    values, parts, at = source.flatten(), [], 0
    for part in points.chunks(height * width):
        here = slice(at, at + len(part.index))
        y, x = rows[0][here, None] + down, columns[0][here, None] + right
        inside = ((y < rows[1][here, None])[:, :, None] & (x < columns[1][here, None])[:, None, :]).flatten(1)
        y, x = y.clamp(max=source.shape[-2] - 1), x.clamp(max=source.shape[-1] - 1)
        places = [place[here, None, None] for place in front]
        index = flat_index([*places, y[:, :, None], x[:, None, :]], source.shape).flatten(1)
        strength = part.evidence(values[index]).masked_fill(~inside, -torch.inf)
        parts.append(part.at(index.gather(1, strength.argmax(1, keepdim=True))[:, 0]))
        at += len(part.index)
    return concatenated(parts)


def _pair(sizes: Sequence[int]) -> tuple[int, int]:
    first, *rest = sizes
    return first, (rest[0] if rest else first)
