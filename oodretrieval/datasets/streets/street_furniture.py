"""Poles and signs: lamp posts, traffic lights, bollards, road signs."""

import numpy as np

from oodretrieval.datasets.streets.classes import POLE, SIGN
from oodretrieval.datasets.streets.solids import Face, Part, Thing, box, disc, face, limb, vector
from oodretrieval.datasets.streets.weather import Colour, colour

METALS = (
    colour(0.42, 0.44, 0.45),
    colour(0.22, 0.26, 0.24),
    colour(0.58, 0.59, 0.60),
    colour(0.14, 0.15, 0.16),
)
RED, BLUE, WHITE = colour(0.78, 0.06, 0.08), colour(0.06, 0.24, 0.62), colour(0.93, 0.93, 0.92)
YELLOW, BLACK, GREEN = colour(0.95, 0.78, 0.10), colour(0.06, 0.06, 0.06), colour(0.05, 0.42, 0.24)


def _metal(rng: np.random.Generator) -> Colour:
    return np.asarray(METALS[rng.integers(len(METALS))] * rng.uniform(0.85, 1.15), dtype=np.float32)


def _standing(parts: list[Part], label: int = POLE) -> Thing:
    return Thing(tuple(parts), label, (0.3, 0.3), grain="cloudy", roughness=0.2, texel=0.01)


def lamp_post(rng: np.random.Generator, inwards: int) -> Thing:
    """A street lamp.

    Args:
        rng: Source of its shape and colour.
        inwards: Where its arm points along x, -1 or 1.

    Returns:
        The thing, standing at the origin.
    """
    metal, tall = _metal(rng), rng.uniform(5.0, 8.5)
    parts: list[Part] = [
        limb([0, 0, 0], [0, 0.9, 0], (0.12, 0.11), metal),
        limb([0, 0.8, 0], [0, tall, 0], (0.085, 0.06), metal),
    ]
    if rng.random() < 0.65:
        reach = rng.uniform(0.9, 2.2) * inwards
        parts.append(limb([0, tall, 0], [reach, tall + 0.35, 0], (0.05, 0.04), metal))
        parts.append(
            limb([reach * 0.8, tall + 0.3, 0], [reach * 1.3, tall + 0.36, 0], (0.10, 0.07), metal * 0.8)
        )
    else:
        parts.append(limb([0, tall, 0], [0, tall + 0.1, 0], (0.2, 0.24), colour(0.85, 0.84, 0.78)))
        parts.append(limb([0, tall + 0.3, 0], [0, tall + 0.36, 0], (0.2, 0.06), metal * 0.8))
    return _standing(parts)


def traffic_light(rng: np.random.Generator) -> Thing:
    """A traffic light on its post, lamps towards -z; colour and lit lamp by ``rng``."""
    metal, lit = _metal(rng), int(rng.integers(3))
    parts: list[Part] = [limb([0, 0, 0], [0, 3.2, 0], (0.075, 0.07), metal)]
    parts += box((-0.17, 2.35, -0.2), (0.17, 3.3, 0.08), colour(0.10, 0.11, 0.10), 1)
    for i, lamp in enumerate((colour(0.1, 0.9, 0.45), colour(1.0, 0.72, 0.1), colour(1.0, 0.12, 0.08))):
        shade = lamp if i == lit else lamp * 0.2
        spot = disc((0, 2.52 + 0.3 * i, -0.21), 0.11, "z", -1, shade, 2)
        parts.append(Face(spot.points, shade, 2, two_sided=False, glow=0.9 if i == lit else 0.0))
    return _standing(parts)


def bollard(rng: np.random.Generator) -> Thing:
    """A low post at the kerb; height and colour by ``rng``."""
    metal, tall = _metal(rng), rng.uniform(0.75, 1.1)
    parts: list[Part] = [limb([0, 0, 0], [0, tall, 0], (0.085, 0.075), metal)]
    parts.append(limb([0, tall * 0.8, 0], [0, tall * 0.88, 0], (0.087, 0.087), WHITE, 1))
    return _standing(parts)


def sign_post(rng: np.random.Generator, height: float) -> Thing:
    """The post that carries a sign.

    Args:
        rng: Source of its colour.
        height: Of the sign's middle, metres.

    Returns:
        The thing, standing at the origin.
    """
    return _standing([limb([0, 0, 0], [0, height + 0.35, 0], (0.045, 0.045), _metal(rng))])


def road_sign(rng: np.random.Generator, height: float) -> Thing:
    """A sign board whose face looks towards -z.

    Args:
        rng: Source of its kind and size.
        height: Height of its middle, metres.

    Returns:
        The thing, without its post.
    """
    size = rng.uniform(0.34, 0.52)
    kind = str(rng.choice(["ban", "order", "warning", "info", "direction", "stop", "way"]))
    makers = {
        "ban": _ban, "order": _order, "warning": _warning, "info": _info,
        "direction": _direction, "stop": _stop, "way": _way,
    }  # fmt: skip
    parts: list[Part] = [*makers[kind](rng, size)]
    rear = disc((0, 0, -0.03), size * 0.95, "z", 1, colour(0.46, 0.47, 0.48), 0)
    parts.append(rear)
    lifted = tuple(
        Face(p.points + vector(0, height, -0.02), p.colour, p.layer, p.two_sided, glow=0.12)
        for p in parts
        if isinstance(p, Face)
    )
    return Thing(lifted, SIGN, (0.1, 0.1), grain="cloudy", roughness=0.12, texel=0.01)


