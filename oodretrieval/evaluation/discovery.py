"""How many unknown objects a person has found after n looks at candidates (docs/evaluation.md)."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import ndimage

from oodretrieval.masks import EIGHT, RunLengthMask, encode_mask, encode_within, mask_intersection

Mask = RunLengthMask | NDArray[np.bool_]
TOUCHED, FOUND, OUTLINED = 0.5, 0.25, 0.5
"""More than this share of a candidate on the object touches it; this IoU finds it, this IoU outlines it."""
LOOKS_PER_IMAGE = (1, 2, 5, 10)
LOOKS_IN_ALL = (50, 100, 200, 500)
AREA_LOOKS = 10
MIN_SHARE = 0.001
"""Smallest unknown object, as a share of the image's area."""


@dataclass(frozen=True, eq=False)
class UnknownObjects:
    """The unknown objects of an image.

    Attributes:
        masks: Of those that are large enough, in the order of label ids, then raster-scan order.
        labels: Label id of each.
        small: Masks of the others.
    """

    masks: list[RunLengthMask]
    labels: list[int]
    small: list[RunLengthMask]


def unknown_objects(
    labels: NDArray[np.integer], unknown: Collection[int], *, min_share: float = MIN_SHARE
) -> UnknownObjects:
    """The 8-connected components of each unknown label id.

    Args:
        labels: Label ids, ``(H, W)``.
        unknown: Label ids that are unknown.
        min_share: Smallest object, as a share of the image's area, 0…1.

    Returns:
        Objects, and those too small to be one.

    Raises:
        ValueError: If ``labels`` is not ``(H, W)``.

    Example:
        >>> len(unknown_objects(np.array([[7, 0, 7], [7, 0, 0]]), [7]).masks)
        2
    """
    if labels.ndim != 2:
        raise ValueError(f"expected labels (H, W), got {labels.shape}")
    size = (labels.shape[0], labels.shape[1])
    objects = UnknownObjects([], [], [])
    for label in sorted(set(unknown)):
        components, _ = ndimage.label(labels == label, EIGHT)
        for number, (rows, columns) in enumerate(ndimage.find_objects(components), 1):
            part = components[rows, columns] == number
            mask = encode_within(part, (columns.start, rows.start), size)
            if part.sum() >= min_share * labels.size:
                objects.masks.append(mask)
                objects.labels.append(int(label))
            else:
                objects.small.append(mask)
    return objects


@dataclass(frozen=True, eq=False)
class DiscoveryCurve:
    """Shares of the unknown objects after every look, 0…1.

    Attributes:
        looks: 0, 1, …, as many as there are candidates, ``(n + 1,)``.
        touched: Share of objects that more than half of some candidate inspected lies on, ``(n + 1,)``.
        found: Share that some candidate inspected has an IoU of at least 0.25 with.
        outlined: Share with an IoU of at least 0.5.
        images: Images of the dataset, with and without objects.
        objects: Unknown objects.
        best_iou: The best IoU of any candidate with each object, ``(objects,)``, whatever its place: the oracle.
        gains: For each candidate in the order of looks how many objects it is the first to find, ``(n,)``.
    """

    looks: NDArray[np.int64]
    touched: NDArray[np.float64]
    found: NDArray[np.float64]
    outlined: NDArray[np.float64]
    images: int
    objects: int
    best_iou: NDArray[np.float64] = field(repr=False)
    gains: NDArray[np.int64] = field(repr=False)

    def after(self, looks: int) -> Mapping[str, float]:
        """The shares of objects ``touched``, ``found`` and ``outlined`` after some number of looks.

        Args:
            looks: In all, >= 0; more than there are candidates count as all.

        Returns:
            Name → share, 0…1.
        """
        place = min(looks, len(self.looks) - 1)
        shares = {"touched": self.touched, "found": self.found, "outlined": self.outlined}
        return {name: float(share[place]) for name, share in shares.items()}

    @property
    def per_image(self) -> Mapping[int, Mapping[str, float]]:
        """The shares after 1, 2, 5 and 10 looks an image."""
        return {looks: self.after(looks * self.images) for looks in LOOKS_PER_IMAGE}

    @property
    def in_all(self) -> Mapping[int, Mapping[str, float]]:
        """The shares after 50, 100, 200 and 500 looks in all."""
        return {looks: self.after(looks) for looks in LOOKS_IN_ALL}

    @property
    def area(self) -> float:
        """Mean share found over the first 10 looks an image, 0…1; where candidates run out the last share holds."""
        last = AREA_LOOKS * self.images
        shares = self.found[1 : last + 1]
        return float((shares.sum() + (last - len(shares)) * self.found[-1]) / last)

    @property
    def oracle(self) -> Mapping[str, float]:
        """What the candidates hold, whatever their order: share of objects found and outlined by any of them."""
        return {
            "found": float((self.best_iou >= FOUND).mean()),
            "outlined": float((self.best_iou >= OUTLINED).mean()),
        }


