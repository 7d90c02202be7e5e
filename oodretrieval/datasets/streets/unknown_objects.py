"""Objects that the network is never taught: cones, crates, trolleys, boulders, benches, barrels and bins."""

from collections.abc import Callable

import numpy as np

from oodretrieval.datasets.streets.animals import animal
from oodretrieval.datasets.streets.classes import (
    ANIMAL,
    BARREL,
    BENCH,
    BIN,
    BOULDER,
    CONE,
    CRATE,
    TROLLEY,
)
from oodretrieval.datasets.streets.solids import (
    Face,
    Part,
    Thing,
    box,
    disc,
    face,
    lathe,
    limb,
    place,
    vector,
)
from oodretrieval.datasets.streets.weather import Colour, colour
from oodretrieval.directions import unit_vectors

WOODS = (
    colour(0.66, 0.48, 0.28),
    colour(0.52, 0.36, 0.20),
    colour(0.74, 0.58, 0.38),
    colour(0.44, 0.33, 0.22),
)
STEEL = colour(0.66, 0.68, 0.70)


def cone(rng: np.random.Generator) -> Thing:
    """A striped traffic cone on its foot; size and colours by ``rng``."""
    tall = rng.uniform(0.7, 1.25)
    orange = colour(0.95, 0.36, 0.07) * rng.uniform(0.88, 1.06)
    white = colour(0.92, 0.92, 0.90)
    base = tall * 0.235
    parts: list[Part] = [
        *box(
            (-base * 1.35, 0, -base * 1.35),
            (base * 1.35, 0.06 * tall, base * 1.35),
            orange * rng.uniform(0.3, 0.9),
        )
    ]
    steps = np.linspace(0, 1, 6 if rng.random() < 0.6 else 4)
    rings = [
        (base * (1 - s) + 0.04 * tall * s, tall * (0.06 + 0.94 * s), white if i % 2 else orange)
        for i, s in enumerate(steps.tolist())
    ]
    parts += lathe(rings, 16, 1, lid=orange * 0.4)
    return Thing(tuple(parts), CONE, (base * 2.6, base * 2.6), grain="cloudy", roughness=0.2, texel=0.006)


def crate(rng: np.random.Generator) -> Thing:
    """One to three wooden crates of planks, stacked; number, size and wood by ``rng``."""
    parts: list[Part] = []
    count, low = int(rng.choice([1, 2, 3], p=[0.6, 0.32, 0.08])), 0.0
    wood = WOODS[rng.integers(len(WOODS))] * rng.uniform(0.9, 1.15)
    side = rng.uniform(0.7, 1.15)
    for layer in range(count):
        tall = side * rng.uniform(0.6, 0.95) / (1 + 0.25 * (count - 1))
        shift, yaw = rng.uniform(-0.06, 0.06), rng.uniform(-0.25, 0.25) * (layer > 0)
        own = Thing(tuple(_crate_faces(rng, side, tall, wood, 3 * layer)), CRATE, (side, side))
        turned = place(own, shift, shift, yaw).parts
        parts += [
            Face(p.points + vector(0, low, 0), p.colour, p.layer) for p in turned if isinstance(p, Face)
        ]
        low, side = low + tall, side * rng.uniform(0.8, 1.0)
    return Thing(tuple(parts), CRATE, (side * 1.1, side * 1.1), grain="cloudy", roughness=0.35, texel=0.008)


def _crate_faces(rng: np.random.Generator, side: float, tall: float, wood: Colour, layer: int) -> list[Face]:
    h = side / 2
    faces = list(box((-h, 0, -h), (h, tall, h), wood * 0.22, layer))
    planks = int(rng.integers(3, 5))
    for around in range(4):
        turn = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1]], float)
        c, s = np.cos(around * np.pi / 2), np.sin(around * np.pi / 2)
        turn[0, 0], turn[0, 2], turn[2, 0], turn[2, 2] = c, s, -s, c
        boards = []
        for k in range(planks):
            low, high = (k + 0.06) * tall / planks, (k + 0.94) * tall / planks
            boards.append((-h, low, h, high, wood * rng.uniform(0.82, 1.15), layer + 1))
        for left, right in ((-h, -h * 0.76), (h * 0.76, h)):
            boards.append((left, 0.0, right, tall, wood * 1.12, layer + 2))
        for x0, y0, x1, y1, shade, level in boards:
            out = -h - 0.012 * (level - layer)
            points = np.array([[x0, y0, out], [x1, y0, out], [x1, y1, out], [x0, y1, out]]) @ turn.T
            faces.append(Face(points, np.asarray(shade, np.float32), level))
        brace = np.array([[-h * 0.76, 0.02, -h - 0.03], [-h * 0.5, 0.02, -h - 0.03],
                          [h * 0.76, tall - 0.02, -h - 0.03], [h * 0.5, tall - 0.02, -h - 0.03]])  # fmt: skip
        faces.append(Face(brace @ turn.T, wood * 0.98, layer + 2))
    for k in range(4):
        x0, x1 = -h + (k + 0.05) * side / 4, -h + (k + 0.95) * side / 4
        faces.append(
            face(
                [(x0, tall, -h), (x1, tall, -h), (x1, tall, h), (x0, tall, h)],
                wood * rng.uniform(0.9, 1.15),
                layer + 1,
            )
        )
    return faces


