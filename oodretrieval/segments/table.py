"""The segment table that the stages store: the metrics, and where and what each segment is."""

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.labels import NO_CLASS, lookup_table
from oodretrieval.segments.components import as_class_map
from oodretrieval.segments.crops import NO_LABEL, majority_label, segment_boxes
from oodretrieval.segments.metrics import Segments, segment_metrics


def segment_table(
    probabilities: NDArray[np.floating],
    labels: NDArray[np.integer] | None = None,
    *,
    label_to_pred: Mapping[int, int] | None = None,
    void_ids: Collection[int] = frozenset(),
    prediction: NDArray[np.integer] | None = None,
    logits: NDArray[np.floating] | None = None,
    ignore: int = NO_CLASS,
    threads: int | None = None,
) -> tuple[pd.DataFrame, NDArray[np.int32]]:
    """Segment metrics with id, box, majority label and, where logits are at hand, their scores.

    Args:
        probabilities: Softmax, ``(H, W, C)``.
        labels: **Label ids**, ``(H, W)``; None without truth.
        label_to_pred: Label id → predicted id, or 255; ids that it lacks are void. None or empty: ids below C.
        void_ids: Label ids that mean nothing. An id that maps to 255 and is not void is **unknown**.
        prediction: Predicted classes, ``(H, W)``; None for the argmax.
        logits: Logits at full size, ``(H, W, C)``.
        ignore: See :func:`segment_metrics`.
        threads: See :func:`segment_metrics`.

    Returns:
        The table and components of :func:`segment_metrics`. Columns before: ``segment_id`` (1…n) and the box
        ``left``, ``top``, ``right``, ``bottom`` (half-open, all pixels). After: ``label`` (majority label id),
        ``unknown_fraction``, ``void_fraction`` (of its pixels, 0…1), all -1 without truth; with logits
        ``max_logit``, ``energy`` (``logsumexp``): mean over all, inside (``_in``), boundary (``_bd``) pixels.

    Raises:
        ValueError: As :func:`segment_metrics`.

    Example:
        >>> softmax, labels = np.array([[[0.75, 0.25]] * 2]), np.array([[7, 30]])
        >>> segment_table(softmax, labels, label_to_pred={7: 0, 30: 255})[0]["unknown_fraction"].item()
        0.5
    """
    _require_logits(logits, np.shape(probabilities))
    truth: NDArray[np.int64] | None = None
    if labels is not None:
        labels = _checked_labels(labels, np.shape(probabilities)[:2])
        label_to_pred = label_to_pred or {k: k for k in range(np.shape(probabilities)[-1])}
        truth = _to_predicted(labels, label_to_pred, ignore)
    table, components = segment_metrics(
        probabilities, truth, prediction=prediction, ignore=ignore, threads=threads
    )
    segments = Segments.from_signed(components)
    extra = _label_columns(components, segments, labels, label_to_pred or {}, frozenset(void_ids))
    extra |= {} if logits is None else _logit_columns(segments, np.asarray(logits))
    return pd.concat([_place_columns(components), table, pd.DataFrame(extra)], axis=1), components


def _require_logits(logits: NDArray[np.floating] | None, shape: tuple[int, ...]) -> None:
    if logits is None:
        return
    if np.shape(logits) != shape:
        raise ValueError(
            f"logits {np.shape(logits)} must have the shape of the probabilities {shape}; "
            "resize them to the image first"
        )
    if not np.isfinite(logits).all():
        raise ValueError("logits hold NaN or infinity; look for them in the network's output")


def _to_predicted(
    labels: NDArray[np.integer], label_to_pred: Mapping[int, int], ignore: int
) -> NDArray[np.int64]:
    table = lookup_table(label_to_pred)
    # Widened first: an 8-bit label cannot be compared with a table of 256 ids.
    predicted = table[np.minimum(labels.astype(np.int64), len(table) - 1)].astype(np.int64)
    return np.where(predicted == NO_CLASS, ignore, predicted)


def _place_columns(components: NDArray[np.int32]) -> pd.DataFrame:
    boxes = segment_boxes(components)
    places = pd.DataFrame(boxes, columns=["left", "top", "right", "bottom"])
    places.insert(0, "segment_id", np.arange(1, len(boxes) + 1))
    return places


def _checked_labels(labels: NDArray[np.integer], size: tuple[int, ...]) -> NDArray[np.integer]:
    ids = as_class_map(labels, "labels")
    if ids.shape != size:
        raise ValueError(f"labels {ids.shape} must have the size of the probabilities {size}")
    if int(ids.min()) < 0:
        raise ValueError(f"labels must be label ids 0…65535, but hold {int(ids.min())}")
    return ids


def _label_columns(
    components: NDArray[np.int32],
    segments: Segments,
    labels: NDArray[np.integer] | None,
    label_to_pred: Mapping[int, int],
    void_ids: frozenset[int],
) -> dict[str, NDArray[np.int64] | NDArray[np.float64]]:
    if labels is None:
        nothing = np.full(len(segments.n), float(NO_LABEL))
        return {
            "label": np.full(len(segments.n), NO_LABEL, np.int64),
            "unknown_fraction": nothing,
            "void_fraction": nothing,
        }
    known = [k for k, v in label_to_pred.items() if v != NO_CLASS]
    unknown = [k for k, v in label_to_pred.items() if v == NO_CLASS and k not in void_ids]
    return {
        "label": majority_label(components, labels),
        "unknown_fraction": segments.means(np.isin(labels, unknown))[0],
        "void_fraction": segments.means(~np.isin(labels, known + unknown))[0],
    }


def _logit_columns(segments: Segments, logits: NDArray[np.floating]) -> dict[str, NDArray[np.float64]]:
    highest = logits.max(axis=2).astype(np.float64)
    total = np.zeros(highest.shape, np.float64)
    for k in range(logits.shape[2]):
        total += np.exp(logits[..., k] - highest)
    maps = {"max_logit": highest, "energy": highest + np.log(total)}
    return {
        f"{name}{suffix}": mean
        for name, values in maps.items()
        for suffix, mean in zip(("", "_in", "_bd"), segments.means(values), strict=True)
    }
