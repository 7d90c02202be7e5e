"""What happens to a strip of pixels: logarithm, softmax, dispersion. Compiled.

A strip holds up to a few hundred pixels of one row, **classes first**, ``(C, N)`` float32 with C' ≥ C: so
every loop over pixels runs over neighbours in memory and becomes vector code.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.compilation import compiled, inlined

EPSILON = np.finfo(np.float32).eps
SLACK = 1e-3
"""How far outside 0…1 a softmax may lie before it is taken for something else (logits, say)."""

_LOW = np.float32(-SLACK)
_EPSILON = np.float32(EPSILON)
_ZERO, _HALF, _ONE = np.float32(0), np.float32(0.5), np.float32(1)
# ln 2 in two parts, the first of few bits, so that its product with an exponent is exact.
_LN2_HIGH, _LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
_LOG2_E = np.float32(1.4426950408889634)
_TWO_THIRDS, _MANTISSA, _BIAS = np.int32(0x3F2AAAAB), np.int32(23), np.int32(127)
_LOWEST_EXPONENT = np.float32(-87)
_PART = 8
_LARGEST_BITS = np.float32(1 + SLACK).view(np.uint32)
# (ln(1 + f) - f + f²/2) / f³ on -1/3…1/3 and (exp(r) - 1 - r) / r² on ±ln(2)/2, fitted for the smallest
# largest relative error, under a tenth of a rounding step of the result.
_L0, _L1, _L2, _L3 = (np.float32(c) for c in (0.33333224, -0.24999689, 0.20010044, -0.16685466))
_L4, _L5, _L6, _L7 = (np.float32(c) for c in (0.14010931, -0.1211511, 0.13962402, -0.1319173))
_E0, _E1, _E2, _E3, _E4 = (np.float32(c) for c in (0.5, 0.16666518, 0.041666206, 0.008368908, 0.0013950524))


@inlined
def logarithm(x: Any) -> Any:
    """Natural logarithm, to one unit in the last place or so.

    Without a vector library the ordinary one is a call for every number, and the most expensive part of all.

    Args:
        x: float32, positive and normal.

    Returns:
        float32.
    """
    bits = np.float32(x).view(np.int32)
    exponent = np.int32(np.int32(bits - _TWO_THIRDS) >> _MANTISSA)
    f = np.int32(bits - np.int32(exponent << _MANTISSA)).view(np.float32) - _ONE
    e = np.float32(exponent)
    p = ((_L7 * f + _L6) * f + _L5) * f + _L4
    p = (((p * f + _L3) * f + _L2) * f + _L1) * f + _L0
    square = f * f
    rest = square * f * p + e * _LN2_LOW - _HALF * square
    return (rest + f) + e * _LN2_HIGH


@inlined
def exponential(x: Any) -> Any:
    """Exponential, to one unit in the last place or so.

    Args:
        x: float32, 0 or less.

    Returns:
        float32; 1.6e-38 below -87.
    """
    x = x if x > _LOWEST_EXPONENT else _LOWEST_EXPONENT
    exponent = np.int32(x * _LOG2_E - _HALF)
    n = np.float32(exponent)
    r = (x - n * _LN2_HIGH) - n * _LN2_LOW
    p = (((_E4 * r + _E3) * r + _E2) * r + _E1) * r + _E0
    scale = np.int32(np.int32(exponent + _BIAS) << _MANTISSA).view(np.float32)
    return (p * r * r + r + _ONE) * scale


@compiled
def strip_length(classes: int) -> int:
    """Pixels of a strip for this number of ``classes``: with few it stays in the fastest cache."""
    return min(max(8192 // classes, 64), 256)


@compiled
def gather(flat: NDArray[Any], start: int, steps: Any, classes: int, count: int, strip: NDArray[Any]) -> None:
    """Copy ``count`` pixels into a strip.

    Args:
        flat: Memory of a softmax, float32.
        start: Where the first pixel's first class lies.
        steps: Distance from pixel to pixel and from class to class.
        classes: C.
        count: Number of pixels.
        strip: Result.
    """
    step_pixel, step_class = steps
    if step_pixel == 1:
        for k in range(classes):
            strip[k, :count] = flat[start + k * step_class : start + k * step_class + count]
        return
    for k in range(classes):
        row = strip[k]
        begin = start + k * step_class
        for x in range(count):
            row[x] = flat[np.uintp(begin + x * step_pixel)]  # unsigned: counts never from the end


@compiled
def best_classes(strip: NDArray[Any], classes: int, best: NDArray[Any], first: NDArray[Any]) -> None:
    """First argmax of every pixel.

    Args:
        strip: ``(C, N)``.
        classes: C.
        best: Result, ``(n,)`` int32 with n ≤ N.
        first: Scratch, ``(N,)`` float32.
    """
    for x in range(best.size):
        first[x] = strip[0, x]
        best[x] = 0
    for k in range(1, classes):
        row, number = strip[k], np.int32(k)
        for x in range(best.size):
            value = row[x]
            best[x] = number if value > first[x] else best[x]
            first[x] = value if value > first[x] else first[x]


@compiled
def normalise(
    strip: NDArray[Any], classes: int, count: int, scores: NDArray[Any], total: NDArray[Any]
) -> None:
    """Softmax in place, and the scores of the logits that it replaces.

    Args:
        strip: Logits, ``(C, N)``; afterwards probabilities.
        classes: C.
        count: Number of pixels.
        scores: Result, ``(2, N)``: largest logit and logsumexp.
        total: Scratch, ``(N,)`` float64.
    """
    highest, energy = scores[0], scores[1]
    for x in range(count):
        highest[x] = strip[0, x]
        total[x] = 0
    for k in range(1, classes):
        row = strip[k]
        for x in range(count):
            highest[x] = row[x] if row[x] > highest[x] else highest[x]
    for k in range(classes):
        row = strip[k]
        for x in range(count):
            value = exponential(row[x] - highest[x])
            row[x] = value
            total[x] += value
    for x in range(count):
        energy[x] = highest[x] + logarithm(np.float32(total[x]))
        total[x] = 1 / total[x]
    for k in range(classes):
        row = strip[k]
        for x in range(count):
            row[x] = row[x] * np.float32(total[x])


@compiled
def disperse(strip: NDArray[Any], classes: int, count: int, heat: NDArray[Any], total: NDArray[Any]) -> bool:
    """Dispersion of every pixel.

    Args:
        strip: Probabilities, ``(C, N)``.
        classes: C.
        count: Number of pixels.
        heat: Result, ``(3, N)`` float32: entropy over ``ln C``, probability difference, variation ratio.
        total: Scratch, ``(N,)`` float64.

    Returns:
        Whether all probabilities are in 0…1 + :data:`SLACK` and none is -0 or NaN.
    """
    part, second, first = heat[0], heat[1], heat[2]
    for x in range(count):
        first[x] = second[x] = _LOW
        total[x] = 0
    largest = np.uint32(0)
    for k in range(classes):
        row = strip[k]
        for x in range(count):
            value = row[x]
            # As unsigned numbers, the bits of negative values and NaN are larger than those of all others.
            bits = np.float32(value).view(np.uint32)
            largest = bits if bits > largest else largest
            lower = value if value < first[x] else first[x]
            second[x] = lower if lower > second[x] else second[x]
            first[x] = value if value > first[x] else first[x]
    # Products are summed in float32 over a few classes, and these sums in float64.
    for block in range(0, classes, _PART):
        for x in range(count):
            part[x] = 0
        for k in range(block, min(block + _PART, classes)):
            row = strip[k]
            for x in range(count):
                value = row[x]
                part[x] += value * logarithm((value if value > _ZERO else _ZERO) + _EPSILON)
        for x in range(count):
            total[x] += part[x]
    scale = -1 / np.log(np.float64(classes))
    for x in range(count):
        part[x] = total[x] * scale
        variation = _ONE - first[x]
        second[x] = variation + second[x]
        first[x] = variation
    return bool(largest <= _LARGEST_BITS)


@compiled
def disperse_rows(
    flat: NDArray[Any], start: int, steps: Any, top: int, maps: NDArray[Any], chosen: NDArray[Any]
) -> bool:
    """Dispersion and first argmax of every pixel of some rows.

    Args:
        flat: Memory of a softmax, float32.
        start: Where the first pixel's first class lies.
        steps: Distance from row to row, pixel to pixel and class to class; and C.
        top: First row.
        maps: Result, ``(3, H, W)`` float32, see :func:`disperse`.
        chosen: Result for these rows, ``(h, W)`` int32.

    Returns:
        See :func:`disperse`.
    """
    step_row, step_pixel, step_class, classes = steps
    length = strip_length(classes)
    strip, total = np.empty((classes, length), np.float32), np.empty(length)
    heat, good = np.empty((3, length), np.float32), True
    for y in range(chosen.shape[0]):
        for x in range(0, chosen.shape[1], length):
            best = chosen[y, x : x + length]
            at = start + y * step_row + x * step_pixel
            gather(flat, at, (step_pixel, step_class), classes, best.size, strip)
            best_classes(strip, classes, best, heat[0])
            good &= disperse(strip, classes, best.size, heat, total)
            maps[:, top + y, x : x + best.size] = heat[:, : best.size]
    return good