def trolley(rng: np.random.Generator) -> Thing:
    """A shopping trolley, its basket of wire, with frame, handle and four castors; colours by ``rng``."""
    metal = STEEL * rng.uniform(0.85, 1.1)
    grip = np.asarray(rng.uniform(0.05, 0.85, 3), np.float32)
    low = [(-0.20, 0.42, -0.36), (0.20, 0.42, -0.36), (0.17, 0.50, 0.42), (-0.17, 0.50, 0.42)]
    high = [(-0.29, 0.98, -0.46), (0.29, 0.98, -0.46), (0.24, 0.90, 0.52), (-0.24, 0.90, 0.52)]
    lower, upper = np.array(low), np.array(high)
    parts: list[Part] = [Face(lower, metal * 0.7, 0, two_sided=True, opacity=0.45)]
    for i in range(4):
        j = (i + 1) % 4
        parts.append(
            Face(
                np.array([lower[i], lower[j], upper[j], upper[i]]),
                metal * 0.8,
                0,
                two_sided=True,
                opacity=0.42,
            )
        )
        for share in np.linspace(0, 1, 9):
            start, end = lower[i] + share * (lower[j] - lower[i]), upper[i] + share * (upper[j] - upper[i])
            parts.append(limb(start, end, (0.008, 0.008), metal, 1))
        for share in (0.0, 0.28, 0.55, 0.8, 1.0):
            start, end = lower[i] + share * (upper[i] - lower[i]), lower[j] + share * (upper[j] - lower[j])
            thick = 0.018 if share == 1.0 else 0.008
            parts.append(limb(start, end, (thick, thick), metal, 1))
    for x in (-0.24, 0.24):
        parts.append(limb([x, 0.98, -0.46], [x, 1.06, -0.60], (0.016, 0.016), metal, 1))
        parts.append(limb([x, 0.96, -0.42], [x, 0.18, -0.34], (0.016, 0.016), metal, 1))
        parts.append(limb([x, 0.18, -0.34], [x * 0.8, 0.18, 0.46], (0.016, 0.016), metal, 1))
        for z in (-0.34, 0.46):
            parts.append(limb([x * 0.95, 0.18, z], [x * 0.95, 0.07, z], (0.02, 0.02), metal * 0.6, 1))
            parts.append(
                limb(
                    [x * 0.95 - 0.02, 0.065, z],
                    [x * 0.95 + 0.02, 0.065, z],
                    (0.065, 0.065),
                    colour(0.08, 0.08, 0.08),
                    1,
                )
            )
    parts.append(limb([-0.28, 1.06, -0.60], [0.28, 1.06, -0.60], (0.026, 0.026), grip, 2))
    return Thing(tuple(parts), TROLLEY, (0.6, 1.1), grain="plain")


def boulder(rng: np.random.Generator) -> Thing:
    """A rock: a bumpy ball, sunk a little into the ground; shape and colour by ``rng``."""
    rows, columns = 12, 22
    bumps = unit_vectors(rng.normal(size=(14, 3)))
    depth = rng.uniform(-0.16, 0.22, 14)
    polar = np.linspace(0.02, np.pi - 0.02, rows)[:, None]
    around = np.linspace(0, 2 * np.pi, columns, endpoint=False)[None, :]
    ball = np.stack(
        [np.sin(polar) * np.cos(around), np.cos(polar) + 0 * around, np.sin(polar) * np.sin(around)], axis=-1
    )
    radius = (
        1 + (np.exp(5 * (ball @ bumps.T - 1)) * depth).sum(axis=-1) + rng.normal(0, 0.03, (rows, columns))
    )
    extent = np.array([rng.uniform(0.5, 0.85), rng.uniform(0.4, 0.62), rng.uniform(0.5, 0.85)])
    points = ball * radius[..., None] * extent + [0, extent[1] * 0.62, 0]
    points[..., 1] = np.maximum(points[..., 1], 0.0)
    grey = colour(0.52, 0.50, 0.47) * rng.uniform(0.72, 1.2) * rng.normal(1.0, 0.05, 3).astype(np.float32)
    parts: list[Part] = []
    for i in range(rows - 1):
        for j in range(columns):
            k = (j + 1) % columns
            quad = np.array([points[i + 1, j], points[i + 1, k], points[i, k], points[i, j]])
            parts.append(Face(quad, np.asarray(grey * rng.uniform(0.86, 1.14), np.float32)))
    return Thing(
        tuple(parts), BOULDER, (2 * extent[0], 2 * extent[2]), grain="cloudy", roughness=0.95, texel=0.01
    )


