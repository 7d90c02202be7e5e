"""Cars: hatchbacks, saloons, estates, vans and pick-ups."""

from dataclasses import dataclass

import numpy as np

from oodretrieval.datasets.streets.classes import CAR
from oodretrieval.datasets.streets.solids import Face, Part, Thing, box, disc, extrude, face
from oodretrieval.datasets.streets.weather import Colour, colour, varied

Outline = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Shape:
    """Side view of a kind of car, (z, y) in metres, the front towards +z.

    Attributes:
        body: Outline of the lower body, clockwise from the lower rear corner upwards.
        cabin: Outline of the glasshouse: lower rear, upper rear, upper front, lower front.
        width: Metres.
        axles: z of rear and front axle.
    """

    body: Outline
    cabin: Outline
    width: float
    axles: tuple[float, float]


SHAPES = {
    "hatchback": Shape(
        ((-1.95, 0.28), (-2.0, 0.62), (-1.9, 0.95), (0.85, 0.95), (1.75, 0.80), (1.98, 0.62), (1.95, 0.28)),
        ((-1.86, 0.94), (-1.5, 1.46), (0.05, 1.48), (0.95, 0.94)), 1.72, (-1.25, 1.25),
    ),
    "saloon": Shape(
        ((-2.25, 0.28), (-2.32, 0.70), (-2.2, 0.98), (-1.3, 0.98), (0.9, 0.94), (2.05, 0.80), (2.3, 0.60),
         (2.25, 0.28)),
        ((-1.75, 0.96), (-0.95, 1.42), (0.15, 1.43), (1.05, 0.93)), 1.80, (-1.4, 1.4),
    ),
    "estate": Shape(
        ((-2.3, 0.30), (-2.35, 0.7), (-2.25, 1.0), (0.95, 0.97), (2.0, 0.84), (2.25, 0.62), (2.2, 0.30)),
        ((-2.2, 0.98), (-1.85, 1.5), (0.2, 1.5), (1.1, 0.95)), 1.82, (-1.4, 1.4),
    ),
    "offroad": Shape(
        ((-2.1, 0.42), (-2.18, 0.85), (-2.1, 1.14), (0.9, 1.12), (1.95, 1.04), (2.15, 0.8), (2.1, 0.42)),
        ((-2.05, 1.12), (-1.75, 1.76), (0.15, 1.76), (0.98, 1.1)), 1.9, (-1.35, 1.35),
    ),
    "van": Shape(
        ((-2.5, 0.35), (-2.55, 0.8), (-2.52, 1.2), (1.5, 1.2), (2.25, 1.02), (2.45, 0.7), (2.4, 0.35)),
        ((-2.51, 1.18), (-2.45, 2.2), (0.8, 2.2), (1.75, 1.16)), 1.98, (-1.6, 1.6),
    ),
}  # fmt: skip
CHANCES = (0.32, 0.24, 0.16, 0.17, 0.11)
PAINTS = (
    colour(0.86, 0.86, 0.86), colour(0.10, 0.10, 0.11), colour(0.55, 0.57, 0.59), colour(0.30, 0.32, 0.34),
    colour(0.62, 0.07, 0.08), colour(0.10, 0.20, 0.46), colour(0.16, 0.36, 0.60), colour(0.10, 0.28, 0.20),
    colour(0.70, 0.62, 0.48), colour(0.80, 0.62, 0.10), colour(0.74, 0.76, 0.72), colour(0.42, 0.18, 0.14),
)  # fmt: skip
GLASS = colour(0.07, 0.09, 0.11)
RUBBER = colour(0.06, 0.06, 0.065)


def car(rng: np.random.Generator) -> Thing:
    """A car with its front towards +z; shape, paint and lamps by ``rng``."""
    shape = SHAPES[str(rng.choice(list(SHAPES), p=CHANCES))]
    paint = varied(rng, PAINTS, 0.06)
    half = shape.width / 2
    parts: list[Part] = []
    parts += _running_gear(shape, half)
    parts += _glossy(extrude(shape.body, half, paint, 1, top_width=0.95), 0.16)
    parts += _sill(shape, half, paint)
    parts += _cabin(shape, half * 0.95, paint, panelled=shape is SHAPES["van"] and bool(rng.random() < 0.5))
    parts += _ends(rng, shape, half, paint)
    parts += _wheels(rng, shape, half)
    length = shape.body[-1][0] - shape.body[0][0]
    return Thing(tuple(parts), CAR, (shape.width, length), grain="cloudy", roughness=0.16, texel=0.012)


def _glossy(faces: list[Face], gloss: float) -> list[Face]:
    return [Face(f.points, f.colour, f.layer, gloss=gloss) for f in faces]


def _running_gear(shape: Shape, half: float) -> list[Part]:
    low = shape.body[0][1]
    parts: list[Part] = list(
        box(
            (-half * 0.9, 0.14, shape.body[0][0] + 0.2),
            (half * 0.9, low + 0.05, shape.body[-1][0] - 0.2),
            RUBBER * 0.6,
        )
    )
    for axle in shape.axles:
        for inner, outer in ((-half * 0.98, -half + 0.24), (half - 0.24, half * 0.98)):
            parts += box((inner, 0.0, axle - 0.24), (outer, 0.5, axle + 0.24), RUBBER)
    return parts


