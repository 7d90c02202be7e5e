"""Road and pavement: their layout across the street, texture, markings, wear, and the shadows on them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from oodretrieval.datasets.streets import noise
from oodretrieval.datasets.streets.camera import NEAR, Camera
from oodretrieval.datasets.streets.canvas import Canvas, stroke
from oodretrieval.datasets.streets.classes import PAVEMENT, ROAD
from oodretrieval.datasets.streets.noise import Map
from oodretrieval.datasets.streets.solids import Face, Foliage, Limb, Part, Thing
from oodretrieval.datasets.streets.weather import Colour


@dataclass(frozen=True)
class Ground:
    """The street's floor.

    Attributes:
        half: Half the width of the road, metres.
        pavement: Width of each pavement, metres.
        lanes: Number of lanes.
        crossing: z at which a cross street begins and ends; None for none.
        zebra: z of a zebra crossing; None for none.
        bays: Lines of parking bays on either side.
        asphalt: Colour of the road.
        paving: Colour of the pavement.
        slab: Width and length of a paving stone, metres.
        cobbled: The road is paved with stones.
        wear: How worn road and markings are, 0…1.
        paint: Colour of the markings.
        patches: Repaired rectangles: x, z, width, length, change of brightness, ``(P, 5)``.
        offset: Where in the noise tiles the texture is taken from, texels.
    """

    half: float
    pavement: float
    lanes: int
    crossing: tuple[float, float] | None
    zebra: float | None
    bays: bool
    asphalt: Colour
    paving: Colour
    slab: tuple[float, float]
    cobbled: bool
    wear: float
    paint: Colour
    patches: NDArray[np.float64]
    offset: tuple[float, float]

    @property
    def lane_width(self) -> float:
        """Metres from line to line."""
        return 2 * self.half / self.lanes


def paint_ground(canvas: Canvas, ground: Ground, things: Sequence[Thing]) -> None:
    """Paint everything below the horizon, with the shadows that things cast.

    Args:
        canvas: Only the sky is on it.
        ground: The floor.
        things: Everything that stands on it.
    """
    below, x, z = canvas.camera.ground()
    pixel = np.maximum(z, 1.0) / canvas.camera.focal
    reach = z * pixel / canvas.camera.elevation
    road = np.abs(x) < ground.half
    if ground.crossing:
        road |= (z > ground.crossing[0]) & (z < ground.crossing[1])
    colours = np.empty((len(x), 3), np.float32)
    colours[road] = _road(ground, x[road], z[road], pixel[road], reach[road])
    colours[~road] = _pavement(ground, x[~road], z[~road], pixel[~road], reach[~road])
    weather = canvas.weather
    shade, contact = (layer[below][:, None] for layer in _shadows(canvas, things))
    up = np.array([0.0, 1.0, 0.0])
    sunny = weather.on(up)
    shady = np.asarray(weather.skylight * 0.9 * (1 - 0.25 * weather.shadow))
    light = sunny + (np.minimum(shady, sunny) - sunny) * shade * min(1.0, weather.shadow * 1.4)
    colours = colours * light * (1 - 0.6 * contact)
    haze = (1 - np.exp(-z / weather.visibility))[:, None].astype(np.float32)
    canvas.colours[below] = colours * (1 - haze) + weather.horizon * haze
    canvas.labels[below] = np.where(road, ROAD, PAVEMENT)


def _line(distance: Map, half_width: float, footprint: Map) -> Map:
    edge = np.maximum(footprint, 0.01)
    return np.asarray(
        np.clip((half_width - np.abs(distance)) / edge + 0.5, 0, 1) * np.minimum(1, half_width * 2 / edge)
    )


def _fade(footprint: Map, size: float) -> Map:
    return np.asarray(1 / (1 + (footprint / size) ** 2), dtype=np.float32)


def _road(ground: Ground, x: Map, z: Map, pixel: Map, reach: Map) -> NDArray[np.float32]:
    a, b = ground.offset
    fine = noise.nearest(noise.grainy(), x / 0.012 + a, z / 0.012 + b) - 0.5
    broad = noise.smooth(noise.cloudy(6), x / 0.09 + a, z / 0.16 + b) - 0.5
    value = 1 + 0.34 * fine * _fade(pixel, 0.02) + 0.5 * ground.wear * broad
    lane = np.mod(x + ground.half, ground.lane_width) / ground.lane_width
    track = np.exp(-(((lane - 0.28) / 0.1) ** 2)) + np.exp(-(((lane - 0.72) / 0.1) ** 2))
    value -= 0.10 * track * (0.6 + broad)
    for px, pz, width, length, change in ground.patches:
        value += change * ((np.abs(x - px) < width) & (np.abs(z - pz) < length))
    if ground.cobbled:
        value *= 1 - 0.4 * _joints(x, z, 0.16, 0.16, 0.02) * _fade(reach, 0.16)
    else:
        ridge = np.abs(noise.smooth(noise.cloudy(5), x / 0.05 + b, z / 0.06 + a) - 0.5)
        value *= 1 - 0.5 * ground.wear * _line(ridge, 0.006, pixel * 0.15) * (broad > 0.0)
    drain = np.clip(np.abs(x) - ground.half + 0.35, 0, 0.35) / 0.35
    value *= 1 - 0.22 * drain
    colours = ground.asphalt * value[:, None]
    if not ground.cobbled:
        worn = noise.step(
            broad + 0.5 + 0.5 * fine, 0.25 + 0.35 * (1 - ground.wear) - 0.35, 0.75 - 0.5 * (1 - ground.wear)
        )
        alpha = _markings(ground, x, z, pixel, reach) * (1 - ground.wear * (1 - worn))
        colours += (ground.paint * (1 + 0.2 * fine[:, None]) - colours) * (0.92 * alpha)[:, None]
    return np.asarray(colours, dtype=np.float32)


def _markings(ground: Ground, x: Map, z: Map, pixel: Map, reach: Map) -> Map:
    alpha = np.zeros_like(x)
    free = np.ones_like(x)
    if ground.crossing:
        free = ((z < ground.crossing[0] - 1) | (z > ground.crossing[1] + 1)).astype(np.float32)
    dash = np.clip((1.5 - np.abs(np.mod(z, 7.5) - 3.0)) / np.maximum(reach, 0.02) + 0.5, 0, 1)
    far = np.clip(1.5 - reach / 5, 0, 1)
    dash = dash * far + 0.4 * (1 - far)
    for i in range(1, ground.lanes):
        centre = -ground.half + i * ground.lane_width
        alpha = np.maximum(alpha, _line(x - centre, 0.07, pixel) * dash * free)
    if ground.bays:
        edge = ground.half - 2.1
        side = (np.abs(x) > edge) & (np.abs(x) < ground.half - 0.1)
        alpha = np.maximum(alpha, _line(np.abs(x) - edge, 0.05, pixel) * free)
        alpha = np.maximum(alpha, side * _line(np.mod(z, 5.5) - 2.75, 0.05, reach) * free)
    else:
        alpha = np.maximum(alpha, _line(np.abs(x) - ground.half + 0.28, 0.06, pixel) * free)
    if ground.zebra is not None:
        inside = np.clip((1.6 - np.abs(z - ground.zebra)) / np.maximum(reach, 0.02) + 0.5, 0, 1)
        bars = _line(np.mod(x, 1.0) - 0.5, 0.25, pixel)
        near = np.abs(z - ground.zebra) < 2.6
        alpha = np.where(near, inside * bars * (np.abs(x) < ground.half - 0.3), alpha)
        stop = _line(z - ground.zebra + 3.2, 0.2, reach) * ((x > 0) & (x < ground.half - 0.3))
        alpha = np.maximum(alpha, stop)
    return np.asarray(alpha, dtype=np.float32)


def _joints(x: Map, z: Map, width: float, length: float, gap: float) -> Map:
    row = np.floor(z / length)
    across = np.mod(x + 0.5 * width * np.mod(row, 2), width)
    along = np.mod(z, length)
    return np.asarray((across < gap) | (along < gap), dtype=np.float32)


def _pavement(ground: Ground, x: Map, z: Map, pixel: Map, reach: Map) -> NDArray[np.float32]:
    a, b = ground.offset
    width, length = ground.slab
    fine = noise.nearest(noise.grainy(), x / 0.012 + b, z / 0.012 + a) - 0.5
    broad = noise.smooth(noise.cloudy(6), x / 0.05 + b, z / 0.05 + a) - 0.5
    row, column = np.floor(z / length), np.floor(x / width)
    stone = noise.nearest(noise.grainy(), column * 37 + row * 11, row * 53 + column * 7) - 0.5
    crisp = _fade(reach, length) * _fade(pixel, width)
    value = 1 + 0.2 * fine * _fade(pixel, 0.02) + 0.4 * broad + 0.24 * stone * crisp
    value *= 1 - 0.35 * _joints(x, z, width, length, 0.014 + 0.02 * width) * crisp
    outside = np.abs(x) - ground.half
    kerb = outside < 0.17
    value = np.where(
        kerb, (1.16 + 0.16 * fine) * (1 - 0.3 * (np.mod(z, 1.0) < 0.02) * _fade(reach, 0.3)), value
    )
    value *= 1 - 0.45 * np.clip(1 - outside / 0.03, 0, 1)
    value *= 1 - 0.2 * np.clip((outside - ground.pavement + 0.7) / 0.7, 0, 1)
    return np.asarray(ground.paving * value[:, None], dtype=np.float32)


def _shadows(canvas: Canvas, things: Sequence[Thing]) -> tuple[Map, Map]:
    camera = canvas.camera
    size = (camera.width // 2, camera.height // 2)
    cast, contact = Image.new("L", size), Image.new("L", size)
    cast_pen, contact_pen = ImageDraw.Draw(cast), ImageDraw.Draw(contact)
    for thing in things:
        if canvas.weather.shadow > 0:
            for part in thing.parts:
                _cast(cast_pen, camera, part, canvas.weather.sun)
        for grow, dark in ((0.35, 60), (0.16, 130), (0.0, 210)):
            outline = camera.polygon(_footprint(thing, grow)) / 2
            if len(outline) > 2:
                contact_pen.polygon([(x, y) for x, y in outline], fill=dark)
    layers = (ndimage.gaussian_filter(np.asarray(layer, np.float32) / 255, blur) for layer, blur in
              ((cast, 0.7), (contact, 1.0)))  # fmt: skip
    wide = [np.repeat(np.repeat(layer, 2, axis=0), 2, axis=1) for layer in layers]
    return wide[0], wide[1]


def _footprint(thing: Thing, grow: float) -> NDArray[np.float64]:
    width, length = (extent / 2 * (1 + grow) + 0.1 * grow for extent in thing.footprint)
    angle = np.arange(12) * 2 * np.pi / 12
    x = np.clip(1.3 * np.cos(angle), -1, 1) * width
    z = np.clip(1.3 * np.sin(angle), -1, 1) * length
    c, s = np.cos(thing.yaw), np.sin(thing.yaw)
    at = thing.position
    return np.stack([at[0] + c * x + s * z, np.zeros(12), at[1] - s * x + c * z], axis=1)


def _cast(pen: ImageDraw.ImageDraw, camera: Camera, part: Part, sun: NDArray[np.float64]) -> None:
    flat = part.points - part.points[:, 1:2] * (sun / sun[1])
    if isinstance(part, Face):
        outline = camera.polygon(flat) / 2
        if len(outline) > 2:
            pen.polygon([(x, y) for x, y in outline], fill=int(255 * part.opacity))
        return
    view = camera.view(flat)
    seen = view[:, 2] > NEAR
    ends = camera.screen(view) / 2
    radii = np.asarray(part.radii) * camera.focal / np.maximum(view[:, 2], NEAR) / 2
    if isinstance(part, Limb) and seen.all():
        stroke(pen, ends, radii * [0.9, 0.9], 255)
    elif isinstance(part, Foliage):
        for (x, y), radius in zip(ends[seen].tolist(), radii[seen].tolist(), strict=True):
            pen.ellipse((x - radius, y - radius * 0.45, x + radius, y + radius * 0.45), fill=255)
