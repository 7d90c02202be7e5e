"""Rules of what weighs its input with what it learned: convolutions and linear layers."""

from typing import NamedTuple

import torch
from torch import Tensor

from oodretrieval.errors import UnknownOperationError
from oodretrieval.explain.points import Points, concatenated, coordinates, flat_index
from oodretrieval.explain.rules import Led, Step, register_rule


@register_rule("aten::convolution", "aten::conv2d", "aten::_convolution")
def _follow_convolution(step: Step, points: Points) -> Led:
    """The channel that contributes most over the kernel, and in its window the place that contributes most.

    A tap on the padding contributes nothing and is never chosen.
    """
    geometry = _Geometry.of(step)
    source, parts = _by_group(step.arguments["input"], geometry.groups), []
    weight = geometry.kernel_of_output(step.arguments["weight"])
    channels = weight.shape[-1]
    for part in points.chunks(weight[0].numel()):
        _, channel, row, column = coordinates(part.index, step.output.shape)
        group = channel // (len(weight) // geometry.groups)
        rows, inside_rows = geometry.taps(0, row)
        columns, inside_columns = geometry.taps(1, column)
        inside = (inside_rows[:, :, None] & inside_columns[:, None, :]).flatten(1)
        seen = source[group[:, None, None], rows[:, :, None], columns[:, None, :]].flatten(1, 2)
        contributions = part.evidence(seen * weight[channel]).masked_fill_(~inside[:, :, None], 0)
        best = contributions.sum(1).argmax(1)
        each = torch.arange(len(best), device=best.device)
        tap = contributions[each, :, best].masked_fill(~inside, -torch.inf).argmax(1)
        y = rows[each, tap // columns.shape[1]]
        x = columns[each, tap % columns.shape[1]]
        index = flat_index(
            [torch.zeros_like(y), group * channels + best, y, x], step.arguments["input"].shape
        )
        parts.append(part.at(index).turned(weight[channel, tap, best] < 0))
    return {"input": concatenated(parts)}


@register_rule("aten::addmm", "aten::mm", "aten::linear")
def _follow_linear(step: Step, points: Points) -> Led:
    """The input that contributes most; of a classifier's vector all that contribute, as a fixation is one place each.

    Raises:
        UnknownOperationError: If the weights, too, depend on the image, as in attention.
    """
    names = {
        "aten::addmm": ("mat1", "mat2"),
        "aten::mm": ("self", "mat2"),
        "aten::linear": ("input", "weight"),
    }
    given, learned = names[step.name]
    if learned in step.followed:
        raise UnknownOperationError(f"{step.name} of two maps, as in attention", ())
    source, weight = step.arguments[given], step.arguments[learned]
    weight = weight if step.name == "aten::linear" else weight.t()  # (outputs, inputs)
    rows, parts = source.reshape(-1, source.shape[-1]), []
    for part in points.chunks(weight.shape[1]):
        row, output = part.index // len(weight), part.index % len(weight)
        contributions = part.evidence(rows[row] * weight[output])
        if len(rows) == 1:
            each, best = (contributions > 0).nonzero().unbind(1)
        else:
            each, best = torch.arange(len(row), device=row.device), contributions.argmax(1)
        index = row[each] * weight.shape[1] + best
        parts.append(Points(index, part.low[each] ^ (weight[output[each], best] < 0)))
    return {given: concatenated(parts)}


def _by_group(image: Tensor, groups: int) -> Tensor:
    """``(1, C, H, W)`` → ``(groups, H, W, C / groups)``, in memory as its shape says."""
    return image[0].reshape(groups, -1, *image.shape[2:]).movedim(1, -1).contiguous()


class _Geometry(NamedTuple):
    """Where the taps of a convolution lie; of each pair first down, then across."""

    stride: list[int]
    padding: list[int]
    dilation: list[int]
    groups: int
    transposed: bool
    kernel: tuple[int, int]
    size: tuple[int, int]

    @classmethod
    def of(cls, step: Step) -> "_Geometry":
        given, weight = step.arguments, step.arguments["weight"]
        if weight.ndim != 4:
            raise UnknownOperationError(f"{step.name} over {weight.ndim - 2} axes", ())
        stride, padding, dilation = (
            list(given[name]) * (3 - len(given[name])) for name in ("stride", "padding", "dilation")
        )
        kernel, size = tuple(weight.shape[2:]), tuple(given["input"].shape[2:])
        transposed = given.get("transposed", False)
        return cls(stride, padding, dilation, given["groups"], transposed, kernel, size)

    def taps(self, axis: int, place: Tensor) -> tuple[Tensor, Tensor]:
        """Places of the input below each tap, ``(k, taps)``, clamped to it, and whether they lie in it."""
        tap = torch.arange(self.kernel[axis], device=place.device) * self.dilation[axis]
        if self.transposed:
            reached = place[:, None] + self.padding[axis] - tap
            places = reached // self.stride[axis]
            whole = reached % self.stride[axis] == 0
        else:
            places = place[:, None] * self.stride[axis] - self.padding[axis] + tap
            whole = torch.ones_like(places, dtype=torch.bool)
        inside = whole & (places >= 0) & (places < self.size[axis])
        return places.clamp(0, self.size[axis] - 1), inside

    def kernel_of_output(self, weight: Tensor) -> Tensor:
        """Weights as ``(outputs, taps, inputs of the group)``."""
        if self.transposed:  # (inputs, outputs / groups, h, w)
            weight = weight.reshape(self.groups, -1, *weight.shape[1:]).transpose(1, 2).flatten(0, 1)
        return weight.flatten(2).transpose(1, 2).contiguous()