def discovery_curve(
    candidates: Sequence[Sequence[Mask]], scores: Sequence[ArrayLike], objects: Sequence[Sequence[Mask]]
) -> DiscoveryCurve:
    """What is found of the unknown objects when candidates are inspected in the order of their scores.

    The order is one over the whole dataset; of equal scores the earlier image, then the earlier candidate comes first.

    Args:
        candidates: Masks of each image, ``(H, W)`` bool or run-length encoded.
        scores: Their scores, higher first.
        objects: Masks of each image's unknown objects.

    Returns:
        The curve, its area, and the oracle.

    Raises:
        ValueError: If lengths do not fit, a score is not a number, sizes differ, or there is no object.

    Example:
        >>> thing, other = np.array([[True, True, False]]), np.array([[False, False, True]])
        >>> discovery_curve([[other, thing]], [[0.1, 0.9]], [[thing]]).found.tolist()
        [0.0, 1.0, 1.0]
    """
    if not len(candidates) == len(scores) == len(objects):
        raise ValueError(
            "expected candidates, scores and objects of the same images, "
            f"got {len(candidates)}, {len(scores)} and {len(objects)}"
        )
    values = [np.asarray(of_image, np.float64).reshape(-1) for of_image in scores]
    for number, (masks, given) in enumerate(zip(candidates, values, strict=True)):
        if len(masks) != len(given) or np.isnan(given).any():
            raise ValueError(
                f"expected one score for each of the {len(masks)} candidates of image {number}, none NaN, "
                f"got {len(given)}, {int(np.isnan(given).sum())} of them NaN"
            )
    matches = [match(masks, things) for masks, things in zip(candidates, objects, strict=True)]
    return curve_of_matches(matches, values)


@dataclass(frozen=True, eq=False)
class Matches:
    """How the candidates of an image lie on its objects.

    Attributes:
        covered: Share of each candidate that lies on each object, ``(k, o)``.
        iou: Their intersection over union, ``(k, o)``.
    """

    covered: NDArray[np.float64]
    iou: NDArray[np.float64]


def match(candidates: Sequence[Mask], objects: Sequence[Mask]) -> Matches:
    """Compare every candidate of an image with every object.

    Args:
        candidates: Masks of one image, ``k`` of them.
        objects: Masks of the objects in it, ``n`` of them.

    Returns:
        Their overlaps, ``(k, n)``.

    Raises:
        ValueError: If they are of images of different size.
    """
    things = [_encoded(mask) for mask in objects]
    shape = (len(candidates), len(things))
    shared, areas = np.zeros(shape), np.zeros(shape[0])
    for row, mask in enumerate(_each(candidates if things else ())):
        areas[row] = mask.area
        shared[row] = [mask_intersection(thing, mask) for thing in things]
    return matches_of_areas(shared, areas, [thing.area for thing in things])


def matches_of_areas(
    shared: NDArray[np.floating], areas: NDArray[np.number], objects: Sequence[int]
) -> Matches:
    """:func:`match` of candidates whose pixels on each object are counted.

    Args:
        shared: Pixels of each candidate on each object, ``(k, o)``.
        areas: Pixels of each candidate, ``(k,)``.
        objects: Pixels of each object, ``o`` of them.

    Returns:
        Their overlaps, ``(k, o)``.
    """
    union = areas[:, None] + np.asarray(objects, np.int64) - shared
    return Matches(shared / np.maximum(areas, 1)[:, None], shared / np.maximum(union, 1))


def curve_of_matches(matches: Sequence[Matches], scores: Sequence[NDArray[np.float64]]) -> DiscoveryCurve:
    """:func:`discovery_curve` of candidates that were compared before; for several orders of the same ones.

    Args:
        matches: Of each image.
        scores: Of its candidates, higher first.

    Returns:
        The curve.

    Raises:
        ValueError: If there is no object.
    """
    best = np.concatenate([m.iou.max(axis=0, initial=0.0) for m in matches]) if len(matches) else np.zeros(0)
    if not len(best):
        raise ValueError("there is no unknown object in these images: nothing to find")
    everything = np.concatenate(scores) if len(scores) else np.zeros(0)
    turn = np.empty(len(everything), np.int64)
    turn[np.argsort(-everything, kind="stable")] = np.arange(1, len(everything) + 1)
    turns = np.split(turn, np.cumsum([len(of_image) for of_image in scores])[:-1])
    touched = _first_turns(turns, [m.covered > TOUCHED for m in matches], len(turn))
    found = _first_turns(turns, [m.iou >= FOUND for m in matches], len(turn))
    outlined = _first_turns(turns, [m.iou >= OUTLINED for m in matches], len(turn))
    return DiscoveryCurve(
        looks=np.arange(len(turn) + 1),
        touched=np.cumsum(touched) / len(best),
        found=np.cumsum(found) / len(best),
        outlined=np.cumsum(outlined) / len(best),
        images=len(matches),
        objects=len(best),
        best_iou=best,
        gains=found[1:],
    )


def _first_turns(
    turns: Sequence[NDArray[np.int64]], hits: Sequence[NDArray[np.bool_]], looks: int
) -> NDArray[np.int64]:
    """How many objects each look is the first to hit, ``(looks + 1,)``."""
    gained = np.zeros(looks + 1, np.int64)
    for turn, hit in zip(turns, hits, strict=True):
        first = np.where(hit, turn[:, None], looks + 1).min(axis=0, initial=looks + 1)
        np.add.at(gained, first[first <= looks], 1)
    return gained


def _encoded(mask: Mask) -> RunLengthMask:
    return mask if isinstance(mask, RunLengthMask) else encode_mask(mask)


def _each(masks: Sequence[Mask]) -> Iterator[RunLengthMask]:
    for mask in masks:
        yield _encoded(mask)
