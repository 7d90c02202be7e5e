"""What segments are measured on: a softmax at full size, or logits at the network's own stride."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

import numpy as np
from numba.core import config
from numpy.typing import NDArray

from oodretrieval.bilinear import bilinear_taps
from oodretrieval.segments.pixels import SLACK, disperse_rows
from oodretrieval.segments.sums import HEAT, SCORES, sum_logits, sum_softmax
from oodretrieval.segments.upsampling import predict_rows

ROWS = 32
"""Rows of a block. Fixed, since sums depend on it in their last digits, and must not on the threads."""

Result = TypeVar("Result")

GRID, SUM_SLACK = 8, 0.5
"""Pixels along each side that are checked, and how far the median of their sums may be from 1."""


class Source(Protocol):
    """Probabilities of every pixel.

    Attributes:
        height: Rows of the image.
        width: Columns of the image.
        classes: C.
        columns: Columns of the sums: the classes, and after them those of :mod:`~oodretrieval.segments.sums`.
    """

    height: int
    width: int
    classes: int
    columns: int

    def add(
        self, top: int, signed: NDArray[np.int32], slots: NDArray[np.int32], sums: NDArray[np.float64]
    ) -> None:
        """Add up the values over the segments of some rows.

        Args:
            top: The first of the rows.
            signed: Segment ids of the rows, ``(h, W)``: negative on the boundary, positive inside.
            slots: Where in ``sums`` each segment's row is, by its id.
            sums: What is added to.
        """
        ...


class Softmax:
    """A softmax in memory, in whatever order and type it is, and its dispersion.

    Args:
        probabilities: ``(H, W, C)`` with ``C >= 2``. Read where it lies if it is float32 and its memory runs
            as ``(H, W, C)`` or ``(C, H, W)``; otherwise copied, block by block.
        threads: See :func:`for_blocks`.

    Attributes:
        heat: Entropy over ``ln C``, probability difference, variation ratio, ``(3, H, W)``.
        argmax: First class of largest probability, ``(H, W)``.

    Raises:
        ValueError: If shape, type or range is that of something else, if it is empty, or holds NaN.
    """

    def __init__(self, probabilities: Any, threads: int | None) -> None:
        p = np.asarray(probabilities)
        if p.ndim != 3 or p.shape[2] < 2 or not np.issubdtype(p.dtype, np.floating):
            raise ValueError(
                f"probabilities must be a floating array (H, W, C) with C >= 2, not {p.dtype} {p.shape}; "
                "move the classes to the last axis"
            )
        if p.size == 0:
            raise ValueError(f"probabilities of shape {p.shape} hold no pixel; leave empty images out")
        self._p = p
        self.height, self.width, self.classes = p.shape
        self.columns = self.classes + HEAT
        self._flat, self._steps = _in_place(p)
        self.heat = np.empty((3, self.height, self.width), np.float32)
        self.argmax = np.empty((self.height, self.width), np.int32)
        for _ in for_blocks(self._disperse, self.height, threads):
            pass
        self._require_sums()

    def _require_sums(self) -> None:
        """Check a grid of pixels: classes on another axis than the last do not sum to 1."""
        grid = self._p[:: max(1, self.height // GRID), :: max(1, self.width // GRID)].sum(
            axis=2, dtype=np.float64
        )
        if abs(float(np.median(grid)) - 1) > SUM_SLACK:
            raise ValueError(
                f"the {self.classes} probabilities of a pixel must sum to 1 over the last axis, but here they sum to "
                f"{grid.min():.3g} … {grid.max():.3g}; move the classes to the last axis"
            )

    def _disperse(self, top: int, bottom: int) -> None:
        flat, start, steps = self._block(top, bottom)
        # Whole maps and a first row: numba compiles another kernel for parts of maps.
        if disperse_rows(flat, start, (*steps, self.classes), top, self.heat, self.argmax[top:bottom]):
            return
        low, high = float(self._p[top:bottom].min()), float(self._p[top:bottom].max())  # NaN survives both
        if not (low >= -SLACK and high <= 1 + SLACK):
            raise ValueError(
                f"probabilities must lie in 0…1, but reach from {low:g} to {high:g}; "
                "apply the softmax to logits, and check the network's output for NaN or infinity"
            )

    def _block(self, top: int, bottom: int) -> tuple[NDArray[np.float32], int, tuple[int, int, int]]:
        """Memory, where the rows begin in it, and steps from row to row, pixel to pixel, class to class."""
        if self._flat is not None:
            return self._flat, top * self._steps[0], self._steps
        with np.errstate(over="ignore"):  # what no float32 holds is refused as no probability
            copy = np.ascontiguousarray(self._p[top:bottom], np.float32).reshape(-1)
        return read_only(copy), 0, (self.width * self.classes, self.classes, 1)

    def add(
        self, top: int, signed: NDArray[np.int32], slots: NDArray[np.int32], sums: NDArray[np.float64]
    ) -> None:
        """As :meth:`Source.add`."""
        bottom = top + len(signed)
        flat, start, steps = self._block(top, bottom)
        sum_softmax(flat, start, steps, top, self.heat, signed, slots, sums)


class Logits:
    """Logits that a bilinear resize and a softmax would turn into probabilities.

    Args:
        logits: ``(C, h, w)`` with ``C >= 2``; computed with as float32.
        size: ``(H, W)`` of the image.
        align_corners: How the resize places them, see :func:`~oodretrieval.bilinear.bilinear_taps`.

    Raises:
        ValueError: If shape or type is that of something else, if it is empty, or not finite.
    """

    def __init__(self, logits: Any, size: tuple[int, int], align_corners: bool) -> None:
        values = np.asarray(logits)
        if values.ndim != 3 or len(values) < 2 or not np.issubdtype(values.dtype, np.floating):
            raise ValueError(
                f"logits must be a floating array (C, h, w) with C >= 2, not {values.dtype} {values.shape}"
            )
        if values.size == 0 or min(size) < 1:
            raise ValueError(
                f"logits {values.shape} for an image {size} hold no pixel; leave empty images out"
            )
        if not np.isfinite(values).all():
            raise ValueError("logits hold NaN or infinity; check the network's output")
        self.classes = len(values)
        self.height, self.width = size
        self.columns = self.classes + HEAT + SCORES
        self._logits = read_only(np.ascontiguousarray(values, np.float32))
        self._rows = bilinear_taps(values.shape[1], self.height, align_corners)
        self._columns = tuple(bilinear_taps(values.shape[2], self.width, align_corners))

    def add(
        self, top: int, signed: NDArray[np.int32], slots: NDArray[np.int32], sums: NDArray[np.float64]
    ) -> None:
        """As :meth:`Source.add`."""
        rows = tuple(taps[top : top + len(signed)] for taps in self._rows)
        sum_logits(self._logits, rows, self._columns, signed, slots, sums)

    def predict(
        self, threads: int | None, *, with_entropy: bool
    ) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """Predicted class and entropy of every pixel.

        Args:
            threads: As of :func:`segment_metrics`.
            with_entropy: Whether entropy is wanted.

        Returns:
            First argmax, ``(H, W)``, and entropy over ``ln C`` times 255, ``(H, W)``, or ``(H, 0)`` if not
            wanted.
        """
        chosen = np.empty((self.height, self.width), np.int32)
        entropy = np.empty((self.height, self.width if with_entropy else 0), np.uint8)

        def predict(top: int, bottom: int) -> None:
            rows = tuple(taps[top:bottom] for taps in self._rows)
            predict_rows(self._logits, rows, self._columns, chosen[top:bottom], entropy[top:bottom])

        for _ in for_blocks(predict, self.height, threads):
            pass
        return chosen, entropy


def for_blocks(
    function: Callable[[int, int], Result],
    height: int,
    threads: int | None,
    meanwhile: Callable[[], None] = lambda: None,
) -> Iterator[Result]:
    """Apply a function to all blocks of rows.

    Plain threads over kernels without GIL. Numba's own: workqueue aborts when two threads enter at once, and
    OpenMP dies in forks and takes nearly twice as long as plain threads when another process has a core.

    Args:
        function: Gets the first row and the row after the last.
        height: Rows of the image.
        threads: Threads to use at most; None for all that numba may use.
        meanwhile: What else these threads shall do, once, while blocks are done.

    Yields:
        Results in the order of the blocks, for any number of threads.

    Raises:
        ValueError: If ``threads`` is less than 1.
    """
    if threads is not None and threads < 1:
        raise ValueError(f"threads must be at least 1 or None, not {threads}")
    tops = range(0, height, ROWS)
    bottoms = [min(top + ROWS, height) for top in tops]
    every = int(config.NUMBA_NUM_THREADS)  # type: ignore[attr-defined]
    workers = min(threads or every, len(tops))
    if workers == 1:
        meanwhile()
        yield from map(function, tops, bottoms)
        return
    with ThreadPoolExecutor(workers) as pool:
        other = pool.submit(meanwhile)
        yield from pool.map(function, tops, bottoms)
        other.result()


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """A view of ``array`` that cannot be written: numba compiles another kernel for arrays that can."""
    view = array.view()
    view.setflags(write=False)
    return view


def _in_place(p: NDArray[Any]) -> tuple[NDArray[np.float32] | None, tuple[int, int, int]]:
    height, width, classes = p.shape
    if p.dtype == np.float32 and p.dtype.isnative:
        if p.flags.c_contiguous:
            return read_only(p.reshape(-1)), (width * classes, classes, 1)
        first = np.moveaxis(p, -1, 0)
        if first.flags.c_contiguous:
            return read_only(first.reshape(-1)), (width, 1, height * width)
    return None, (0, 0, 0)
