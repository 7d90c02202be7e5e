"""Segment metrics: one row of features and quality for every segment of a prediction.

Columns of the table, every sum in float64:

``class``                       predicted class
``S``, ``S_in``, ``S_bd``       pixels in all, inside, on the boundary
``S_rel``, ``S_rel_in``         the first two over the third (over 1 where there is no boundary)
``X``, ``X_in``, ``X_bd``       for X in E, D, V (pixel dispersion): mean over these pixels, 0 over none
``X_var``, ``…_in``, ``…_bd``   variance over these pixels
``X_rel``, ``X_var_rel``, …     mean and variance times ``S_rel``, and with ``_in`` times ``S_rel_in``
``mean_x``, ``mean_y``          mean **row** and mean **column**: the names of the published tables are kept
``cprob0`` …                    mean softmax of each class
``ndist0`` …                    share of each class among all neighbours of another class
``iou``, ``iou0``               adjusted IoU, and 1 where it is 0; both -1 without truth

Source: Rottmann et al., "Prediction error meta classification in semantic segmentation", arXiv:1811.00648.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.segments.adjusted_iou import iou_of
from oodretrieval.segments.components import as_class_map, kernel_classes, number_components
from oodretrieval.segments.row_blocks import COUNTS, find_slots, mark_boundary
from oodretrieval.segments.sources import Softmax, Source, for_blocks
from oodretrieval.segments.sums import HEAT

NO_IOU = -1
"""The value of ``iou`` and ``iou0`` without ground truth."""

Columns = dict[str, NDArray[Any]]


class Sums(NamedTuple):
    """What is known of the segments of one image.

    Attributes:
        signed: Ids, negated on the boundary, ``(H, W)``.
        classes: Class of each segment, ``(n,)``.
        counts: ``(n, COUNTS)``, see :mod:`~oodretrieval.segments.row_blocks`.
        neighbours: Neighbours of another class by class, the last of no class, ``(n, C + 1)``.
        values: Sums of probabilities and dispersion, and of the scores of logits, ``(n, …)``.
    """

    signed: NDArray[np.int32]
    classes: NDArray[np.int64]
    counts: NDArray[np.int64]
    neighbours: NDArray[np.int64]
    values: NDArray[np.float64]

    def means(self, inside: NDArray[np.float64], boundary: NDArray[np.float64]) -> Columns:
        """Mean over all, inside and boundary pixels.

        Args:
            inside: Sum over the inside pixels of each segment, ``(n,)``.
            boundary: Sum over its boundary pixels, ``(n,)``.

        Returns:
            Suffix of the column → ``(n,)``; 0 where there are no such pixels.
        """
        n_in, n_bd = self.counts[:, 0], self.counts[:, 1]
        return {
            "": (inside + boundary) / np.maximum(n_in + n_bd, 1),
            "_in": inside / np.maximum(n_in, 1),
            "_bd": boundary / np.maximum(n_bd, 1),
        }


def segment_metrics(
    probabilities: NDArray[np.floating],
    ground_truth: NDArray[np.integer] | None = None,
    *,
    prediction: NDArray[np.integer] | None = None,
    ignore: int = 255,
    threads: int | None = None,
) -> tuple[pd.DataFrame, NDArray[np.int32]]:
    """Features and adjusted IoU of every segment.

    Args:
        probabilities: Softmax, ``(H, W, C)`` with ``C >= 2``; computed with as float32. A view of
            ``(C, H, W)`` in memory, as ``np.moveaxis`` makes it, is read where it lies, too.
        ground_truth: True classes as predicted ids, ``(H, W)``: 0…C-1, or ``ignore`` where there is none.
            None if there is no truth: then ``iou = iou0 = -1``.
        prediction: Predicted classes, ``(H, W)``, or ``ignore`` for pixels of no segment. None for the argmax.
        ignore: The value, C or more, that means "no class" in both; it masks nothing by itself.
        threads: Threads to use at most, None for all cores. The result does not depend on it.

    Returns:
        The table, whose row i is segment i + 1 (columns: see the top of this module), and the components,
        ``(H, W)``: ``-id`` on the boundary, ``+id`` inside, 0 on masked pixels.

    Raises:
        ValueError: If the arrays are empty, hold NaN, disagree in shape or hold ids that are no class.

    Example:
        >>> table, components = segment_metrics(np.array([[[0.75, 0.25], [0.25, 0.75]]]), np.array([[0, 0]]))
        >>> table[["class", "S", "V", "iou"]].to_dict("list")
        {'class': [0, 1], 'S': [1, 1], 'V': [0.25, 0.25], 'iou': [0.5, 0.0]}
        >>> components
        array([[-1, -2]], dtype=int32)
    """
    source = Softmax(probabilities, threads)
    classes = chosen_classes(source, prediction, ignore)
    truth = None
    if ground_truth is not None:
        truth = checked_classes(ground_truth, "ground_truth", source, ignore)
    columns, sums = measure_segments(source, classes, truth, threads)
    return pd.DataFrame(columns), sums.signed


def chosen_classes(source: Softmax, prediction: NDArray[np.integer] | None, ignore: int) -> NDArray[np.int32]:
    """The prediction that is given, checked, or else the argmax.

    Args:
        source: Softmax of the image.
        prediction: ``(H, W)`` integers, 0 … C-1 or ``ignore``; None for the argmax.
        ignore: Value that means "no class", at least C.

    Returns:
        ``(H, W)``.

    Raises:
        ValueError: If the prediction holds ids that are no class, or ``ignore`` is one.
    """
    if prediction is not None:
        return checked_classes(prediction, "prediction", source, ignore)
    require_no_class(source, ignore)
    return source.argmax


def require_no_class(source: Source, ignore: int) -> None:
    """Refuse an ``ignore`` that is a class.

    Args:
        source: Softmax or logits of the image, which know C.
        ignore: Value that means "no class".

    Raises:
        ValueError: If it is.
    """
    if ignore < source.classes:
        raise ValueError(f"ignore must be no class, so at least C = {source.classes}, not {ignore}")


def checked_classes(values: Any, name: str, source: Source, ignore: int) -> NDArray[np.int32]:
    """Check classes or truth, and return them as kernels read them.

    Args:
        values: ``(H, W)`` integers.
        name: What to call them in messages.
        source: What they belong to.
        ignore: The value that means "no class".

    Returns:
        ``(H, W)``, ``NO_PIXEL`` for no class.

    Raises:
        ValueError: If they are no class ids, or ``ignore`` is one.
    """
    require_no_class(source, ignore)
    ids = as_class_map(values, name)
    if ids.shape != (source.height, source.width):
        raise ValueError(
            f"{name} {ids.shape} must have the size of the probabilities {(source.height, source.width)}"
        )
    if int(ids.min()) < 0 or int(ids.max()) >= source.classes:
        odd = (ids != ignore) & ((ids < 0) | (ids >= source.classes))
        if odd.any():
            raise ValueError(
                f"{name} must hold classes 0…{source.classes - 1} or ignore = {ignore}, but holds "
                f"{int(ids[odd][0])}; translate label ids to predicted ids first"
            )
    return kernel_classes(ids, ignore)


def measure_segments(
    source: Source,
    classes: NDArray[np.int32],
    truth: NDArray[np.int32] | None,
    threads: int | None,
) -> tuple[Columns, Sums]:
    """The columns of :func:`segment_metrics`, and the sums behind them.

    Args:
        source: Softmax or logits.
        classes: Predicted classes as kernels read them.
        truth: True classes as kernels read them, or None.
        threads: See :func:`segment_metrics`.

    Returns:
        Name of the column → ``(n,)``, and the sums.
    """
    ids, number = number_components(classes)
    quality: Columns = {}
    compare = partial(_compare_with_truth, quality, ids, classes, truth, number)
    sums = _sum_segments(source, classes, ids, number, threads, compare)
    columns: Columns = {"class": sums.classes, **_size_columns(sums)}
    at = source.classes
    inside, boundary = sums.values[:, at : at + HEAT // 2], sums.values[:, at + HEAT // 2 : at + HEAT]
    for k, name in enumerate("EDV"):
        columns |= _dispersion_columns(name, inside[:, k::3], boundary[:, k::3], sums)
    pixels = np.maximum(columns["S"], 1)
    columns |= {"mean_x": sums.counts[:, 2] / pixels, "mean_y": sums.counts[:, 3] / pixels}
    columns |= {f"cprob{k}": sums.values[:, k] / pixels for k in range(source.classes)}
    every = np.maximum(sums.neighbours.sum(axis=1), 1)
    columns |= {f"ndist{k}": sums.neighbours[:, k] / every for k in range(source.classes)}
    return columns | quality, sums


def _sum_segments(
    source: Source,
    classes: NDArray[np.int32],
    ids: NDArray[np.int32],
    number: int,
    threads: int | None,
    meanwhile: Callable[[], None],
) -> Sums:
    """Measure every block of rows, and add the blocks up in order."""
    total = Sums(
        np.empty_like(ids),
        np.zeros(number, np.int64),
        np.zeros((number, COUNTS), np.int64),
        np.zeros((number, source.classes + 1), np.int64),
        np.zeros((number, source.columns)),
    )

    def measure(top: int, bottom: int) -> tuple[NDArray[Any], ...]:
        slots, present, kinds = find_slots(classes[top:bottom], ids[top:bottom], number)
        signed = total.signed[top:bottom]
        counts = np.zeros((len(present), COUNTS), np.int64)
        neighbours = np.zeros((len(present), source.classes + 1), np.int32)
        mark_boundary(classes, ids[top:bottom], top, slots, signed, counts, neighbours)
        values = np.zeros((len(present), source.columns))
        source.add(top, signed, slots, values)
        return present - 1, kinds, counts, neighbours, values

    for present, kinds, *parts in for_blocks(measure, source.height, threads, meanwhile):
        total.classes[present] = kinds
        for whole, part in zip(total[2:], parts, strict=True):
            whole[present] += part
    return total


def _size_columns(sums: Sums) -> Columns:
    n_in, n_bd = sums.counts[:, 0], sums.counts[:, 1]
    border = np.maximum(n_bd, 1)
    return {
        "S": n_in + n_bd,
        "S_in": n_in,
        "S_bd": n_bd,
        "S_rel": (n_in + n_bd) / border,
        "S_rel_in": n_in / border,
    }


def _dispersion_columns(
    name: str, inside: NDArray[np.float64], boundary: NDArray[np.float64], sums: Sums
) -> Columns:
    """Columns of one measure from its sum and sum of squares, ``(n, 2)`` each."""
    means = sums.means(inside[:, 0], boundary[:, 0])
    squares = sums.means(inside[:, 1], boundary[:, 1])
    columns = {f"{name}{suffix}": mean for suffix, mean in means.items()}
    # A mean of squares can end up below the squared mean by rounding alone.
    columns |= {
        f"{name}_var{suffix}": np.maximum(squares[suffix] - mean**2, 0) for suffix, mean in means.items()
    }
    sizes = _size_columns(sums)
    for kind in (name, f"{name}_var"):
        columns |= {
            f"{kind}_rel{suffix}": columns[kind + suffix] * sizes[f"S_rel{suffix}"] for suffix in ("", "_in")
        }
    return columns


def _compare_with_truth(
    columns: Columns,
    ids: NDArray[np.int32],
    classes: NDArray[np.int32],
    truth: NDArray[np.int32] | None,
    number: int,
) -> None:
    """Add ``iou`` and ``iou0`` to the columns."""
    if truth is None:
        iou, zero = np.full(number, NO_IOU, np.float64), np.full(number, NO_IOU, np.int64)
    else:
        iou = iou_of(ids, classes, truth, number)
        zero = (iou == 0).astype(np.int64)
    columns |= {"iou": iou, "iou0": zero}
