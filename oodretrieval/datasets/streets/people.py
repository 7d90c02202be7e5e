"""People: standing and walking, in varying build, clothes and hair."""

from dataclasses import replace

import numpy as np

from oodretrieval.datasets.streets.classes import PERSON
from oodretrieval.datasets.streets.solids import Face, Limb, Part, Thing, box, limb, vector
from oodretrieval.datasets.streets.weather import Colour, colour, varied

SKIN = (
    colour(0.93, 0.74, 0.62),
    colour(0.80, 0.58, 0.44),
    colour(0.55, 0.37, 0.26),
    colour(0.36, 0.24, 0.17),
)
HAIR = (
    colour(0.10, 0.08, 0.07),
    colour(0.28, 0.18, 0.10),
    colour(0.60, 0.46, 0.26),
    colour(0.55, 0.54, 0.52),
)
CLOTHES = (
    colour(0.12, 0.13, 0.17), colour(0.16, 0.22, 0.38), colour(0.55, 0.12, 0.14), colour(0.72, 0.70, 0.66),
    colour(0.30, 0.36, 0.26), colour(0.46, 0.36, 0.26), colour(0.82, 0.66, 0.20), colour(0.20, 0.44, 0.56),
    colour(0.62, 0.38, 0.50), colour(0.34, 0.34, 0.36), colour(0.86, 0.42, 0.18), colour(0.22, 0.24, 0.28),
)  # fmt: skip


def person(rng: np.random.Generator) -> Thing:
    """A person who looks towards +z; build, pose and clothes by ``rng``."""
    size = rng.uniform(0.62, 0.8) if rng.random() < 0.12 else rng.uniform(0.92, 1.08)
    build = rng.uniform(0.85, 1.2)
    walking = rng.random() < 0.68
    stride = rng.uniform(0.25, 0.6) * rng.choice([-1, 1]) if walking else rng.uniform(-0.06, 0.06)
    top, bottom = (varied(rng, CLOTHES, 0.1) for _ in range(2))
    skin = SKIN[rng.integers(len(SKIN))] * rng.uniform(0.9, 1.08)
    garment = str(rng.choice(["trousers", "skirt", "coat"], p=[0.66, 0.14, 0.2]))
    parts = _legs(stride, build, skin if garment == "skirt" else bottom, rng)
    parts += _trunk(garment, build, top, bottom)
    parts += _arms(stride, build, top, skin, rng)
    parts += _head(skin, HAIR[rng.integers(len(HAIR))] * rng.uniform(0.7, 1.2), rng)
    parts += _luggage(rng)
    scaled = tuple(_scaled(part, float(size)) for part in parts)
    return Thing(
        scaled, PERSON, (0.5, 0.4 + abs(float(stride)) * 0.5), grain="cloudy", roughness=0.28, texel=0.008
    )


def _scaled(part: Part, size: float) -> Part:
    if isinstance(part, Limb):
        return Limb(part.points * size, (part.radii[0] * size, part.radii[1] * size), part.colour, part.layer)
    if isinstance(part, Face):
        return Face(part.points * size, part.colour, part.layer)
    return replace(part, points=part.points * size, radii=part.radii * size)


def _legs(stride: float, build: float, cloth: Colour, rng: np.random.Generator) -> list[Part]:
    shoe = colour(0.10, 0.09, 0.09) if rng.random() < 0.7 else colour(0.85, 0.85, 0.85)
    parts: list[Part] = []
    for side in (-1, 1):
        swing = stride * side
        hip = np.array([0.09 * side * build, 0.92, 0.0])
        knee = np.array([0.10 * side * build, 0.50, swing * 0.42 + 0.05 * (abs(stride) > 0.1)])
        lift = 0.09 if swing < -0.15 else 0.0
        foot = np.array([0.10 * side * build, 0.09 + lift, swing * 0.85 - 0.06 * (swing < -0.15)])
        parts.append(limb(hip, knee, (0.095 * build, 0.068 * build), cloth))
        parts.append(limb(knee, foot, (0.066 * build, 0.045 * build), cloth * 0.94))
        parts.append(
            limb(foot + vector(0, -0.045, -0.04), foot + vector(0, -0.05, 0.13), (0.045, 0.038), shoe)
        )
    return parts


def _trunk(garment: str, build: float, top: Colour, bottom: Colour) -> list[Part]:
    parts: list[Part] = []
    for side in (-1, 1):
        shoulder = [0.13 * side * build, 1.38, 0.0]
        parts.append(limb([0.07 * side * build, 0.95, 0], shoulder, (0.115 * build, 0.10 * build), top))
    parts.append(limb([0, 0.95, 0], [0, 1.38, 0], (0.14 * build, 0.12 * build), top))
    if garment == "skirt":
        parts.append(limb([0, 0.58, 0], [0, 0.98, 0], (0.21 * build, 0.14 * build), bottom))
    elif garment == "coat":
        for x in (-0.07, 0.0, 0.07):
            parts.append(limb([x * 1.2, 0.62, 0], [x, 1.0, 0], (0.15 * build, 0.14 * build), top * 0.94))
    else:
        parts.append(limb([-0.05, 0.93, 0], [0.05, 0.93, 0], (0.14 * build, 0.14 * build), bottom))
    return parts


def _arms(stride: float, build: float, cloth: Colour, skin: Colour, rng: np.random.Generator) -> list[Part]:
    bare = rng.random() < 0.3
    bent = rng.uniform(0.0, 0.25)
    parts: list[Part] = []
    for side in (-1, 1):
        swing = -stride * side * 0.7
        shoulder = np.array([0.21 * side * build, 1.38, 0.0])
        elbow = np.array([0.26 * side * build, 1.12, swing * 0.4 - 0.03])
        hand = np.array([0.25 * side * build, 0.88 + bent, swing * 0.8 + 0.06 + bent])
        parts.append(limb(shoulder, elbow, (0.062 * build, 0.05 * build), cloth * 0.92))
        parts.append(limb(elbow, hand, (0.046 * build, 0.036), skin if bare else cloth * 0.92))
        parts.append(limb(hand, hand + vector(0, -0.06, 0.01), (0.038, 0.034), skin))
    return parts


def _head(skin: Colour, hair: Colour, rng: np.random.Generator) -> list[Part]:
    parts: list[Part] = [
        limb([0, 1.42, 0], [0, 1.55, 0.01], (0.055, 0.05), skin * 0.9),
        limb([0, 1.58, 0.02], [0, 1.66, 0.01], (0.078, 0.092), skin),
        limb([0, 1.66, -0.03], [0, 1.70, -0.02], (0.098, 0.092), hair),
    ]
    if rng.random() < 0.4:
        parts.append(limb([0, 1.64, -0.06], [0, 1.45, -0.07], (0.085, 0.07), hair))
    if rng.random() < 0.2:
        hat = varied(rng, CLOTHES, 0.1)
        parts.append(limb([-0.03, 1.73, 0], [0.03, 1.73, 0], (0.098, 0.098), hat, 1))
    return parts


def _luggage(rng: np.random.Generator) -> list[Part]:
    chance, cloth = rng.random(), varied(rng, CLOTHES, 0.1)
    if chance < 0.22:
        return [limb([0, 1.05, -0.19], [0, 1.32, -0.18], (0.15, 0.13), cloth)]
    if chance < 0.38:
        return list(box((0.24, 0.45, -0.05), (0.34, 0.78, 0.25), cloth))
    return []
