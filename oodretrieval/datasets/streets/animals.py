"""Animals: dogs, deer, cows and horses, standing and walking."""

from dataclasses import dataclass

import numpy as np

from oodretrieval.datasets.streets.classes import ANIMAL
from oodretrieval.datasets.streets.solids import Limb, Thing, limb, vector
from oodretrieval.datasets.streets.weather import Colour, colour


@dataclass(frozen=True)
class Build:
    """Proportions of a kind of animal, in metres.

    Attributes:
        shoulder: Height of the back.
        length: From shoulder to hip.
        girth: Radius of the trunk at the chest.
        neck: Length of the neck.
        rise: Slope of the neck, radians above the horizontal.
        head: Length of head and snout.
        leg: Radius of a leg at the top.
        tail: Length of the tail.
        coats: Colours of the coat.
    """

    shoulder: float
    length: float
    girth: float
    neck: float
    rise: float
    head: float
    leg: float
    tail: float
    coats: tuple[Colour, ...]


BUILDS = {
    "dog": Build(0.66, 0.60, 0.15, 0.24, 0.9, 0.24, 0.060, 0.36,
                 (colour(0.50, 0.34, 0.18), colour(0.14, 0.12, 0.11), colour(0.72, 0.60, 0.42),
                  colour(0.80, 0.78, 0.74))),
    "deer": Build(1.05, 0.85, 0.21, 0.50, 1.05, 0.30, 0.075, 0.15,
                  (colour(0.52, 0.34, 0.20), colour(0.44, 0.31, 0.20))),
    "cow": Build(1.35, 1.25, 0.36, 0.42, 0.25, 0.46, 0.125, 0.75,
                 (colour(0.40, 0.24, 0.15), colour(0.16, 0.14, 0.13), colour(0.80, 0.76, 0.70))),
    "horse": Build(1.50, 1.15, 0.30, 0.78, 0.85, 0.52, 0.115, 0.75,
                   (colour(0.36, 0.20, 0.11), colour(0.18, 0.13, 0.10), colour(0.62, 0.58, 0.54))),
}  # fmt: skip


def animal(rng: np.random.Generator) -> Thing:
    """A four-legged animal that looks towards +z; kind, size and coat by ``rng``."""
    kind = str(rng.choice(list(BUILDS), p=[0.4, 0.3, 0.18, 0.12]))
    build = BUILDS[kind]
    size = rng.uniform(0.85, 1.2)
    coat = np.clip(build.coats[rng.integers(len(build.coats))] * rng.normal(1, 0.06, 3), 0.04, 0.95).astype(
        np.float32
    )
    parts = [*_trunk(build, coat), *_legs(build, coat, rng), *_head(kind, build, coat, rng)]
    if kind == "cow" or rng.random() < 0.25:
        parts += _spots(build, coat, rng)
    parts.append(_tail(kind, build, coat))
    scaled = tuple(
        limb(
            p.points[0] * size, p.points[1] * size, (p.radii[0] * size, p.radii[1] * size), p.colour, p.layer
        )
        for p in parts
    )
    extent = (build.girth * 2.2 * size, (build.length + 0.5 * build.neck) * 1.15 * size)
    return Thing(scaled, ANIMAL, extent, grain="fur", roughness=0.34, texel=0.007)


def _trunk(build: Build, coat: Colour) -> list[Limb]:
    y, half, r = build.shoulder - build.girth, build.length / 2, build.girth
    return [
        limb([0, y, -half], [0, y - 0.02, 0], (r * 0.92, r * 0.95), coat),
        limb([0, y - 0.02, 0], [0, y - 0.03, half], (r * 0.95, r * 1.06), coat),
        limb([0, y - r * 0.45, -half * 0.5], [0, y - r * 0.5, half * 0.8], (r * 0.55, r * 0.7), coat * 1.12),
    ]


def _legs(build: Build, coat: Colour, rng: np.random.Generator) -> list[Limb]:
    stride = build.shoulder * rng.uniform(0.0, 0.24)
    hoof = coat * 0.45
    parts: list[Limb] = []
    for front in (-1, 1):
        for side in (-1, 1):
            swing = stride * side * front
            x, z, top = (
                side * build.girth * 0.55,
                front * build.length * 0.46,
                build.shoulder - build.girth * 1.15,
            )
            knee = [x, top * 0.52, z + swing * 0.45 + 0.05 * build.shoulder * (front < 0) - 0.0]
            foot = [x, 0.05, z + swing - 0.05 * build.shoulder * (front < 0)]
            parts.append(
                limb(
                    [x, top, z],
                    knee,
                    (build.leg * (1.5 if front < 0 else 1.2), build.leg * 0.72),
                    coat * 0.95,
                )
            )
            parts.append(limb(knee, foot, (build.leg * 0.68, build.leg * 0.5), coat * 0.85))
            parts.append(
                limb(foot, [x, 0.035, foot[2] + build.leg * 0.8], (build.leg * 0.62, build.leg * 0.5), hoof)
            )
    return parts


