"""The segment table that the stages store: the metrics, and where and what each segment is."""

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.compilation import compiled
from oodretrieval.labels import ANY_CLASS, NO_CLASS
from oodretrieval.segments.components import as_class_map
from oodretrieval.segments.crops import NO_LABEL, label_votes, segment_boxes, winners
from oodretrieval.segments.labelling import NO_PIXEL
from oodretrieval.segments.metrics import Columns, Sums, checked_classes, chosen_classes, measure_segments
from oodretrieval.segments.sources import Logits, Softmax, Source
from oodretrieval.segments.sums import HEAT

MAX_LABEL = 65535
"""The largest label id there may be."""


def segment_table(
    probabilities: NDArray[np.floating],
    labels: NDArray[np.integer] | None = None,
    *,
    label_to_pred: Mapping[int, int] | None = None,
    void_ids: Collection[int] = frozenset(),
    prediction: NDArray[np.integer] | None = None,
    ignore: int = NO_CLASS,
    threads: int | None = None,
) -> tuple[pd.DataFrame, NDArray[np.int32]]:
    """Segment metrics with id, box and majority label.

    Args:
        probabilities: Softmax, ``(H, W, C)``, see :func:`~oodretrieval.segments.segment_metrics`.
        labels: **Label ids**, ``(H, W)``; None without truth.
        label_to_pred: Label id → predicted id, or 255, or 254 for what is known without a class (``iou`` is then -1
            everywhere); ids that it lacks are void. None or empty: ids below C.
        void_ids: Label ids that mean nothing. An id that maps to 255 and is not void is **unknown**.
        prediction: Predicted classes, ``(H, W)``; None for the argmax.
        ignore: See :func:`~oodretrieval.segments.segment_metrics`.
        threads: See :func:`~oodretrieval.segments.segment_metrics`.

    Returns:
        The table and components of :func:`~oodretrieval.segments.segment_metrics`. Columns before:
        ``segment_id`` (1…n) and the box ``left``, ``top``, ``right``, ``bottom`` (half-open, all pixels). After:
        ``label`` (majority label id), ``unknown_fraction``, ``void_fraction`` (of its pixels, 0…1), all -1
        without truth.

    Raises:
        ValueError: As :func:`~oodretrieval.segments.segment_metrics`.

    Example:
        >>> softmax, labels = np.array([[[0.75, 0.25]] * 2]), np.array([[7, 30]])
        >>> segment_table(softmax, labels, label_to_pred={7: 0, 30: 255})[0]["unknown_fraction"].item()
        0.5
    """
    source = Softmax(probabilities, threads)
    classes = chosen_classes(source, prediction, ignore)
    truth = _Truth.of(labels, label_to_pred, void_ids, source)
    columns, sums = measure_segments(source, classes, truth.classes, threads)
    return pd.DataFrame(_places(sums) | columns | truth.columns(sums)), sums.signed


def segment_table_from_logits(
    logits: NDArray[np.floating],
    prediction: NDArray[np.integer],
    labels: NDArray[np.integer] | None = None,
    *,
    align_corners: bool = False,
    label_to_pred: Mapping[int, int] | None = None,
    void_ids: Collection[int] = frozenset(),
    ignore: int = NO_CLASS,
    threads: int | None = None,
) -> tuple[pd.DataFrame, NDArray[np.int32]]:
    """:func:`segment_table` of a network's logits at its own stride, without the full softmax in memory.

    Every row is resized, as the network's last bilinear resize does it, and normalised on its own.

    Args:
        logits: ``(C, h, w)``, any floating type and any stride.
        prediction: Predicted classes, ``(H, W)``: their size is the image's.
        labels: See :func:`segment_table`.
        align_corners: Whether that resize keeps the centres of the corner pixels where they are.
        label_to_pred: See :func:`segment_table`.
        void_ids: See :func:`segment_table`.
        ignore: See :func:`segment_table`.
        threads: See :func:`segment_table`.

    Returns:
        As :func:`segment_table`; last in the table ``max_logit`` and ``energy`` (``logsumexp``): mean over
        all, inside (``_in``), boundary (``_bd``) pixels.

    Raises:
        ValueError: If the arrays are empty, not finite, disagree in shape or hold ids that are no class.

    Example:
        >>> table, _ = segment_table_from_logits(np.array([[[0.0, 4.0]], [[2.0, 2.0]]]), np.array([[1, 1, 0, 0]]))
        >>> table["max_logit"].tolist()
        [2.0, 3.5]
    """
    source = Logits(logits, as_class_map(prediction, "prediction").shape, align_corners)
    classes = checked_classes(prediction, "prediction", source, ignore)
    truth = _Truth.of(labels, label_to_pred, void_ids, source)
    columns, sums = measure_segments(source, classes, truth.classes, threads)
    return pd.DataFrame(_places(sums) | columns | truth.columns(sums) | _scores(sums, source)), sums.signed


