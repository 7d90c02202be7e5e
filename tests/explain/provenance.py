"""Fixations found the other way round: every value carries along which pixel its evidence lies at.

Independent of the library in direction (forwards, not backwards), in what it sees (Python calls, not ATen) and in means
(loops over places). A value knows two pixels: where to look if it should be high, and if it should be low.
"""

import itertools

import numpy as np
import torch
import torch.nn.functional as F

UNMOVED = {
    F.relu,
    F.relu_,
    F.hardtanh,
    F.hardswish,
    F.silu,
    F.sigmoid,
    torch.sigmoid,
    F.hardsigmoid,
    F.relu6,
    F.dropout,
}
UNMOVED |= {torch.relu, F.gelu, F.dropout2d}


class Traced:
    """A tensor ``(1, C, H, W)`` or ``(1, C)`` with the pixels of its evidence."""

    def __init__(self, value, high, low):
        self.value, self.high, self.low = value, np.asarray(high), np.asarray(low)
        assert tuple(value.shape) == self.high.shape == self.low.shape
        self.device, self.dtype, self.is_cuda, self.requires_grad = value.device, value.dtype, False, False

    shape = property(lambda self: self.value.shape)
    ndim = property(lambda self: self.value.ndim)

    def dim(self):
        return self.value.ndim

    def size(self, axis=None):
        return self.value.size() if axis is None else self.value.size(axis)

    def numel(self):
        return self.value.numel()

    def contiguous(self, **_):
        return self

    def __add__(self, other):
        value = self.value + other.value
        mine, theirs = (np.broadcast_to(x.value.numpy(), value.shape) for x in (self, other))
        pixels = [[np.broadcast_to(p, value.shape) for p in (x.high, x.low)] for x in (self, other)]
        high = np.where(mine >= theirs, pixels[0][0], pixels[1][0])
        return Traced(value, high, np.where(mine <= theirs, pixels[0][1], pixels[1][1]))

    __iadd__ = add_ = __add__

    def __mul__(self, gate):
        assert bool((gate.value >= 0).all())
        return Traced(self.value * gate.value, self.high, self.low)

    def expand(self, *sizes):
        value = self.value.expand(*sizes)
        return Traced(value, np.broadcast_to(self.high, value.shape), np.broadcast_to(self.low, value.shape))

    def mean(self, axes, keepdim=False):
        """Over height and width."""
        assert {axis % 4 for axis in axes} == {2, 3}
        pooled = pool(
            self, lambda x: x.mean((2, 3), keepdim=True), [(0, self.shape[2])], [(0, self.shape[3])]
        )
        return pooled if keepdim else pooled.flatten(1)

    def flatten(self, start=0, end=-1):
        value = self.value.flatten(start, end)
        return Traced(value, self.high.reshape(value.shape), self.low.reshape(value.shape))

    def view(self, *shape):
        value = self.value.view(*shape)
        return Traced(value, self.high.reshape(value.shape), self.low.reshape(value.shape))

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function in UNMOVED:
            kwargs = {k: v for k, v in kwargs.items() if k != "inplace"}
            return Traced(function(args[0].value.clone(), *args[1:], **kwargs), args[0].high, args[0].low)
        return RULES[function](*args, **kwargs)


def convolve(x, weight, bias=None, stride=1, padding=0, dilation=1, groups=1):
    pair = lambda number: (number, number) if isinstance(number, int) else tuple(number) * (3 - len(number))  # noqa: E731
    stride, padding, dilation = pair(stride), pair(padding), pair(dilation)
    value = F.conv2d(x.value, weight, bias, stride, padding, dilation, groups)
    high, low = np.empty(value.shape, int), np.empty(value.shape, int)
    per_input, per_output = x.shape[1] // groups, value.shape[1] // groups
    learned, seen = weight.detach().numpy(), x.value.numpy()[0]
    for row, column in itertools.product(range(value.shape[2]), range(value.shape[3])):
        taps = [
            (
                i,
                j,
                row * stride[0] - padding[0] + i * dilation[0],
                column * stride[1] - padding[1] + j * dilation[1],
            )
            for i, j in np.ndindex(*learned.shape[2:])
        ]
        taps = [tap for tap in taps if 0 <= tap[2] < x.shape[2] and 0 <= tap[3] < x.shape[3]]
        for group in range(groups):
            outputs = slice(group * per_output, (group + 1) * per_output)
            inputs = slice(group * per_input, (group + 1) * per_input)
            each = np.stack(
                [learned[outputs, :, i, j] * seen[inputs, y, z] for i, j, y, z in taps]
            )  # tap, out, in
            for result, sign in ((high, 1), (low, -1)):
                best = (sign * each.sum(0)).argmax(1)
                for output, channel in enumerate(best):
                    i, j, y, z = taps[(sign * each[:, output, channel]).argmax()]
                    rises = sign * learned[group * per_output + output, channel, i, j] >= 0
                    source = x.high if rises else x.low
                    result[0, group * per_output + output, row, column] = source[
                        0, group * per_input + channel, y, z
                    ]
    return Traced(value, high, low)


