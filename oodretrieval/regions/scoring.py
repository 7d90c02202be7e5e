"""How likely a region is an unknown object: evidence compared with that of regions of the same size, and shape."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from oodretrieval.choices import ALIKE_SHARE
from oodretrieval.errors import TableError
from oodretrieval.regions.cut import without_overlap
from oodretrieval.regions.description import resized
from oodretrieval.regions.evidence import pool_evidence, region_shapes
from oodretrieval.regions.tree import RegionTree
from oodretrieval.robust_statistics import median_and_deviation

BINS = 8
"""Groups of equally many regions, by size, that have a centre and a deviation of their own."""

DEFAULT_EVIDENCE = {
    "energy": 1.0,
    "energy_contrast": 0.1,
    "distance": 0.75,
    "window_distance": 0.75,
    "local_window_distance_contrast": 0.1,
    "local_distance_spread": -0.4,
}
"""Term → weight: ``-logsumexp`` of the logits, logarithms of the distances to known segments and to known windows; and
against a region, how much its pixels differ in how far from known segments they are: half of it is something else."""

CONTRAST = "local_distance_contrast"
"""Term: how much farther from known features the pixels of a region are than those around it."""

MIDDLE = "middle"
"""Term: how far down the image the middle of a region's box lies, 0…1; made of ``top`` and ``bottom`` where needed."""

LARGE = 0.05
"""Share of the image from which :data:`CONTRAST` begins to count; ten times as much, and it counts fully."""

_CLIP = (-6.0, 8.0)
_SMALLEST = 1e-6

Terms = Mapping[str, NDArray[np.float64]]


def region_terms(
    tree: RegionTree, maps: Mapping[str, NDArray[np.floating]]
) -> dict[str, NDArray[np.float64]]:
    """What a score is made of, for every region.

    Args:
        tree: The regions.
        maps: Name → how unknown each pixel is, ``(h, w)`` at any resolution, higher is more.

    Returns:
        Name → ``(m,)``: each map's mean over the region by its name, over the region less over its ring as
        ``<name>_contrast``, its standard deviation over the region as ``<name>_spread``; and what
        :func:`~oodretrieval.regions.region_shapes` gives.

    Raises:
        ValueError: If a map has another number of axes.
    """
    terms, size = region_shapes(tree), (tree.superpixels.shape[0], tree.superpixels.shape[1])
    for name, values in maps.items():
        if values.ndim != 2:
            raise ValueError(f"expected the map {name!r} as (h, w), got {values.shape}")
    if not maps:
        return terms
    # at one size they are pooled together, which takes little longer than one of them
    evidence = pool_evidence(tree, np.concatenate([resized(values[None], size) for values in maps.values()]))
    for place, name in enumerate(maps):
        terms[name], terms[f"{name}_contrast"] = evidence.inside[:, place], evidence.contrast[:, place]
        terms[f"{name}_spread"] = evidence.spread[:, place]
    return terms


@dataclass(frozen=True, eq=False)
class RegionReference:
    """What regions of each size show: of known training images, or of the searched images themselves.

    Unknown objects are few among all regions, and centre and deviation are robust: no truth is needed.

    Attributes:
        log_shares: Logarithm of the share of the image that regions of each bin have, ``(k,)`` ascending.
        centres: Term → median in each bin, ``(k,)``.
        deviations: Term → median absolute deviation as a standard deviation, ``(k,)``, > 0.
    """

    log_shares: NDArray[np.float64]
    centres: Mapping[str, NDArray[np.float64]]
    deviations: Mapping[str, NDArray[np.float64]]

    @classmethod
    def of(cls, images: Sequence[Terms], names: Iterable[str]) -> "RegionReference":
        """Take the statistics of some terms over the regions of several images.

        Args:
            images: The terms of each image's regions: name → ``(m,)``, with ``share``, the region's share of
                the image.
            names: Of the terms to keep.

        Returns:
            Median and deviation of every term by size.

        Raises:
            TableError: If there is no region, or a term is missing.
        """
        if not sum(len(terms["share"]) for terms in images):
            raise TableError("expected at least one region to compare others with, got none")
        pooled = {
            name: np.concatenate([_of_regions(terms, name) for terms in images]) for name in ("share", *names)
        }
        log_share = np.log(pooled.pop("share"))
        order = np.argsort(log_share, kind="stable")
        bins = np.array_split(order, min(BINS, len(order)))
        centres, deviations = {}, {}
        for name, values in pooled.items():
            centres[name], spread = np.array([median_and_deviation(values[rows]) for rows in bins]).T
            deviations[name] = np.maximum(spread, _SMALLEST)
        return cls(np.array([log_share[rows].mean() for rows in bins]), centres, deviations)

    def standardise(self, terms: Terms, name: str) -> NDArray[np.float64]:
        """A term in deviations from the median of regions of the same size.

        Args:
            terms: Name → ``(m,)``, with ``share``.
            name: Of the term.

        Returns:
            ``(m,)``, clipped to -6…8.

        Raises:
            TableError: If the term is missing, or was not among those of :meth:`of`.
        """
        values, log_share = _of_regions(terms, name), np.log(terms["share"])
        centre = np.interp(log_share, self.log_shares, _term(self.centres, name))
        deviation = np.interp(log_share, self.log_shares, self.deviations[name])
        return np.clip((values - centre) / deviation, *_CLIP)