def _round(radius: float, shade: Colour, layer: int) -> Face:
    return disc((0, 0, -0.05 - 0.004 * layer), radius, "z", -1, shade, layer)


def _flat(outline: list[tuple[float, float]], shade: Colour, layer: int) -> Face:
    return face([(x, y, -0.05 - 0.004 * layer) for x, y in outline], shade, layer)


def _bar(left: float, low: float, right: float, high: float, shade: Colour, layer: int) -> Face:
    return _flat([(left, low), (right, low), (right, high), (left, high)], shade, layer)


def _ban(rng: np.random.Generator, s: float) -> list[Face]:
    if rng.random() < 0.3:
        return [_round(s, RED, 1), _bar(-s * 0.65, -s * 0.16, s * 0.65, s * 0.16, WHITE, 2)]
    faces = [_round(s, RED, 1), _round(s * 0.78, WHITE, 2)]
    for x in (-0.3, 0.12):
        faces.append(_bar(x * s, -s * 0.35, (x + 0.24) * s, s * 0.35, BLACK, 3))
    faces.append(_bar(-s * 0.3, -s * 0.1, -s * 0.12, s * 0.1, WHITE, 4) if rng.random() < 0.5 else
                 _bar(s * 0.2, -s * 0.22, s * 0.28, s * 0.22, WHITE, 4))  # fmt: skip
    return faces


def _order(rng: np.random.Generator, s: float) -> list[Face]:
    turn = float(rng.choice([-1, 1]))
    arrow = [(-0.5 * turn, -0.1), (0.1 * turn, -0.1), (0.1 * turn, -0.4), (0.62 * turn, 0.0), (0.1 * turn, 0.4),
             (0.1 * turn, 0.1), (-0.5 * turn, 0.1)]  # fmt: skip
    points = [(x * s, y * s) for x, y in (arrow if turn > 0 else arrow[::-1])]
    return [_round(s, WHITE, 1), _round(s * 0.94, BLUE, 2), _flat(points, WHITE, 3)]


def _warning(rng: np.random.Generator, s: float) -> list[Face]:
    outer = [(-1.1 * s, -0.8 * s), (1.1 * s, -0.8 * s), (0.0, 1.1 * s)]
    inner = [(x * 0.7, y * 0.7 - 0.04 * s) for x, y in outer]
    faces = [_flat(outer, RED, 1), _flat(inner, YELLOW if rng.random() < 0.2 else WHITE, 2)]
    return [
        *faces,
        _bar(-0.09 * s, -0.25 * s, 0.09 * s, 0.3 * s, BLACK, 3),
        _bar(-0.09 * s, -0.45 * s, 0.09 * s, -0.33 * s, BLACK, 3),
    ]


def _info(rng: np.random.Generator, s: float) -> list[Face]:
    faces = [
        _bar(-s * 0.9, -s * 0.9, s * 0.9, s * 0.9, WHITE, 1),
        _bar(-s * 0.84, -s * 0.84, s * 0.84, s * 0.84, BLUE, 2),
    ]
    if rng.random() < 0.5:
        stem = _bar(-s * 0.4, -s * 0.6, -s * 0.15, s * 0.6, WHITE, 3)
        return [
            *faces,
            stem,
            _bar(-s * 0.2, 0.0, s * 0.4, s * 0.6, WHITE, 3),
            _bar(-s * 0.15, s * 0.2, s * 0.18, s * 0.4, BLUE, 4),
        ]
    triangle = _flat([(-s * 0.6, -s * 0.55), (s * 0.6, -s * 0.55), (0.0, s * 0.6)], WHITE, 3)
    return [*faces, triangle, _bar(-s * 0.08, -s * 0.4, s * 0.08, s * 0.15, BLACK, 4)]


def _direction(rng: np.random.Generator, s: float) -> list[Face]:
    board = (YELLOW, BLUE, GREEN, WHITE)[rng.integers(4)]
    ink = BLACK if board is YELLOW or board is WHITE else WHITE
    wide, tall = s * rng.uniform(1.6, 2.6), s * rng.uniform(0.6, 1.1)
    faces = [
        _bar(-wide, -tall, wide, tall, ink, 1),
        _bar(-wide * 0.97, -tall * 0.92, wide * 0.97, tall * 0.92, board, 2),
    ]
    for row in (-0.45, 0.3):
        at = -wide * 0.85
        while at < wide * 0.6:
            step = wide * rng.uniform(0.1, 0.3)
            faces.append(_bar(at, tall * row, at + step, tall * (row + 0.28), ink, 3))
            at += step + wide * 0.06
    return faces


def _stop(rng: np.random.Generator, s: float) -> list[Face]:
    angle = (np.arange(8) + 0.5) * np.pi / 4
    ring = [(float(np.cos(a)) * s, float(np.sin(a)) * s) for a in angle]
    faces = [_flat(ring, WHITE, 1), _flat([(x * 0.92, y * 0.92) for x, y in ring], RED, 2)]
    for x in (-0.62, -0.3, 0.04, 0.36):
        faces.append(_bar(x * s, -0.22 * s, (x + 0.22) * s, 0.22 * s, WHITE, 3))
    return faces


def _way(rng: np.random.Generator, s: float) -> list[Face]:
    del rng
    ring = [(-s, 0.0), (0.0, -s), (s, 0.0), (0.0, s)]
    return [_flat(ring, WHITE, 1), _flat([(x * 0.72, y * 0.72) for x, y in ring], YELLOW, 2)]