def _sill(shape: Shape, half: float, paint: Colour) -> list[Part]:
    rear, front = shape.axles
    belt = shape.body[2][1] - 0.02
    parts: list[Part] = []
    for side in (-1, 1):
        x = side * (half + 0.004)
        trim = [(rear + 0.4, 0.30), (front - 0.4, 0.30), (front - 0.4, 0.37), (rear + 0.4, 0.37)]
        parts.append(_flank(trim, x, side, RUBBER, 2))
        for seam in (-0.42, 0.62):
            line = [(seam, 0.4), (seam + 0.025, 0.4), (seam + 0.025, belt), (seam, belt)]
            parts.append(_flank(line, x * 0.985, side, paint * 0.5, 2))
        handle = [(-0.3, belt - 0.15), (-0.12, belt - 0.15), (-0.12, belt - 0.11), (-0.3, belt - 0.11)]
        parts.append(_flank(handle, x * 0.99, side, paint * 0.4, 2))
    return parts


def _flank(
    outline: list[tuple[float, float]], x: float, side: int, shade: Colour, layer: int, gloss: float = 0.0
) -> Face:
    points = [(x, y, z) for z, y in outline]
    return face(points if side > 0 else points[::-1], shade, layer, gloss=gloss)


def _cabin(shape: Shape, half: float, paint: Colour, *, panelled: bool) -> list[Part]:
    faces = extrude(shape.cabin, half, paint, 3, top_width=0.82)
    sides, strips = faces[:2], faces[2:]
    parts: list[Part] = [*_glossy(sides, 0.14), *_glossy(strips, 0.14)]
    for strip in (strips[0], strips[2]):
        if not (panelled and strip is strips[0]):
            parts.append(_inset(strip.points, 0.88, 0.86, GLASS, 4))
    if panelled:
        return parts + [_half_window(side, 0.72, 0.93) for side in sides]
    for side in sides:
        parts += [_half_window(side, 0.07, 0.47), _half_window(side, 0.52, 0.93)]
    return parts


def _half_window(side: Face, start: float, stop: float) -> Face:
    """A window in a side of the cabin, between two shares of its length."""
    corners = side.points[np.argsort(side.points[:, 2])]
    rear, front = (
        sorted(corners[:2].tolist(), key=lambda p: p[1]),
        sorted(corners[2:].tolist(), key=lambda p: p[1]),
    )
    low = np.array([rear[0], front[0]])
    high = np.array([rear[1], front[1]])

    def at(share: float, rise: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        bottom, top = low[0] + share * (low[1] - low[0]), high[0] + share * (high[1] - high[0])
        return np.asarray(bottom + rise * (top - bottom))

    points = np.array([at(start, 0.12), at(stop, 0.12), at(stop, 0.86), at(start, 0.86)])
    outward = 1 if side.points[:, 0].mean() > 0 else -1
    return Face(points if outward > 0 else points[::-1].copy(), GLASS, 4, gloss=0.3)


def _inset(
    points: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    across: float,
    up: float,
    shade: Colour,
    layer: int,
) -> Face:
    middle = points.mean(axis=0)
    return Face(middle + (points - middle) * [across, up, up], shade, layer, gloss=0.35)


def _ends(rng: np.random.Generator, shape: Shape, half: float, paint: Colour) -> list[Part]:
    lit = bool(rng.random() < 0.3)
    parts: list[Part] = []
    for end, sign in ((shape.body[1], -1), (shape.body[-2], 1)):
        z, y = end[0] + 0.015 * sign, end[1]
        bumper = (z, y - 0.32, y - 0.10)
        parts.append(
            _patch(bumper[0], sign, (-half * 0.96, bumper[1]), (half * 0.96, bumper[2]), paint * 0.55, 5)
        )
        parts.append(
            _patch(z + 0.01 * sign, sign, (-0.27, y - 0.27), (0.27, y - 0.15), colour(0.85, 0.85, 0.80), 6)
        )
        if sign > 0:
            parts.append(_patch(z, sign, (-half * 0.5, y - 0.07), (half * 0.5, y + 0.09), RUBBER, 5))
        lamp = colour(0.9, 0.9, 0.86) if sign > 0 else colour(0.62, 0.05, 0.05)
        tall = 0.11 if sign > 0 else 0.17
        for left, right in ((-half * 0.95, -half * 0.58), (half * 0.58, half * 0.95)):
            lamp_face = _patch(z, sign, (left, y - 0.05), (right, y + tall), lamp, 6)
            parts.append(Face(lamp_face.points, lamp, 6, glow=0.7 if lit else 0.15))
    return parts


def _patch(
    z: float, sign: int, low: tuple[float, float], high: tuple[float, float], shade: Colour, layer: int
) -> Face:
    points = [(low[0], low[1], z), (high[0], low[1], z), (high[0], high[1], z), (low[0], high[1], z)]
    return face(points if sign < 0 else points[::-1], shade, layer)


def _wheels(rng: np.random.Generator, shape: Shape, half: float) -> list[Part]:
    radius = rng.uniform(0.31, 0.36)
    rim = colour(0.56, 0.57, 0.58) * rng.uniform(0.5, 1.3)
    parts: list[Part] = []
    for side in (-1, 1):
        for axle in shape.axles:
            parts.append(
                disc((side * (half + 0.004), radius + 0.05, axle), radius + 0.07, "x", side, RUBBER * 0.5, 5)
            )
            parts.append(disc((side * (half + 0.006), radius, axle), radius, "x", side, RUBBER, 6))
            parts.append(disc((side * (half + 0.008), radius, axle), radius * 0.66, "x", side, rim, 7))
            parts.append(disc((side * (half + 0.010), radius, axle), radius * 0.2, "x", side, rim * 0.4, 8))
            for spoke in range(5):
                angle = spoke * 2 * np.pi / 5 + 0.3
                middle = (
                    side * (half + 0.009),
                    radius + 0.42 * radius * np.sin(angle),
                    axle + 0.42 * radius * np.cos(angle),
                )
                parts.append(disc(middle, radius * 0.13, "x", side, rim * 0.35, 8))
    return parts
