"""How many of the true objects the selected segments lead to, and how many segments lead to unknown ones."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from oodretrieval.masks import EIGHT

_FOUND_SHARE = 0.5
_FOUR = ndimage.generate_binary_structure(2, 1)


@dataclass(frozen=True)
class TrueObject:
    """One object of the ground truth and what the selection did with it.

    Attributes:
        label: Its label id.
        area: Its pixels.
        covered: Share of it in the boxes of the selected segments, 0…1.
        found: Whether at least half of it is.
        hit: Whether a selected segment overlaps it.
        counts: Whether it is large enough to count as an object.
    """

    label: int
    area: int
    covered: float
    found: bool
    hit: bool
    counts: bool = True


@dataclass(frozen=True)
class ObjectCounts:
    """Objects of one class: how many there are, how many were found, how many were hit."""

    objects: int
    found: int
    hit: int


@dataclass(frozen=True)
class SelectionMeasures:
    """What a selection of segments is worth; a share of nothing is NaN.

    Attributes:
        per_class: Label id → counts of its objects.
        segments: Number of segments that could have been selected.
        selected: Number of those that were.
        share_selected: ``selected / segments``, 0…1.
        precision: Share of the selected segments whose majority is unknown, 0…1.
        unknown_selected: Share of the segments whose majority is unknown that were selected, 0…1.
        prevalence: Share of all segments whose majority is unknown, 0…1: the precision of a random selection.
    """

    per_class: dict[int, ObjectCounts]
    segments: int
    selected: int
    share_selected: float
    precision: float
    unknown_selected: float
    prevalence: float


def true_objects(
    labels: NDArray[np.integer],
    boxes: ArrayLike,
    selected: NDArray[np.bool_],
    *,
    ids: Collection[int] | None = None,
    min_height: int = 1,
    min_width: int = 1,
    published: bool = False,
    box_labels: ArrayLike | None = None,
) -> list[TrueObject]:
    """The objects of one image, each with what the selected segments cover of it.

    An object is an 8-connected component of one label id whose box is at least ``min_height`` by
    ``min_width``. It is found when at least half of it lies in the union of the boxes, and hit when a
    selected segment overlaps it.

    Args:
        labels: Label ids, ``(H, W)``.
        boxes: Boxes of the selected segments, ``(k, 4)``: left, top, right, bottom in pixels, half-open.
        selected: Pixels of the selected segments, ``(H, W)``.
        ids: Label ids of the objects; None for all.
        min_height: Smallest height of an object that counts, in pixels.
        min_width: Smallest width.
        published: Count as the published code does: 4-connected; found when half lies in one single box of a
            segment with the same majority label; small objects are listed too, with ``counts=False``, as they
            enter the found but not the total.
        box_labels: Majority label of each selected segment, ``(k,)``; for ``published``.

    Returns:
        The objects, by label id and then in raster-scan order.

    Raises:
        ValueError: If shapes do not fit, or ``published`` lacks ``box_labels``.
    """
    corners, majority = _checked(labels, boxes, selected, box_labels if published else None)
    if published and majority is None:
        raise ValueError("published=True needs box_labels, the majority label of each selected segment")
    wanted = [int(i) for i in np.unique(labels) if ids is None or int(i) in ids]
    objects = []
    for label in wanted:
        kept = corners if majority is None else corners[majority == label]
        found = _objects_of(labels == label, kept, selected, label, (min_height, min_width), published)
        objects += [item for item in found if item.counts or published]
    return objects


def _checked(
    labels: NDArray[np.integer], boxes: ArrayLike, selected: NDArray[np.bool_], box_labels: ArrayLike | None
) -> tuple[NDArray[np.int64], NDArray[np.generic] | None]:
    """The boxes as an array ``(k, 4)``, and their labels ``(k,)`` where given."""
    corners = np.asarray(boxes, np.int64)
    corners = corners if corners.size else corners.reshape(-1, 4)
    if labels.ndim != 2 or selected.shape != labels.shape or corners.ndim != 2 or corners.shape[1] != 4:
        raise ValueError(
            "expected labels (H, W), selected (H, W) and boxes (k, 4), "
            f"got {labels.shape}, {selected.shape} and {corners.shape}"
        )
    majority = None if box_labels is None else np.asarray(box_labels)
    if majority is not None and majority.shape != (len(corners),):
        raise ValueError(f"expected box_labels ({len(corners)},), got {majority.shape}")
    return corners, majority


def _objects_of(
    mask: NDArray[np.bool_],
    boxes: NDArray[np.int64],
    selected: NDArray[np.bool_],
    label: int,
    smallest: tuple[int, int],
    single_box: bool,
) -> list[TrueObject]:
    components, count = ndimage.label(mask, _FOUR if single_box else EIGHT)
    areas = np.bincount(components.ravel(), minlength=count + 1)
    covered = _covered(components, boxes, count, single_box) / np.maximum(areas, 1)
    hits = np.bincount(components[selected], minlength=count + 1) > 0
    objects = []
    for number, (rows, columns) in enumerate(ndimage.find_objects(components), 1):
        large = rows.stop - rows.start >= smallest[0] and columns.stop - columns.start >= smallest[1]
        share = float(covered[number])
        found = share >= _FOUND_SHARE
        objects.append(TrueObject(label, int(areas[number]), share, found, bool(hits[number]), large))
    return objects


def _covered(
    components: NDArray[np.integer], boxes: NDArray[np.int64], count: int, single_box: bool
) -> NDArray[np.int64]:
    """Pixels of each component in the union of the boxes, or in that single box which covers most of it."""
    slices = [
        np.s_[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
        for left, top, right, bottom in boxes
    ]
    if single_box:
        most = np.zeros(count + 1, np.int64)
        for box in slices:
            most = np.maximum(most, np.bincount(components[box].ravel(), minlength=count + 1))
        return most
    union = np.zeros(components.shape, bool)
    for box in slices:
        union[box] = True
    return np.bincount(components[union], minlength=count + 1)


def selection_measures(
    objects: Iterable[TrueObject],
    majority: ArrayLike,
    selected: ArrayLike,
    unknown_ids: Collection[int],
) -> SelectionMeasures:
    """What a selection of segments is worth, over all images.

    Args:
        objects: The objects of all images, from :func:`true_objects`.
        majority: Majority label id of every segment, selected or not, ``(n,)``; void ones count as not unknown.
        selected: Whether it was selected, ``(n,)`` bool.
        unknown_ids: Label ids that the network was never taught.

    Returns:
        The measures.

    Raises:
        ValueError: If the shapes differ.
    """
    labels, chosen = np.asarray(majority), np.asarray(selected, bool)
    if labels.ndim != 1 or labels.shape != chosen.shape:
        raise ValueError(
            f"expected majority and selected of one shape (n,), got {labels.shape} and {chosen.shape}"
        )
    unknown = np.isin(labels, sorted(unknown_ids))
    per_class: dict[int, ObjectCounts] = {}
    for item in objects:
        before = per_class.get(item.label, ObjectCounts(0, 0, 0))
        per_class[item.label] = ObjectCounts(
            before.objects + item.counts, before.found + item.found, before.hit + item.hit
        )
    return SelectionMeasures(
        per_class=dict(sorted(per_class.items())),
        segments=len(labels),
        selected=int(chosen.sum()),
        share_selected=_share(chosen, np.ones(len(labels), bool)),
        precision=_share(unknown, chosen),
        unknown_selected=_share(chosen, unknown),
        prevalence=_share(unknown, np.ones(len(labels), bool)),
    )


def _share(of: NDArray[np.bool_], among: NDArray[np.bool_]) -> float:
    return float(of[among].mean()) if among.any() else np.nan
