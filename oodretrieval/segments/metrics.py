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

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.segments.adjusted_iou import adjusted_iou
from oodretrieval.segments.components import (
    as_class_map,
    label_components,
    neighbour_pairs,
    signed_components,
)
from oodretrieval.segments.dispersion import as_probabilities, dispersion_of

NO_IOU = -1
"""The value of ``iou`` and ``iou0`` without ground truth."""

Columns = dict[str, NDArray[Any]]


class Segments(NamedTuple):
    """The segments of one image, as flat maps that sums run over.

    Attributes:
        inside: Segment id of every pixel off the boundary, 0 elsewhere, ``(H * W,)``.
        boundary: Segment id of every pixel on the boundary, 0 elsewhere, ``(H * W,)``.
        n_in: Pixels off the boundary of each segment, ``(n,)``.
        n_bd: Pixels on the boundary of each segment, ``(n,)``.
    """

    inside: NDArray[np.int32]
    boundary: NDArray[np.int32]
    n_in: NDArray[np.int64]
    n_bd: NDArray[np.int64]

    @classmethod
    def from_signed(cls, components: NDArray[np.int32]) -> "Segments":
        """Split a signed component map, ``(H, W)``, at the sign."""
        number = int(np.abs(components).max())
        inside, boundary = np.maximum(components, 0).ravel(), np.maximum(-components, 0).ravel()
        n_in, n_bd = (np.bincount(ids, minlength=number + 1)[1:] for ids in (inside, boundary))
        return cls(inside, boundary, n_in, n_bd)

    @property
    def n(self) -> NDArray[np.int64]:
        """Pixels of each segment, ``(n,)``."""
        return self.n_in + self.n_bd

    def sums(self, values: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Sum a map, ``(H, W)``, over the inside and over the boundary of each segment, ``(n,)`` each."""
        weights, length = values.astype(np.float64).ravel(), len(self.n_in) + 1
        inner, outer = (
            np.asarray(np.bincount(ids, weights=weights, minlength=length)[1:], np.float64)
            for ids in (self.inside, self.boundary)
        )
        return inner, outer

    def means(self, values: NDArray[Any]) -> tuple[NDArray[np.float64], ...]:
        """Mean of a map over all, inside and boundary pixels; 0 over no pixels."""
        inner, outer = self.sums(values)
        return (
            (inner + outer) / np.maximum(self.n, 1),
            inner / np.maximum(self.n_in, 1),
            outer / np.maximum(self.n_bd, 1),
        )


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
        probabilities: Softmax, ``(H, W, C)`` with ``C >= 2``; computed with as float32.
        ground_truth: True classes as predicted ids, ``(H, W)``: 0…C-1, or ``ignore`` where there is none.
            None if there is no truth: then ``iou = iou0 = -1``.
        prediction: Predicted classes, ``(H, W)``, or ``ignore`` for pixels of no segment. None for the argmax.
        ignore: The value, C or more, that means "no class" in both; it masks nothing by itself.
        threads: Threads to use at most, None for all cores. This implementation needs one.

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
    p = as_probabilities(probabilities)
    _require_options(p.shape[2], ignore, threads)
    heat, argmax = dispersion_of(p)
    classes = argmax if prediction is None else _as_classes(prediction, "prediction", p.shape, ignore)
    truth = None if ground_truth is None else _as_classes(ground_truth, "ground_truth", p.shape, ignore)
    components = label_components(classes, ignore=ignore)
    signed = signed_components(classes, components)
    segments = Segments.from_signed(signed)
    columns: Columns = {"class": _class_of(components, classes), **_size_columns(segments)}
    for name, values in heat.items():
        columns |= _dispersion_columns(name, values, segments)
    columns |= _position_columns(segments, p.shape)
    columns |= {f"cprob{k}": segments.means(p[..., k])[0] for k in range(p.shape[2])}
    columns |= _neighbour_columns(components, classes, p.shape[2])
    columns |= _quality_columns(components, classes, truth, ignore)
    return pd.DataFrame(columns), signed


def _require_options(classes: int, ignore: int, threads: int | None) -> None:
    if threads is not None and threads < 1:
        raise ValueError(f"threads must be at least 1 or None, not {threads}")
    if ignore < classes:
        raise ValueError(f"ignore must be no class, so at least C = {classes}, not {ignore}")


def _as_classes(values: Any, name: str, shape: tuple[int, ...], ignore: int) -> NDArray[np.int32]:
    ids = as_class_map(values, name)
    if ids.shape != shape[:2]:
        raise ValueError(f"{name} {ids.shape} must have the size of the probabilities {shape[:2]}")
    odd = (ids != ignore) & ((ids < 0) | (ids >= shape[2]))
    if odd.any():
        raise ValueError(
            f"{name} must hold classes 0…{shape[2] - 1} or ignore = {ignore}, but holds {int(ids[odd][0])}; "
            "translate label ids to predicted ids first"
        )
    return ids.astype(np.int32)


def _class_of(components: NDArray[np.int32], classes: NDArray[np.int32]) -> NDArray[np.int64]:
    result = np.zeros(int(components.max()) + 1, np.int64)
    result[components] = classes
    return result[1:]


def _size_columns(segments: Segments) -> Columns:
    border = np.maximum(segments.n_bd, 1)
    return {
        "S": segments.n,
        "S_in": segments.n_in,
        "S_bd": segments.n_bd,
        "S_rel": segments.n / border,
        "S_rel_in": segments.n_in / border,
    }


def _dispersion_columns(name: str, values: NDArray[np.float32], segments: Segments) -> Columns:
    values = values.astype(np.float64)
    suffixes = ("", "_in", "_bd")
    means = segments.means(values)
    squares = segments.means(values**2)
    # A mean of squares can end up below the squared mean by rounding alone.
    variances = [np.maximum(square - mean**2, 0) for mean, square in zip(means, squares, strict=True)]
    columns = {f"{name}{suffix}": mean for suffix, mean in zip(suffixes, means, strict=True)}
    columns |= {f"{name}_var{suffix}": value for suffix, value in zip(suffixes, variances, strict=True)}
    border = np.maximum(segments.n_bd, 1)
    relative = {"": segments.n / border, "_in": segments.n_in / border}
    columns |= {
        f"{name}_rel{suffix}": columns[f"{name}{suffix}"] * ratio for suffix, ratio in relative.items()
    }
    columns |= {
        f"{name}_var_rel{suffix}": columns[f"{name}_var{suffix}"] * ratio
        for suffix, ratio in relative.items()
    }
    return columns


def _position_columns(segments: Segments, shape: tuple[int, ...]) -> Columns:
    rows, columns = np.indices(shape[:2], sparse=True)
    return {
        "mean_x": segments.means(np.broadcast_to(rows, shape[:2]))[0],
        "mean_y": segments.means(np.broadcast_to(columns, shape[:2]))[0],
    }


def _neighbour_columns(
    components: NDArray[np.int32], classes: NDArray[np.int32], number_of_classes: int
) -> Columns:
    # One more class than there are: masked neighbours enter the divisor only.
    width = number_of_classes + 1
    length = int(components.max()) + 1
    counts = np.zeros(length * width, np.int64)
    for here, there in neighbour_pairs(components.shape):
        differs = classes[here] != classes[there]
        neighbour = np.minimum(classes[there][differs], number_of_classes)
        pairs = components[here][differs].astype(np.int64) * width + neighbour
        counts += np.bincount(pairs, minlength=length * width)
    table = counts.reshape(length, width)[1:]
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    return {f"ndist{k}": shares[:, k] for k in range(number_of_classes)}


def _quality_columns(
    components: NDArray[np.int32],
    classes: NDArray[np.int32],
    truth: NDArray[np.int32] | None,
    ignore: int,
) -> Columns:
    if truth is None:
        number = int(components.max())
        return {"iou": np.full(number, NO_IOU, np.float64), "iou0": np.full(number, NO_IOU, np.int64)}
    iou = adjusted_iou(components, classes, truth, ignore)
    return {"iou": iou, "iou0": (iou == 0).astype(np.int64)}
