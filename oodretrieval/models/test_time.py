"""Networks around a network for prediction: sliding windows, and averages over flips and scales.

Each is a segmentation network itself, so they compose::

    ScaleAverage(FlipAverage(SlidingWindow(network, (512, 1024), overlap=0.25)), scales=(1.0, 1.25))

All average **logits**, at the network's own stride, in float32: ``low_resolution_logits`` is then the average or
the windows stitched together, and what a single pass over the image would have given in shape.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from oodretrieval.choices import WINDOW_GRID, WINDOW_OVERLAP, fits_window_grid
from oodretrieval.errors import ConfigurationError
from oodretrieval.models.contract import SegmentationNetwork, logits_of
from oodretrieval.models.convolution import resize_like


def low_resolution_logits(network: nn.Module, images: Tensor) -> Tensor:
    """Logits before the network's last resize, or its output where it offers none before.

    Args:
        network: Segmentation network.
        images: Normalised, ``(N, 3, H, W)``.

    Returns:
        ``(N, C, h, w)`` float32, also under autocast.

    Raises:
        ConfigurationError: If the network fails, or returns something else.
    """
    return logits_of(network, images).float()


def aligns_corners(network: nn.Module) -> bool:
    """Whether the last resize of ``network`` keeps the centres of the corner pixels where they are."""
    return bool(getattr(network, "align_corners", False))


class _Around(SegmentationNetwork):
    """A network around another one, whose logits it takes at their own stride."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.align_corners = aligns_corners(network)


class FlipAverage(_Around):
    """Mean of the logits of the image and of its mirror image, mirrored back.

    Args:
        network: Segmentation network.
    """

    def low_resolution_logits(self, x: Tensor) -> Tensor:
        """Normalised images ``(N, 3, H, W)`` → logits ``(N, C, h, w)``."""
        mirrored = low_resolution_logits(self.network, x.flip(-1)).flip(-1)
        return (low_resolution_logits(self.network, x) + mirrored) / 2


class ScaleAverage(_Around):
    """Mean of the logits of the image at several sizes.

    Args:
        network: Segmentation network.
        scales: Sizes relative to the image, e.g. ``(0.75, 1.0, 1.25)``. Smaller ones are filtered against
            aliasing.
    """

    def __init__(self, network: nn.Module, scales: Sequence[float]) -> None:
        super().__init__(network)
        self.scales = sorted(scales, key=lambda scale: scale != 1)  # its grid is exact, so it comes first

    def low_resolution_logits(self, x: Tensor) -> Tensor:
        """Normalised images ``(N, 3, H, W)`` → logits ``(N, C, h, w)`` of the size that scale 1 has."""
        total: Tensor | None = None
        for scale in self.scales:
            logits = low_resolution_logits(self.network, _scaled(x, scale))
            if total is None:
                total = _at_scale_one(logits, scale, self.align_corners)
            else:
                total = total + resize_like(logits, total, self.align_corners)
        if total is None:
            raise ConfigurationError("an average over scales needs one at least")
        return total / len(self.scales)


def _scaled(images: Tensor, scale: float) -> Tensor:
    if scale == 1:
        return images
    size = [max(1, round(length * scale)) for length in images.shape[-2:]]
    return F.interpolate(images, size, mode="bilinear", antialias=scale < 1)


def _at_scale_one(logits: Tensor, scale: float, align_corners: bool) -> Tensor:
    if scale == 1:
        return logits
    size = [max(1, round(length / scale)) for length in logits.shape[-2:]]
    return F.interpolate(logits, size, mode="bilinear", align_corners=align_corners)


