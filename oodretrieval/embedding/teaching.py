"""Directions along which the classes of labelled things differ, in every scene alike."""

import numpy as np
from numpy.typing import NDArray

from oodretrieval.directions import unit_vectors

DIRECTIONS = 48
PRINCIPAL = 384
"""Components in which the scatters are found: more things than that are seldom at hand."""
FEWEST = 3
"""Things of a class in a scene that say how a class scatters."""
_LEAST = 1e-9
"""Of all variance; the rest is rounding."""


def taught_directions(
    vectors: NDArray[np.floating],
    classes: NDArray[np.str_],
    scenes: NDArray[np.str_],
    number: int = DIRECTIONS,
) -> NDArray[np.float64]:
    """Linear discriminants with shrinkage, the longer the more they distinguish.

    A class is that of its scene: light and street differ from scene to scene, and names may mean different things. Of
    each, the scatter within weighs as the square root of its size. What is within is shrunk by as much as its mean
    variance, and a direction is as long as the fourth root of the ratio of the scatters. Together they are as long as
    the vectors.

    Args:
        vectors: Of labelled things, ``(n, D)``, finite.
        classes: Their names, ``(n,)``.
        scenes: Where each was seen, ``(n,)``.
        number: Most directions, >= 1; always fewer than there are classes of scenes.

    Returns:
        ``(D, k)``; unit vectors times this are what is to stand next to them.

    Raises:
        ValueError: If fewer than two classes of a scene have enough things, or they do not differ.

    Source:
        Friedman, "Regularized discriminant analysis", Journal of the American Statistical Association 84, 1989.
    """
    units = unit_vectors(np.asarray(vectors, np.float64))
    for scene in np.unique(scenes):
        units[scenes == scene] -= units[scenes == scene].mean(axis=0)
    _, axes = np.linalg.eigh(units.T @ units)
    axes = axes[:, ::-1][:, :PRINCIPAL]
    turned = units @ axes
    within, between, groups = _scatters(turned, np.char.add(np.char.add(scenes, "|"), classes))
    variances, own_axes = np.linalg.eigh(within)
    least = float(np.trace(between) + np.trace(within)) * _LEAST
    if not np.trace(between) > least > 0:
        raise ValueError("the classes do not differ; at least two of a scene must")
    spread = np.maximum(variances, 0) + max(float(variances.mean()), least)
    whitened = (own_axes * spread**-0.5) @ own_axes.T
    ratios, best = np.linalg.eigh(whitened @ between @ whitened)
    kept = np.argsort(-ratios)[: min(number, groups - 1)]
    kept = kept[ratios[kept] > _LEAST * ratios.max()]
    directions: NDArray[np.float64] = axes @ whitened @ (best[:, kept] * ratios[kept] ** 0.25)
    lengths = np.square(units).sum() / np.square(units @ directions).sum()
    scaled: NDArray[np.float64] = directions * np.sqrt(lengths)
    return scaled


def _scatters(
    rows: NDArray[np.float64], groups: NDArray[np.str_]
) -> tuple[NDArray[np.float64], NDArray[np.float64], int]:
    """Scatter within and between groups, ``(d, d)`` each, and how many groups are large enough."""
    names, counts = np.unique(groups, return_counts=True)
    names, counts = names[counts >= FEWEST], counts[counts >= FEWEST]
    if len(names) < 2:
        raise ValueError(
            f"at least two classes must have {FEWEST} things or more in a scene, got {len(names)}"
        )
    weights = counts**0.5 / (counts**0.5).sum()
    means, within = np.empty((len(names), rows.shape[1])), np.zeros((rows.shape[1],) * 2)
    for place, (name, count, weight) in enumerate(zip(names, counts, weights, strict=True)):
        of_group = rows[groups == name]
        means[place] = of_group.mean(axis=0)
        apart = of_group - means[place]
        within += weight * (apart.T @ apart) / (count - 1)
    about = means - weights @ means
    return within, (about * weights[:, None]).T @ about, len(names)
