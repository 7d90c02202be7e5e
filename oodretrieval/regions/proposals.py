"""Masks that may be objects, whatever their class."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.errors import UnknownNameError
from oodretrieval.regions.collection import collect_regions
from oodretrieval.regions.description import (
    cell_means,
    class_probabilities,
    means,
    principal,
    resized,
    shrunk,
    smooth_colours,
    texture,
)
from oodretrieval.regions.merging import Hierarchy, merge_by_height, merge_similar
from oodretrieval.regions.superpixels import Contacts, contacts, superpixels
from oodretrieval.regions.tree import RegionTree


@dataclass(frozen=True)
class Weights:
    """What a hierarchy compares; 1 is the root mean square over superpixels that touch.

    Attributes:
        colour: Weight of the difference of mean colours.
        texture: Of textures.
        classes: Of class probabilities: how much the network disagrees with itself.
        features: Of the network's features.
        novelty: Of the means of the novelty map.
        border: Of the strength of the border.
        size_power: How much small regions go first.
    """

    colour: float = 1.0
    texture: float = 1.0
    classes: float = 1.0
    features: float = 1.0
    novelty: float = 0.0
    border: float = 1.0
    size_power: float = 0.5


@dataclass(frozen=True)
class RegionOptions:
    """How regions are made.

    Attributes:
        scale: Of the superpixels, in units of CIE L*a*b* times cells.
        min_superpixel: The smallest superpixel, in cells.
        max_cells: A larger image is worked on at a half, a third, … of its size: a cell is 2×2, 3×3, … pixels.
        min_share: Smallest region, as a share of the image's area.
        max_share: Largest region.
        hierarchies: Name → what a tree of regions is merged by.
        heights: Whether the components of the novelty map, at every height, are proposed.
        segments: Whether the predicted segments are proposed.
    """

    scale: float = 10.0
    min_superpixel: int = 20
    max_cells: int = 600_000
    min_share: float = 0.0008
    max_share: float = 0.5
    hierarchies: Mapping[str, Weights] = field(
        default_factory=lambda: {
            "appearance": Weights(classes=0, features=0),
            "everything": Weights(),
            "surprise": Weights(novelty=3.0, size_power=0.3),
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
    """Regions of an image that may be objects, whatever their class.

    Superpixels that never cross the border of a predicted segment are merged, the most similar pair first, into one
    binary tree for each of ``hierarchies``; to these are added the components of a novelty map at every height, and
    the predicted segments themselves. Regions of one tree are nested or apart.

    Args:
        image: RGB, ``(H, W, 3)`` uint8.
        logits: Of the segmentation network, ``(C, h, w)`` at any stride; without them colours and features alone speak.
        features: Of any network, ``(D, h, w)`` at any stride.
        novelty: How unknown each pixel is, ``(h, w)`` at any stride, higher is more; the logits' energy by default.
        seed: Of the random projection of features with many channels; nothing else is random.
        **options: :class:`RegionOptions` by name.

    Returns:
        The regions: ``.masks``, ``.parent``, ``.boxes``. An image of one colour has none.

    Raises:
        ValueError: If an array has another shape or is empty, or the options leave nothing to propose from.
        UnknownNameError: If there is no such option.

    Source:
        Uijlings et al., "Selective search for object recognition", IJCV 104 (2013), for hierarchies by several
        similarities; Arbeláez et al., "Multiscale combinatorial grouping", arXiv:1503.00848, for trees to choose from.
    """
    unknown = sorted(options.keys() - {option.name for option in fields(RegionOptions)})
    if unknown:
        known = [option.name for option in fields(RegionOptions)]
        raise UnknownNameError("option of propose_regions", unknown[0], known)
    chosen = RegionOptions(**options)
    _check(image, 3, logits=logits, features=features)
    _check(image, 2, novelty=novelty)
    step = int(np.ceil(np.sqrt(image.shape[0] * image.shape[1] / chosen.max_cells)))
    ground = _ground(shrunk(image, step), logits, features, novelty, chosen, seed)
    cells = ground.labels.size
    return collect_regions(
        ground.labels,
        step,
        (image.shape[0], image.shape[1]),
        _trees(ground, chosen),
        (chosen.min_share * cells, chosen.max_share * cells),
        seed,
    )


def _check(image: NDArray[np.uint8], axes: int, **maps: NDArray[np.floating] | None) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f"expected an image (H, W, 3) uint8, got {image.shape} {image.dtype}")
    for name, values in maps.items():
        if values is not None and (values.ndim != axes or not values.size or not np.isfinite(values).all()):
            shape = "(channels, h, w)" if axes == 3 else "(h, w)"
            raise ValueError(f"expected {name} {shape}, finite, got {values.shape}")


@dataclass(frozen=True, eq=False)
class _Ground:
    """What hierarchies stand on: ``n`` superpixels, their contacts, and what they look like.

    ``groups`` holds vectors ``(n, d)`` by the names of :class:`Weights`, in multiples of a typical difference.
    """

    labels: NDArray[np.int32]
    touching: Contacts
    groups: dict[str, NDArray[np.float64]]
    classes: NDArray[np.intp] | None

    @property
    def heights(self) -> NDArray[np.float64] | None:
        return self.groups["novelty"][:, 0] if "novelty" in self.groups else None


def _ground(
    image: NDArray[np.uint8],
    logits: NDArray[np.floating] | None,
    features: NDArray[np.floating] | None,
    novelty: NDArray[np.floating] | None,
    options: RegionOptions,
    seed: int,
) -> _Ground:
    size = (image.shape[0], image.shape[1])
    colours = smooth_colours(image)
    maps = {"colour": colours, "texture": texture(colours)}
    classes = None
    if logits is not None:
        maps["classes"], energy = class_probabilities(logits, size)
        maps["novelty"] = energy[..., None]
        classes = maps["classes"].argmax(axis=2)
    if novelty is not None:
        maps["novelty"] = resized(novelty[None], size).transpose(1, 2, 0)
    labels = superpixels(colours, classes=classes, scale=options.scale, min_size=options.min_superpixel)
    touching = contacts(labels, colours)
    groups = {name: means(labels, values) for name, values in maps.items()}
    if features is not None:
        groups["features"] = cell_means(labels, principal(features, seed))
    groups = {name: vectors / _typical_difference(vectors, touching) for name, vectors in groups.items()}
    if classes is not None:
        of_superpixel = np.zeros(len(groups["colour"]), np.intp)
        of_superpixel[labels.ravel()] = classes.ravel()
        classes = of_superpixel
    return _Ground(labels, touching, groups, classes)


def _typical_difference(vectors: NDArray[np.float64], touching: Contacts) -> float:
    """Root of the mean squared difference of superpixels that touch; 1 where it is 0."""
    one, other = touching.pairs.T
    squares = ((vectors[one] - vectors[other]) ** 2).sum(axis=1)
    return float(np.sqrt(squares.mean())) or 1.0 if len(squares) else 1.0


def _trees(ground: _Ground, options: RegionOptions) -> dict[str, tuple[Hierarchy, NDArray[np.bool_]]]:
    """Every hierarchy, and which of its nodes may be regions."""
    touching, areas = ground.touching, np.bincount(ground.labels.ravel())
    unit = float((touching.strengths**2).mean()) or 1.0 if len(touching.strengths) else 1.0
    trees = {}
    for name, weights in options.hierarchies.items():
        shares = {group: getattr(weights, group) for group in ground.groups}
        vectors = [
            np.sqrt(shares[group]) * values for group, values in ground.groups.items() if shares[group] > 0
        ]
        joined = np.concatenate([*vectors, np.zeros((len(areas), 1))], axis=1)
        trees[name] = merge_similar(
            joined, areas, touching, border=weights.border / unit, size_power=weights.size_power
        )
    if options.heights and ground.heights is not None:
        trees["novelty"] = merge_by_height(ground.heights, touching)
    every = {name: (tree, np.ones(len(tree.parent), np.bool_)) for name, tree in trees.items()}
    if options.segments and ground.classes is not None:
        one, other = touching.pairs.T
        same = ground.classes[one] == ground.classes[other]
        within = Contacts(touching.pairs[same], touching.lengths[same], touching.strengths[same])
        segments = merge_by_height(np.zeros(len(areas)), within)
        every["segments"] = segments, segments.parent < 0
    return every
