"""Trees, bushes and hedges."""

import numpy as np

from oodretrieval.datasets.streets.classes import TREE
from oodretrieval.datasets.streets.solids import Foliage, Part, Thing, limb
from oodretrieval.datasets.streets.weather import Colour, Weather, colour
from oodretrieval.directions import unit_vectors

GREENS = (
    colour(0.22, 0.34, 0.12),
    colour(0.30, 0.40, 0.16),
    colour(0.17, 0.28, 0.14),
    colour(0.36, 0.42, 0.14),
    colour(0.26, 0.36, 0.22),
)
AUTUMN = (colour(0.58, 0.40, 0.12), colour(0.50, 0.27, 0.10))


def tree(rng: np.random.Generator, weather: Weather, leaves: int) -> tuple[Thing, Thing]:
    """A tree of 4 to 11 metres: its wood, and its crown of leaf clumps.

    Args:
        rng: Source of its shape and colour.
        weather: Lights the crown.
        leaves: Number of leaf clumps; fewer suffice far away.

    Returns:
        Wood and crown.
    """
    height = rng.uniform(4.0, 11.0)
    conifer = rng.random() < 0.15
    stem = rng.uniform(0.9, 1.4) if conifer else height * rng.uniform(0.26, 0.42)
    bark = colour(0.32, 0.26, 0.20) * rng.uniform(0.7, 1.3)
    spread = height * (rng.uniform(0.14, 0.2) if conifer else rng.uniform(0.22, 0.36))
    thick = height * rng.uniform(0.014, 0.024)
    lean = rng.normal(0, 0.04, 2) * height
    fork = [lean[0] * 0.4, stem * 1.15, lean[1] * 0.4]
    parts: list[Part] = [limb([0, 0, 0], fork, (thick * 1.25, thick), bark)]
    middle = np.array([lean[0], (stem + height) / 2, lean[1]])
    reach = np.array([spread, (height - stem) / 2, spread])
    if not conifer:
        for angle in rng.uniform(0, 2 * np.pi, 5):
            tip = middle + reach * [np.cos(angle) * 0.6, rng.uniform(-0.1, 0.5), np.sin(angle) * 0.6]
            parts.append(limb(fork, tip, (thick * 0.7, thick * 0.25), bark))
    green = GREENS[rng.integers(len(GREENS))] if rng.random() < 0.85 else AUTUMN[rng.integers(2)]
    crown = _crown(rng, weather, middle, reach, green * rng.uniform(0.8, 1.2), leaves, conifer)
    ground = (thick * 5, thick * 5)
    wood = Thing(tuple(parts), TREE, ground, grain="fur", roughness=0.4, texel=0.012)
    return wood, Thing((crown,), TREE, ground, grain="leaf", roughness=0.5, texel=0.03)


def _crown(
    rng: np.random.Generator,
    weather: Weather,
    middle: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    reach: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    green: Colour,
    leaves: int,
    conifer: bool,
) -> Foliage:
    boughs = unit_vectors(rng.normal(size=(9, 3))) * rng.uniform(0.35, 0.75, (9, 1))
    ball = unit_vectors(rng.normal(size=(leaves, 3)))
    within = boughs[rng.integers(9, size=leaves)] + ball * rng.uniform(0.25, 0.5, (leaves, 1))
    if conifer:
        rise = rng.uniform(-1, 1, leaves)
        within = ball * (1 - rise)[:, None] * 0.55
        within[:, 1] = rise
    facing = within @ weather.sun
    light = weather.skylight * (0.62 + 0.22 * within[:, 1:2]) + weather.sunlight * np.clip(
        0.25 + 0.65 * facing[:, None], 0, 1
    )
    mottle = rng.normal(1.0, 0.14, (leaves, 1)) * rng.normal(1.0, 0.04, (leaves, 3))
    size = reach.mean() * rng.uniform(0.06, 0.17, leaves) * np.sqrt(320 / leaves)
    return Foliage(middle + within * reach, size, np.asarray(green * light * mottle * 1.25, np.float32))


def hedge(rng: np.random.Generator, weather: Weather, length: float, leaves: int) -> Thing:
    """A hedge or a row of bushes along z.

    Args:
        rng: Source of its shape and colour.
        weather: Lights it.
        length: Metres.
        leaves: Number of leaf clumps.

    Returns:
        The hedge, its middle at the origin.
    """
    height, width = rng.uniform(0.7, 1.9), rng.uniform(0.5, 1.1)
    points = rng.uniform([-width / 2, 0.05, -length / 2], [width / 2, height, length / 2], (leaves, 3))
    points[:, 1] += 0.15 * np.sin(points[:, 2] * rng.uniform(1.0, 4.0))
    green = GREENS[rng.integers(len(GREENS))] * rng.uniform(0.8, 1.15)
    light = weather.skylight * (0.5 + 0.4 * points[:, 1:2] / height) + weather.sunlight * (
        0.5 * np.clip(points[:, 1:2] / height - 0.3, 0, 1)
    )
    mottle = rng.normal(1.0, 0.15, (leaves, 1))
    size = rng.uniform(0.1, 0.24, leaves) * np.clip(np.sqrt(length * 60 / leaves), 0.8, 2.0)
    crown = Foliage(points, size, np.asarray(green * light * mottle * 1.3, np.float32))
    return Thing((crown,), TREE, (width, length), grain="leaf", roughness=0.45, texel=0.025)