def bench(rng: np.random.Generator) -> Thing:
    """A park bench of wooden slats, whose seat is reached from -z; width and colours by ``rng``."""
    wide = rng.uniform(1.4, 2.0) / 2
    wood = WOODS[rng.integers(len(WOODS))] * rng.uniform(0.85, 1.2)
    iron = colour(0.12, 0.13, 0.13) if rng.random() < 0.6 else colour(0.45, 0.45, 0.43)
    parts: list[Part] = []
    for x in (-wide * 0.82, wide * 0.82):
        parts.append(limb([x, 0, -0.22], [x, 0.42, -0.22], (0.035, 0.035), iron))
        parts.append(limb([x, 0, 0.24], [x, 0.88, 0.32], (0.035, 0.03), iron))
        parts.append(limb([x, 0.62, -0.22], [x, 0.62, 0.24], (0.03, 0.03), iron))
        parts.append(limb([x, 0.42, -0.22], [x, 0.62, -0.22], (0.03, 0.03), iron))
    for z in (-0.22, -0.10, 0.02, 0.14):
        parts += box((-wide, 0.41, z), (wide, 0.46, z + 0.095), wood * rng.uniform(0.9, 1.12))
    for k in range(3):
        low, back = 0.55 + 0.13 * k, 0.25 + 0.03 * k
        parts += box((-wide, low, back), (wide, low + 0.105, back + 0.04), wood * rng.uniform(0.9, 1.12))
    return Thing(tuple(parts), BENCH, (2 * wide, 0.6), grain="fur", roughness=0.35, texel=0.006)


def barrel(rng: np.random.Generator) -> Thing:
    """A steel drum with hoops; size and paint by ``rng``."""
    paints = (
        colour(0.08, 0.26, 0.60),
        colour(0.16, 0.42, 0.22),
        colour(0.50, 0.26, 0.14),
        colour(0.72, 0.10, 0.08),
    )
    paint = paints[rng.integers(4)] * rng.uniform(0.85, 1.15)
    radius, tall = rng.uniform(0.28, 0.36), rng.uniform(0.85, 1.05)
    rings: list[tuple[float, float, Colour]] = []
    for share in (0.0, 0.32, 0.65, 0.97):
        bright = np.asarray(paint * 1.35, np.float32)
        rings += [(radius * 1.05, tall * share, bright), (radius * 1.05, tall * (share + 0.03), paint * 0.7)]
        rings += [(radius, tall * (share + 0.045), paint)]
    rings = [*rings[:-1], (radius, tall, paint)]
    parts: list[Part] = [*lathe(rings, 18, lid=paint * 0.75)]
    parts.append(face(_ring(0.05, tall + 0.005, radius * 0.5), paint * 0.25, 1, two_sided=True))
    return Thing(tuple(parts), BARREL, (2 * radius, 2 * radius), grain="cloudy", roughness=0.55, texel=0.01)


def _ring(radius: float, height: float, shift: float) -> list[tuple[float, float, float]]:
    return [
        (shift + radius * float(np.cos(a)), height, radius * float(np.sin(a))) for a in np.linspace(0, 6, 10)
    ]


def wheelie_bin(rng: np.random.Generator) -> Thing:
    """A dustbin on two wheels with a lid, its front towards -z; size and colours by ``rng``."""
    bodies = (
        colour(0.12, 0.30, 0.16),
        colour(0.16, 0.17, 0.18),
        colour(0.32, 0.22, 0.14),
        colour(0.12, 0.20, 0.42),
    )
    body = bodies[rng.integers(4)] * rng.uniform(0.85, 1.2)
    lids = (body * 1.25, colour(0.80, 0.66, 0.08), colour(0.12, 0.30, 0.62), colour(0.55, 0.10, 0.10))
    lid = np.asarray(lids[rng.integers(4)], np.float32)
    tall, half = rng.uniform(0.9, 1.1), rng.uniform(0.26, 0.34)
    parts: list[Part] = [
        *box((-half * 0.82, 0.05, -half * 0.82), (half * 0.82, tall, half * 0.82), body, 0, taper=1.22)
    ]
    for side in (-1, 1):
        parts.append(
            disc((side * half * 0.9, 0.11, half * 0.8), 0.11, "x", side, colour(0.05, 0.05, 0.05), 2)
        )
        x = side * half * 0.45
        parts += box((x - 0.02, 0.12, -half * 0.97), (x + 0.02, tall * 0.9, -half * 0.85), body * 0.8, 1)
    top = [(-half * 1.05, tall, -half * 1.15), (half * 1.05, tall, -half * 1.15)]
    parts += box((top[0][0], tall - 0.02, top[0][2]), (top[1][0], tall + 0.08, half * 1.1), lid, 3, taper=0.9)
    parts.append(
        limb(
            [-half * 0.8, tall + 0.02, half * 1.25],
            [half * 0.8, tall + 0.02, half * 1.25],
            (0.03, 0.03),
            lid * 0.8,
            2,
        )
    )
    return Thing(tuple(parts), BIN, (2 * half, 2 * half), grain="cloudy", roughness=0.25, texel=0.01)


MAKERS: dict[int, Callable[[np.random.Generator], Thing]] = {
    ANIMAL: animal, CONE: cone, CRATE: crate, TROLLEY: trolley,
    BOULDER: boulder, BENCH: bench, BARREL: barrel, BIN: wheelie_bin,
}  # fmt: skip
"""Label id of an unknown kind → what makes one."""