class _Truth(NamedTuple):
    """What the labels of an image mean.

    Attributes:
        labels: Label ids, ``(H, W)`` int32; None without truth.
        classes: True classes as kernels read them; None without truth of classes.
        known: Label ids that have a class, if only one that the labels do not name.
        unknown: Label ids of things that the network has no class for.
    """

    labels: NDArray[np.int32] | None = None
    classes: NDArray[np.int32] | None = None
    known: frozenset[int] = frozenset()
    unknown: frozenset[int] = frozenset()

    @classmethod
    def of(
        cls,
        labels: NDArray[np.integer] | None,
        label_to_pred: Mapping[int, int] | None,
        void_ids: Collection[int],
        source: Source,
    ) -> "_Truth":
        if labels is None:
            return cls()
        size = source.height, source.width
        ids = as_class_map(labels, "labels")
        if ids.shape != size:
            raise ValueError(f"labels {ids.shape} must have the size of the probabilities {size}")
        if int(ids.min()) < 0 or int(ids.max()) > MAX_LABEL:
            raise ValueError(f"labels must be label ids 0…{MAX_LABEL}, but hold {ids.min()}…{ids.max()}")
        kinds = np.ascontiguousarray(ids, np.int32)
        known = {k: v for k, v in label_to_pred.items() if v != NO_CLASS} if label_to_pred else None
        known = {k: k for k in range(source.classes)} if known is None else known
        unknown = frozenset(label_to_pred or ()) - known.keys() - frozenset(void_ids)
        if ANY_CLASS in known.values():
            return cls(kinds, None, frozenset(known), unknown)
        table = np.full(MAX_LABEL + 1, NO_PIXEL, np.int32)
        table[list(known)] = list(known.values())
        classes = np.empty_like(kinds)
        _translate(kinds, table, classes)
        if int(classes.max()) >= source.classes:
            raise ValueError(
                f"label_to_pred must lead to classes 0…{source.classes - 1} or {NO_CLASS}, but leads to "
                f"{int(classes.max())}; give the dataset's entry the mapping of this network"
            )
        return cls(kinds, classes, frozenset(known), unknown)

    def columns(self, sums: Sums) -> Columns:
        """Majority label and shares of unknown and void pixels of every segment."""
        number = len(sums.classes)
        if self.labels is None:
            nothing = np.full(number, float(NO_LABEL))
            label = np.full(number, NO_LABEL, np.int64)
            return {"label": label, "unknown_fraction": nothing, "void_fraction": nothing}
        votes, present = label_votes(sums.signed, self.labels, number)
        unknown = np.isin(present, list(self.unknown))
        void = ~unknown & ~np.isin(present, list(self.known))
        pixels = np.maximum(votes.sum(axis=1), 1)
        return {
            "label": winners(votes, present),
            "unknown_fraction": votes[:, unknown].sum(axis=1) / pixels,
            "void_fraction": votes[:, void].sum(axis=1) / pixels,
        }


@compiled
def _translate(labels: NDArray[Any], table: NDArray[Any], classes: NDArray[Any]) -> None:
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            classes[y, x] = table[labels[y, x]]


def _places(sums: Sums) -> Columns:
    boxes = segment_boxes(sums.signed)
    numbers = np.arange(1, len(sums.classes) + 1)
    return {"segment_id": numbers, **dict(zip(("left", "top", "right", "bottom"), boxes.T, strict=True))}


def _scores(sums: Sums, source: Source) -> Columns:
    inside, boundary = np.split(sums.values[:, source.classes + HEAT :], 2, axis=1)
    return {
        f"{name}{suffix}": mean
        for k, name in enumerate(("max_logit", "energy"))
        for suffix, mean in sums.means(inside[:, k], boundary[:, k]).items()
    }