@dataclass(frozen=True)
class ScoreWeights:
    """What a region's score weighs. Chosen by the mean over scenes and the worst of them: docs/objects.md.

    Attributes:
        evidence: Term → weight, in deviations from what regions of the same size show.
        perimeter: Weight of a long border, likewise.
        sides: Weight of each side of the image that the region touches: ground, sky and houses are cut off there.
        middle: Weight of how far down the image a region lies, next to regions of its size: things stand on the ground.
        log_share: Weight of the logarithm of the share of the image.
        contrast: Weight of :data:`CONTRAST` for large regions: what is large is shown whole, and not with its ground.
    """

    evidence: Mapping[str, float] = field(default_factory=lambda: dict(DEFAULT_EVIDENCE))
    perimeter: float = -1.5
    sides: float = -2.0
    middle: float = 0.8
    log_share: float = 0.2
    contrast: float = 1.5

    @property
    def standardised(self) -> tuple[str, ...]:
        """The terms that need a reference."""
        return (*self.evidence, "perimeter", MIDDLE, *((CONTRAST,) if self.contrast else ()))


def score_regions(
    terms: Terms, reference: RegionReference, weights: ScoreWeights | None = None
) -> NDArray[np.float64]:
    """How likely each region is an unknown object.

    Args:
        terms: Of the regions of an image (:func:`region_terms`), and any others of theirs, each ``(m,)``.
        reference: What regions of the same size show.
        weights: What counts how much.

    Returns:
        ``(m,)``, higher where more likely; a usual region has about 0. Unitless.

    Raises:
        TableError: If a term is missing.
    """
    chosen = ScoreWeights() if weights is None else weights
    log_share = np.log(_term(terms, "share"))
    score = chosen.sides * _term(terms, "sides") + chosen.log_share * log_share
    if chosen.contrast:
        large = np.clip((log_share - np.log(LARGE)) / np.log(10), 0, 1)
        score = score + chosen.contrast * large * reference.standardise(terms, CONTRAST)
    for name, weight in {
        **chosen.evidence,
        "perimeter": chosen.perimeter,
        MIDDLE: chosen.middle,
    }.items():
        score = score + weight * reference.standardise(terms, name)
    return np.asarray(score, np.float64)


@dataclass(frozen=True)
class Choice:
    """Which regions of an image are shown.

    Attributes:
        threshold: Score that a region must be above.
        size_power: How much a larger region is preferred to the smaller ones that it would replace.
        min_share: Smallest region that is shown, as a share of the image's area.
        limit: Regions of an image at most.
        shared: How much the regions shown that look most alike, of all images, have of the score by which a region has
            its place among them, 0…1.
        crowding: What each better region of the same image takes from that score: what is inspected first is of more
            images.
    """

    threshold: float = 2.0
    size_power: float = 0.15
    min_share: float = 0.002
    limit: int = 50
    shared: float = ALIKE_SHARE
    crowding: float = 0.2


def choose_regions(
    tree: RegionTree, scores: NDArray[np.floating], choice: Choice | None = None
) -> NDArray[np.int64]:
    """Regions to show, none overlapping another: large ``(score - threshold) share^size_power`` goes first.

    Args:
        tree: The regions.
        scores: ``(m,)``.
        choice: Which are shown.

    Returns:
        The regions, ``(k,)``, in the order of their scores.
    """
    chosen = Choice() if choice is None else choice
    share = tree.areas / (tree.size[0] * tree.size[1])
    above = np.where(share >= chosen.min_share, np.asarray(scores) - chosen.threshold, 0.0)
    worth = np.maximum(above, 0.0) * share**chosen.size_power
    taken = without_overlap(tree, worth)
    taken = taken[worth[taken] > 0]
    return taken[np.argsort(-np.asarray(scores)[taken], kind="stable")][: chosen.limit]


def order_scores(scores: NDArray[np.floating], choice: Choice | None = None) -> NDArray[np.float64]:
    """By what the regions shown of an image are put in order with those of other images.

    Args:
        scores: Of the regions of the image that are shown, ``(k,)``.
        choice: Which are shown.

    Returns:
        ``(k,)``: their scores, less what the better ones of the same image take; of equal ones the earlier is better.

    Example:
        >>> order_scores(np.array([4.0, 5.0]), Choice(crowding=0.5)).tolist()
        [3.5, 5.0]
    """
    values = np.asarray(scores, np.float64)
    better = np.empty(len(values))
    better[np.argsort(-values, kind="stable")] = np.arange(len(values))
    return values - (Choice() if choice is None else choice).crowding * better


def _of_regions(terms: Terms, name: str) -> NDArray[np.float64]:
    if name != MIDDLE:
        return _term(terms, name)
    return np.asarray((_term(terms, "top") + _term(terms, "bottom")) / 2, np.float64)


def _term(terms: Terms, name: str) -> NDArray[np.float64]:
    if name not in terms:
        raise TableError(
            f"the score needs the term {name!r} of every region; there are {', '.join(sorted(terms))}"
        )
    return terms[name]
