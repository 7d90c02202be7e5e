"""Masks that may be objects, whatever their class."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.errors import UnknownNameError
from oodretrieval.regions.description import (
    class_probabilities,
    means,
    principal,
    resized,
    smooth_colours,
    texture,
)
from oodretrieval.regions.merging import Hierarchy, merge_by_height, merge_similar
from oodretrieval.regions.superpixels import Contacts, contacts, superpixels
from oodretrieval.regions.tree import RegionTree


@dataclass(frozen=True)
class Weights:
    """What a hierarchy compares; everything in multiples of a typical difference.

    Attributes:
        colour: Weight of the mean colour.
        texture: Of the mean texture.
        classes: Of the class probabilities.
        features: Of the network's features.
        border: Of the strength of the border.
        novelty: Of the mean of the novelty map.
        size_power: How much small ones go first.
    """

    colour: float = 1.0
    texture: float = 1.0
    classes: float = 1.0
    features: float = 1.0
    border: float = 1.0
    novelty: float = 0.0
    size_power: float = 0.5


@dataclass(frozen=True)
class RegionOptions:
    """How regions are made.

    Attributes:
        scale: Of the superpixels (:func:`~oodretrieval.regions.superpixels.superpixels`).
        min_superpixel: Their smallest size, in cells.
        max_cells: Larger images are worked on at a half, a third, … of their size.
        min_share: Smallest region, as a share of the image's area.
        max_share: Largest region.
        hierarchies: Name → what a tree of regions is merged by.
        heights: Whether the components of the novelty map are proposed.
        segments: Whether the predicted segments are proposed.
    """

    scale: float = 10.0
    min_superpixel: int = 20
    max_cells: int = 600_000
    min_share: float = 0.0004
    max_share: float = 0.5
    hierarchies: Mapping[str, Weights] = field(
        default_factory=lambda: {
            "appearance": Weights(classes=0, features=0),
            "everything": Weights(),
        }
    )
    heights: bool = True
    segments: bool = True


def propose_regions(
    image: NDArray[np.uint8],
    *,
    logits: NDArray[np.floating] | None = None,
    features: NDArray[np.floating] | None = None,
    novelty: NDArray[np.floating] | None = None,
    seed: int = 0,
    **options: Any,
) -> RegionTree:
    """Regions of an image that may be objects."""
    try:
        chosen = RegionOptions(**options)
    except TypeError as error:
        known = RegionOptions.__dataclass_fields__
        unknown = next(name for name in options if name not in known)
        raise UnknownNameError("option of propose_regions", unknown, known) from error
    height, width = image.shape[:2]
    step = int(np.ceil(np.sqrt(height * width / chosen.max_cells)))
    small = _shrink(image, step)
    size = small.shape[:2]
    colours = smooth_colours(small)
    probabilities = energy = None
    if logits is not None:
        probabilities, energy = class_probabilities(logits, size)
    if novelty is not None:
        energy = resized(novelty[None], size)[0]
    classes = None if probabilities is None else probabilities.argmax(axis=2)
    labels = superpixels(colours, classes=classes, scale=chosen.scale, min_size=chosen.min_superpixel)
    touching = contacts(labels, colours)
    areas = np.bincount(labels.ravel())
    groups = {"colour": means(labels, colours), "texture": means(labels, texture(colours))}
    if probabilities is not None:
        groups["classes"] = means(labels, probabilities)
    if features is not None:
        groups["features"] = means(labels, resized(principal(features, seed), size).transpose(1, 2, 0))
    heights = None if energy is None else means(labels, energy[..., None])[:, 0]
    if heights is not None:
        groups["novelty"] = heights[:, None]
    groups = {name: values / _typical(values, touching) for name, values in groups.items()}
    border_unit = float(np.sqrt((touching.strengths**2).mean())) or 1.0
    trees: dict[str, Hierarchy] = {}
    for name, weights in chosen.hierarchies.items():
        vectors = [
            np.sqrt(getattr(weights, group)) * values
            for group, values in groups.items()
            if getattr(weights, group) > 0
        ]
        trees[name] = merge_similar(
            np.concatenate(vectors, axis=1),
            areas,
            touching,
            border=weights.border / border_unit**2,
            size_power=weights.size_power,
        )
    if chosen.heights and heights is not None:
        trees["novelty"] = merge_by_height(heights, touching)
    if chosen.segments and classes is not None:
        first = np.zeros(len(areas), np.int64)
        first[labels.ravel()] = classes.ravel()
        trees["segments"] = _segments(first, touching)
    return _collect(labels, step, (height, width), trees, chosen, seed)


def _shrink(image: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """Mean over blocks of ``step × step`` pixels; those at the lower and right border are filled up."""
    if step == 1:
        return image
    height, width = image.shape[:2]
    padded = np.pad(image, ((0, -height % step), (0, -width % step), (0, 0)), mode="edge")
    sums = padded.reshape(padded.shape[0] // step, step, padded.shape[1] // step, step, 3).sum(
        axis=(1, 3), dtype=np.uint32
    )
    return np.asarray(sums // step**2, np.uint8)


def _typical(values: NDArray[np.float64], touching: Contacts) -> float:
    """Root of the mean squared difference of superpixels that touch."""
    a, b = touching.pairs.T
    return float(np.sqrt(((values[a] - values[b]) ** 2).sum(axis=1).mean())) or 1.0 if len(a) else 1.0


def _segments(classes: NDArray[np.int64], touching: Contacts) -> Hierarchy:
    a, b = touching.pairs.T
    same = classes[a] == classes[b]
    return merge_by_height(
        np.zeros(len(classes)),
        Contacts(touching.pairs[same], touching.lengths[same], touching.strengths[same]),
    )


def _collect(labels, step, size, trees, options, seed):
    number = int(labels.max()) + 1
    rng = np.random.default_rng(seed)
    keys = rng.integers(1, 2**63, number, dtype=np.uint64)
    areas = np.bincount(labels.ravel()) * step**2
    low, high = options.min_share * size[0] * size[1], options.max_share * size[0] * size[1]
    members, spans, parents, source = [], [], [], []
    seen: set[int] = set()
    offset = count = 0
    for name, tree in trees.items():
        order = tree.order
        ends = np.r_[0, np.cumsum(areas[order])]
        hashes = np.r_[np.uint64(0), np.cumsum(keys[order], dtype=np.uint64)]
        area = ends[tree.spans[:, 1]] - ends[tree.spans[:, 0]]
        digest = hashes[tree.spans[:, 1]] - hashes[tree.spans[:, 0]]
        wanted = (area >= low) & (area <= high)
        if name == "segments":
            wanted &= tree.parent < 0
        kept = []
        for node in np.flatnonzero(wanted):
            if int(digest[node]) not in seen:
                seen.add(int(digest[node]))
                kept.append(node)
        place = {node: count + i for i, node in enumerate(kept)}
        above = np.full(len(tree.parent), -1, np.int64)
        for node in range(len(tree.parent) - 1, -1, -1):
            p = tree.parent[node]
            if p >= 0:
                above[node] = place.get(p, above[p])
        spans.append(tree.spans[kept].reshape(-1, 2) + offset)
        parents.append(above[kept])
        source += [name] * len(kept)
        members.append(order)
        offset += len(order)
        count += len(kept)
    return RegionTree(
        labels,
        step,
        size,
        np.concatenate(members),
        np.concatenate(spans),
        np.concatenate(parents),
        np.array(source, np.str_),
    )