class SlidingWindow(_Around):
    """Logits of overlapping windows, for images that do not fit into memory as a whole.

    Where windows overlap their logits are averaged, weighted by the distance to the window's edge, as a
    network knows least there. Windows begin at multiples of :data:`WINDOW_GRID` pixels; the last in a row or column may
    be up to 31 pixels longer. A window as large as the image is the network itself.

    Args:
        network: Segmentation network whose stride is a whole number that divides :data:`WINDOW_GRID`.
        window: Height and width of the windows, multiples of :data:`WINDOW_GRID`.
        overlap: Share of a window that the next one covers at least, 0…<1.

    Raises:
        ConfigurationError: If window or overlap cannot be.
    """

    def __init__(self, network: nn.Module, window: tuple[int, int], overlap: float = WINDOW_OVERLAP) -> None:
        super().__init__(network)
        if not fits_window_grid(window) or not 0 <= overlap < 1:
            raise ConfigurationError(
                f"a window needs a height and a width that are multiples of {WINDOW_GRID} and an overlap of 0…<1, "
                f"got {window[0]}x{window[1]} and {overlap}"
            )
        self.window, self.overlap = window, overlap

    def low_resolution_logits(self, x: Tensor) -> Tensor:
        """Normalised images ``(N, 3, H, W)`` → logits ``(N, C, h, w)``.

        Raises:
            ConfigurationError: If the network has no stride that divides :data:`WINDOW_GRID`.
        """
        rows, columns = (
            window_ranges(length, window, self.overlap)
            for length, window in zip(x.shape[-2:], self.window, strict=True)
        )
        if len(rows) == len(columns) == 1:
            return low_resolution_logits(self.network, x)
        parts = [
            [low_resolution_logits(self.network, x[..., top:bottom, left:right]) for left, right in columns]
            for top, bottom in rows
        ]
        first = parts[0][0]
        tops = _low_resolution_starts(rows, first.shape[-2])
        lefts = _low_resolution_starts(columns, first.shape[-1])
        return _stitch(parts, tops, lefts)


def window_ranges(length: int, window: int, overlap: float) -> list[tuple[int, int]]:
    """Where windows begin and end along one axis.

    Args:
        length: Of the image, pixels.
        window: Of a window, a multiple of :data:`WINDOW_GRID`.
        overlap: Share of a window that the next one covers at least, 0…<1.

    Returns:
        First pixel, a multiple of :data:`WINDOW_GRID`, and the one after the last, of every window;
        they cover the axis.

    Example:
        >>> window_ranges(200, 128, 0.25)
        [(0, 128), (64, 200)]
        >>> window_ranges(100, 128, 0.25)
        [(0, 100)]
    """
    if window >= length:
        return [(0, length)]
    step = max(WINDOW_GRID, int(window * (1 - overlap)) // WINDOW_GRID * WINDOW_GRID)
    steps = -(-(length - window) // step)
    starts = [i * (length - window) // steps // WINDOW_GRID * WINDOW_GRID for i in range(steps + 1)]
    return [(start, start + window) for start in starts[:-1]] + [(starts[-1], length)]


def _low_resolution_starts(ranges: Sequence[tuple[int, int]], size: int) -> list[int]:
    """The windows' first rows (or columns) in the logits, of which the first window has ``size``."""
    if len(ranges) == 1:
        return [0]
    window = ranges[0][1]
    stride = window // size
    if stride * size != window or WINDOW_GRID % stride:
        raise ConfigurationError(
            f"args.window needs a network whose stride divides {WINDOW_GRID}; this one makes {size} of {window} "
            "pixels. "
            "Leave args.window out, and use args.resize where images do not fit"
        )
    return [start // stride for start, _ in ranges]


def _stitch(parts: Sequence[Sequence[Tensor]], tops: Sequence[int], lefts: Sequence[int]) -> Tensor:
    last = parts[-1][-1]
    height, width = tops[-1] + last.shape[-2], lefts[-1] + last.shape[-1]
    total = last.new_zeros((*last.shape[:2], height, width))
    weights = last.new_zeros((height, width))
    for top, row in zip(tops, parts, strict=True):
        for left, part in zip(lefts, row, strict=True):
            h, w = part.shape[-2:]
            weight = torch.outer(_tent(h, part), _tent(w, part))
            total[..., top : top + h, left : left + w] += part * weight
            weights[top : top + h, left : left + w] += weight
    return total / weights


def _tent(length: int, like: Tensor) -> Tensor:
    index = torch.arange(length, device=like.device, dtype=like.dtype)
    return torch.minimum(index + 1, length - index)