def normalise(x, mean, var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
    value = F.batch_norm(x.value, mean, var, weight, bias, False, momentum, eps)
    falls = (weight.detach().numpy() < 0)[None, :, None, None]
    return Traced(value, np.where(falls, x.low, x.high), np.where(falls, x.high, x.low))


def pool(x, function, rows, columns, maximum=False):
    """Windows, each half-open; of a maximum that is low, the maximum is to blame."""
    value = function(x.value)
    high, low = np.empty(value.shape, int), np.empty(value.shape, int)
    for c, (i, (top, bottom)), (j, (left, right)) in itertools.product(
        range(x.shape[1]), enumerate(rows), enumerate(columns)
    ):
        window = (0, c, slice(max(top, 0), bottom), slice(max(left, 0), right))
        seen = x.value.numpy()[window]
        high[0, c, i, j] = x.high[window].flat[seen.argmax()]
        low[0, c, i, j] = x.low[window].flat[seen.argmax() if maximum else seen.argmin()]
    return Traced(value, high, low)


def windows(length, outputs, kernel, stride, padding):
    return [(k * stride - padding, min(k * stride - padding + kernel, length)) for k in range(outputs)]


def pool_maximum(x, kernel_size, stride, padding, dilation=1, ceil_mode=False, return_indices=False):
    function = lambda value: F.max_pool2d(value, kernel_size, stride, padding)  # noqa: E731
    shape = function(x.value).shape
    spans = [windows(x.shape[a], shape[a], kernel_size, stride, padding) for a in (2, 3)]
    return pool(x, function, *spans, maximum=True)


def pool_average(x, kernel_size, stride=None, padding=0, *more):
    function = lambda value: F.avg_pool2d(value, kernel_size, stride, padding, *more)  # noqa: E731
    shape = function(x.value).shape
    kernel, step, edge = (
        each if isinstance(each, tuple) else (each, each) for each in (kernel_size, stride, padding)
    )
    spans = (windows(x.shape[a + 2], shape[a + 2], kernel[a], step[a], edge[a]) for a in (0, 1))
    return pool(x, function, *spans)


def pool_adaptively(x, output_size):
    sizes = (output_size,) * 2 if isinstance(output_size, int) else output_size
    spans = [
        [(int(np.floor(k * n / cells)), int(np.ceil((k + 1) * n / cells))) for k in range(cells)]
        for cells, n in zip(sizes, x.shape[2:], strict=True)
    ]
    return pool(x, lambda value: F.adaptive_avg_pool2d(value, output_size), *spans)


def join(tensors, dim=0):
    value = torch.cat([x.value for x in tensors], dim)
    return Traced(value, *(np.concatenate([getattr(x, k) for x in tensors], dim) for k in ("high", "low")))


def resize(x, size=None, scale_factor=None, mode="nearest", align_corners=None, **_):
    value = F.interpolate(x.value, size, scale_factor, mode, align_corners)
    high, low = np.empty(value.shape, int), np.empty(value.shape, int)
    # what each neighbour weighs, by what an image that is 1 there and 0 elsewhere becomes
    height, width = x.shape[2:]
    units = torch.eye(height * width, dtype=torch.float64).view(-1, 1, height, width)
    weights = (
        F.interpolate(units, size, scale_factor, mode, align_corners)[:, 0]
        .numpy()
        .reshape(height * width, -1)
    )
    seen, ways = x.value.numpy()[0].reshape(len(high[0]), -1), (x.high[0], x.low[0])
    for place in range(weights.shape[1]):
        near = np.flatnonzero(weights[:, place] > 1e-12)
        weighted = seen[:, near] * weights[near, place]
        for result, way, best in ((high, ways[0], weighted.argmax(1)), (low, ways[1], weighted.argmin(1))):
            flat = way.reshape(len(way), -1)
            result[0].reshape(len(way), -1)[:, place] = flat[np.arange(len(way)), near[best]]
    return Traced(value, high, low)


def pad(x, pads, mode="constant", value=0):
    result = F.pad(x.value, pads, mode, value)
    left, right, top, bottom = pads
    widths = ((0, 0), (0, 0), (top, bottom), (left, right))
    return Traced(result, np.pad(x.high, widths, mode="edge"), np.pad(x.low, widths, mode="edge"))


RULES = {
    F.conv2d: convolve,
    torch.conv2d: convolve,
    F.batch_norm: normalise,
    F.max_pool2d: pool_maximum,
    F.avg_pool2d: pool_average,
    F.adaptive_avg_pool2d: pool_adaptively,
    F.interpolate: resize,
    F.pad: pad,
    torch.cat: join,
}


def fixations_forwards(model, image, mask, target):
    """As :func:`oodretrieval.explain.fixations`, for models without linear layers; ``(k, 2)``."""
    height, width = image.shape[2:]
    pixels = np.broadcast_to(np.arange(height * width).reshape(1, 1, height, width), image.shape)
    with torch.no_grad():
        found = np.unique(model(Traced(image, pixels, pixels)).high[0, target][mask])
    return np.stack([found // width, found % width], 1)
