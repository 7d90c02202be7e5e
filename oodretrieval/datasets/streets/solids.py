"""Things made of flat faces, limbs and foliage, and the shapes they are built from.

A thing is described in its own coordinates: x across, y up from the ground, z along, metres.
:func:`place` turns it and sets it down in the street.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from oodretrieval.datasets.streets.camera import Points
from oodretrieval.datasets.streets.weather import Colour

Grain = Literal["plain", "grain", "cloudy", "fur", "leaf"]


@dataclass(frozen=True)
class Face:
    """A flat polygon.

    Attributes:
        points: Corners, counter-clockwise seen from outside, ``(N, 3)``.
        colour: Colour of the surface.
        layer: Parts of a higher layer are painted over those of a lower one.
        two_sided: Seen from both sides.
        opacity: 1 solid; less lets the background through.
        gloss: Share of the sky mirrored.
        glow: Light of its own, 0…1.
    """

    points: Points
    colour: Colour
    layer: int = 0
    two_sided: bool = False
    opacity: float = 1.0
    gloss: float = 0.0
    glow: float = 0.0


@dataclass(frozen=True)
class Limb:
    """A round bar with two radii, from point to point, ``(2, 3)``, metres."""

    points: Points
    radii: tuple[float, float]
    colour: Colour
    layer: int = 0


@dataclass(frozen=True)
class Foliage:
    """Leaf clumps: centres ``(N, 3)``, radii ``(N,)``, colours ``(N, 3)``, painted in order of depth."""

    points: Points
    radii: NDArray[np.float64]
    colours: NDArray[np.float32]
    layer: int = 0


Part = Face | Limb | Foliage


@dataclass(frozen=True)
class Thing:
    """Something that stands in the street.

    Attributes:
        parts: What it is made of, in street coordinates once placed.
        label: Label id.
        instance: Unique id of countable things, else 0.
        footprint: Width and length on the ground, metres; used for the contact shadow and for keeping distance.
        position: Where it stands, x and z.
        yaw: Its turn, radians.
        grain: Texture over all of it.
        roughness: Strength of that texture, 0…1.
        texel: Size of a texel of that texture, metres.
    """

    parts: tuple[Part, ...]
    label: int
    footprint: tuple[float, float]
    instance: int = 0
    position: tuple[float, float] = (0.0, 0.0)
    yaw: float = 0.0
    grain: Grain = "plain"
    roughness: float = 0.0
    texel: float = 0.01


def place(thing: Thing, x: float, z: float, yaw: float = 0.0, instance: int = 0) -> Thing:
    """Turn a thing around its origin and set it down at (x, z).

    Args:
        thing: In its own coordinates.
        x: Street coordinate across, metres.
        z: Street coordinate along, metres.
        yaw: Turn around the vertical, radians.
        instance: Unique id, or 0.

    Returns:
        The thing in street coordinates.
    """
    c, s = np.cos(yaw), np.sin(yaw)
    turn = np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])
    parts = tuple(replace(part, points=part.points @ turn.T + [x, 0, z]) for part in thing.parts)
    return replace(thing, parts=parts, position=(x, z), yaw=yaw, instance=instance)


def vector(x: float, y: float, z: float) -> NDArray[np.float64]:
    """A point or a shift.

    Args:
        x: To the right, metres.
        y: Up, metres.
        z: Forward, metres.

    Returns:
        ``(3,)``.
    """
    return np.array([x, y, z], float)


def face(points: ArrayLike, colour: Colour, layer: int = 0, **look: float | bool) -> Face:
    """A face from nested lists.

    Args:
        points: Its corners, ``(k, 3)``, metres.
        colour: Channels, 0…1.
        layer: What of a thing lies on top: a higher layer is painted later.
        **look: The other fields of :class:`Face`.

    Returns:
        The face.
    """
    return Face(np.asarray(points, float), colour, layer, **look)  # type: ignore[arg-type]


def limb(
    start: ArrayLike, end: ArrayLike, radii: tuple[float, float], colour: Colour, layer: int = 0
) -> Limb:
    """A limb between two points.

    Args:
        start: x, y, z of one end, metres.
        end: x, y, z of the other, metres.
        radii: Radius at the start and at the end, metres.
        colour: Channels, 0…1.
        layer: As of :func:`face`.

    Returns:
        The limb.
    """
    return Limb(np.array([start, end], float), radii, colour, layer)


def box(
    low: Sequence[float], high: Sequence[float], colour: Colour, layer: int = 0, *, taper: float = 1.0
) -> list[Face]:
    """Five sides of an upright box (no bottom).

    Args:
        low: Lowest x, y, z.
        high: Highest x, y, z.
        colour: Colour of all sides.
        layer: Layer of all sides.
        taper: Size of the top relative to the bottom.

    Returns:
        Front, back, left, right and top.
    """
    (x0, y0, z0), (x1, y1, z1) = low, high
    cx, cz = (x0 + x1) / 2, (z0 + z1) / 2
    base = np.array([[x0, y0, z0], [x1, y0, z0], [x1, y0, z1], [x0, y0, z1]], float)
    top = (base - [cx, 0, cz]) * [taper, 1, taper] + [cx, y1 - y0, cz]
    return [*_walls(base, top, colour, layer), Face(top, colour, layer)]


def lathe(
    profile: Sequence[tuple[float, float, Colour]], sides: int = 14, layer: int = 0, lid: Colour | None = None
) -> list[Face]:
    """A solid of revolution around the vertical.

    Args:
        profile: From bottom to top: radius, height, colour of the ring that begins there.
        sides: Number of faces around.
        layer: Layer of all faces.
        lid: Colour of the top disc; None for none.

    Returns:
        The faces around, ring by ring, and the lid.
    """
    angle = np.arange(sides) * 2 * np.pi / sides
    circle = np.stack([np.cos(angle), np.zeros(sides), np.sin(angle)], axis=1)
    rings = [circle * radius + [0, height, 0] for radius, height, _ in profile]
    faces: list[Face] = []
    for (_, _, shade), low, high in zip(profile, rings, rings[1:], strict=False):
        faces += _walls(low, high, shade, layer)
    if lid is not None:
        faces.append(Face(rings[-1], lid, layer))
    return faces


def _walls(low: Points, high: Points, colour: Colour, layer: int) -> list[Face]:
    after = np.roll(np.arange(len(low)), -1)
    return [
        Face(np.array([low[i], high[i], high[j], low[j]])[::-1], colour, layer)
        for i, j in zip(range(len(low)), after, strict=True)
    ]


def extrude(
    profile: ArrayLike, half_width: float, colour: Colour, layer: int = 0, *, top_width: float = 1.0
) -> list[Face]:
    """A side view drawn out to a body across x.

    Args:
        profile: Outline in (z, y), counter-clockwise seen from the left (z forward is to the right).
        half_width: Half the width at the bottom.
        colour: Colour of all faces.
        layer: Layer of all faces.
        top_width: Width at the highest point relative to the lowest.

    Returns:
        The two sides first (at -x, then at +x), then the strips between them.
    """
    outline = np.asarray(profile, float)
    low, high = outline[:, 1].min(), outline[:, 1].max()
    share = (outline[:, 1] - low) / max(high - low, 1e-6)
    half = half_width * (1 + (top_width - 1) * share)
    left = np.stack([-half, outline[:, 1], outline[:, 0]], axis=1)
    right = left * [-1, 1, 1]
    sides = [Face(left, colour, layer), Face(right[::-1].copy(), colour, layer)]
    return sides + _strips(left, right, colour, layer)


def _strips(left: Points, right: Points, colour: Colour, layer: int) -> list[Face]:
    n = len(left)
    return [
        Face(np.array([left[i], right[i], right[(i + 1) % n], left[(i + 1) % n]]), colour, layer)
        for i in range(n)
    ]


def disc(
    centre: Sequence[float], radius: float, axis: Literal["x", "z"], outwards: int, colour: Colour, layer: int
) -> Face:
    """A flat disc that faces along an axis.

    Args:
        centre: x, y, z, metres.
        radius: Metres.
        axis: Along which it faces.
        outwards: 1 towards positive values of the axis, -1 towards negative ones.
        colour: Channels, 0…1.
        layer: As of :func:`face`.

    Returns:
        A face of 16 corners.
    """
    angle = np.arange(16) * 2 * np.pi / 16 * -outwards
    zero = np.zeros(16)
    around = (
        np.stack([zero, np.cos(angle), np.sin(angle)], axis=1)
        if axis == "x"
        else np.stack([np.cos(angle), np.sin(angle), zero], axis=1)
    )
    return Face(around * radius + np.asarray(centre, float), colour, layer)