def _head(kind: str, build: Build, coat: Colour, rng: np.random.Generator) -> list[Limb]:
    rise = build.rise + rng.uniform(-0.25, 0.2)
    aside = rng.uniform(-0.25, 0.25) * build.neck
    base = np.array([0, build.shoulder - build.girth * 0.75, build.length / 2 + build.girth * 0.3])
    poll = base + vector(aside, build.neck * np.sin(rise), build.neck * np.cos(rise))
    snout = poll + np.array([aside * 0.4, -0.42 * build.head, 0.9 * build.head])
    thick = build.girth * (0.62 if kind != "cow" else 0.5)
    skull = build.head * (0.36 if kind == "dog" else 0.27)
    dark = colour(0.06, 0.05, 0.05)
    parts: list[Limb] = [
        limb(base, poll, (thick, skull * 0.95), coat),
        limb(poll, snout, (skull, skull * 0.55), coat * 1.04),
        limb(snout, snout + vector(0, 0, skull * 0.3), (skull * 0.4, skull * 0.32), dark),
    ]
    for side in (-1, 1):
        eye = poll * 0.62 + snout * 0.38 + vector(side * skull * 0.75, skull * 0.25, 0)
        parts.append(limb(eye, eye + vector(0, 0, 0.01), (skull * 0.16, skull * 0.16), dark))
        ear = poll + vector(side * skull * 0.75, skull * 0.6, -skull * 0.2)
        droop = rng.uniform(-0.6, 1.2) if kind == "dog" else (0.1 if kind == "cow" else 1.3)
        tip = ear + vector(side * skull * (1.0 if kind != "horse" else 0.2), skull * droop, -skull * 0.1)
        parts.append(limb(ear, tip, (skull * 0.38, skull * 0.14), coat * 0.75))
        if kind == "deer":
            parts += _antler(poll, side, skull)
        if kind == "cow":
            horn = poll + vector(side * skull * 0.6, skull * 0.9, 0)
            parts.append(
                limb(
                    horn,
                    horn + vector(side * skull * 0.7, skull * 0.8, 0),
                    (skull * 0.2, skull * 0.07),
                    colour(0.8, 0.76, 0.66),
                )
            )
    if kind == "horse":
        parts.append(limb(base + vector(0, 0.12, -0.12), poll + vector(0, 0.04, -0.06), (0.09, 0.08), dark))
    return parts


def _antler(poll: np.ndarray[tuple[int, ...], np.dtype[np.float64]], side: int, skull: float) -> list[Limb]:
    bone = colour(0.62, 0.52, 0.38)
    root = poll + vector(side * skull * 0.5, skull * 0.9, -skull * 0.2)
    fork = root + vector(side * 0.16, 0.22, -0.06)
    tips = (
        fork + vector(side * 0.10, 0.26, 0.02),
        fork + vector(side * 0.02, 0.14, 0.14),
        root + vector(side * 0.06, 0.1, 0.14),
    )
    starts = (fork, fork, root)
    return [
        limb(root, fork, (0.028, 0.024), bone),
        *(limb(start, tip, (0.022, 0.012), bone) for start, tip in zip(starts, tips, strict=True)),
    ]


def _spots(build: Build, coat: Colour, rng: np.random.Generator) -> list[Limb]:
    patch = colour(0.86, 0.84, 0.80) if float(coat.mean()) < 0.5 else colour(0.20, 0.15, 0.12)
    parts: list[Limb] = []
    for _ in range(7):
        side, z = float(rng.choice([-1, 1])), rng.uniform(-0.5, 0.5) * build.length
        y = build.shoulder - build.girth * rng.uniform(0.5, 1.5)
        size = build.girth * rng.uniform(0.2, 0.45)
        at = np.array([side * (build.girth * 0.98 - size * 0.55), y, z])
        parts.append(limb(at, at + vector(0, 0, size * 0.6), (size, size * 0.7), patch))
    return parts


def _tail(kind: str, build: Build, coat: Colour) -> Limb:
    root = np.array([0, build.shoulder - build.girth * 0.5, -build.length / 2 - build.girth * 0.8])
    reach = (
        [0, 0.6 * build.tail, -0.7 * build.tail]
        if kind == "dog"
        else [0, -0.95 * build.tail, -0.2 * build.tail]
    )
    return limb(root, root + reach, (build.leg * 0.5, build.leg * 0.3), coat * 0.8)
