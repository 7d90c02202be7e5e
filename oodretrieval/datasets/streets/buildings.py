"""Buildings along the street: walls in perspective, roofs, and the skyline behind them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from oodretrieval.datasets.streets import noise
from oodretrieval.datasets.streets.camera import Camera
from oodretrieval.datasets.streets.canvas import Canvas, face_normal
from oodretrieval.datasets.streets.classes import BUILDING, TREE
from oodretrieval.datasets.streets.facades import Style, paint_facade
from oodretrieval.datasets.streets.solids import Thing, box
from oodretrieval.datasets.streets.weather import Colour, colour

Corner = tuple[float, float, float]


@dataclass(frozen=True)
class Building:
    """A house at the side of the street.

    Attributes:
        x: Where its façade stands; it extends away from the street.
        start: z of its near end.
        stop: z of its far end.
        depth: How far it reaches away from the street, metres.
        height: Metres to the eaves.
        roof: Height of a pitched roof, 0 for a flat one.
        tiles: Colour of the roof.
        style: Style of its façades.
    """

    x: float
    start: float
    stop: float
    depth: float
    height: float
    roof: float
    tiles: Colour
    style: Style

    def solid(self) -> Thing:
        """The building as a box that casts shadows."""
        away = self.x + np.sign(self.x) * self.depth
        low, high = min(self.x, away), max(self.x, away)
        walls = box((low, 0, self.start), (high, self.height + self.roof * 0.5, self.stop), self.style.wall)
        middle = ((low + high) / 2, (self.start + self.stop) / 2)
        return Thing(tuple(walls), BUILDING, (high - low, self.stop - self.start), position=middle)


def draw_building(canvas: Canvas, building: Building) -> None:
    """Paint the sides of a building that the camera sees.

    Args:
        canvas: What to paint on.
        building: Where it stands, and its style.
    """
    x, away = building.x, building.x + np.sign(building.x) * building.depth
    near, far, top = building.start, building.stop, building.height
    if building.roof:
        ridge = x + np.sign(x) * building.depth / 2
        corners = [(x, top, near), (x, top, far), (ridge, top + building.roof, far)]
        _draw_wall(canvas, [*corners, (ridge, top + building.roof, near)], building, "roof")
        _draw_wall(
            canvas, [(x, top, near), (away, top, near), (ridge, top + building.roof, near)], building, "gable"
        )
    _draw_wall(canvas, [(x, 0, near), (away, 0, near), (away, top, near), (x, top, near)], building, "side")
    _draw_wall(canvas, [(x, 0, near), (x, 0, far), (x, top, far), (x, top, near)], building, "front")


def _draw_wall(canvas: Canvas, corners: list[Corner], building: Building, part: str) -> None:
    camera = canvas.camera
    points = np.array(corners, float)
    outline = camera.polygon(points)
    window = canvas.window([outline])
    if window is None or len(outline) < 3:
        return
    left, top, right, bottom = window
    if (right - left) * (bottom - top) < 6:
        return
    mask = _filled(outline, window)
    view = camera.view(points)
    normal = face_normal(view)
    normal = camera.rotation.T @ (normal if normal @ view.mean(axis=0) < 0 else -normal)
    texture = _texture(canvas, building, part, points, float(np.clip(np.median(view[:, 2]), 4, 200)))
    rise = view[2] - view[1] if len(view) > 3 else view[2] - (view[0] + view[1]) / 2
    origin, across, down = view[0] + rise, view[1] - view[0], -rise
    coefficients = _homography(camera, origin, across, down, texture.size, (left, top))
    flat = texture.transform(mask.size, Image.Transform.PERSPECTIVE, coefficients, Image.Resampling.BILINEAR)
    light = canvas.weather.on(normal)
    depth = float(np.clip(view[:, 2].mean(), 2, 400))
    canvas.paste(np.asarray(flat, np.float32) / 255 * light, np.asarray(mask), (left, top), depth, BUILDING)


def _texture(
    canvas: Canvas, building: Building, part: str, points: NDArray[np.float64], depth: float
) -> Image.Image:
    width = float(np.linalg.norm(points[1] - points[0]))
    height = float(np.linalg.norm(points[-1] - points[0]))
    density = float(np.clip(canvas.camera.focal / depth, 3, 34))
    if part == "front":
        return paint_facade(building.style, width, height, density, canvas.weather)
    size = (max(4, round(width * density)), max(4, round(height * density)))
    rows, columns = np.mgrid[0 : size[1], 0 : size[0]].astype(np.float32) * np.float32(24 / density)
    stain = noise.nearest(noise.cloudy(6), columns + building.start * 9, rows)[..., None] - 0.5
    if part == "roof":
        tiles = 1 - 0.3 * (np.mod(rows, 8) < 2.4) * min(1.0, density / 12)
        shade = building.tiles * (tiles[..., None] + 0.3 * stain)
    else:
        shade = building.style.wall * (0.94 + 0.4 * stain)
    return Image.fromarray((np.clip(shade, 0, 1) * 255).astype(np.uint8))


def _homography(
    camera: Camera,
    origin: NDArray[np.float64],
    across: NDArray[np.float64],
    down: NDArray[np.float64],
    size: tuple[int, int],
    corner: tuple[int, int],
) -> tuple[float, ...]:
    lens = np.array(
        [
            [camera.focal, 0, camera.width / 2 - corner[0]],
            [0, -camera.focal, camera.height / 2 - corner[1]],
            [0, 0, 1],
        ]
    )
    to_screen = lens @ np.stack([across / (size[0] - 2), down / (size[1] - 2), origin], axis=1)
    back = np.linalg.inv(to_screen)
    back[:2] += back[2]
    return tuple((back / back[2, 2]).ravel()[:8])


def draw_skyline(canvas: Canvas, rng: np.random.Generator) -> None:
    """Paint distant houses and trees along the horizon, so that gaps do not end in nothing.

    Args:
        canvas: What to paint on.
        rng: Source of widths and heights.
    """
    camera, distance = canvas.camera, 130.0
    x = -260.0
    while x < 260.0:
        width = rng.uniform(9, 26)
        wooded = rng.random() < 0.45
        tall = rng.uniform(5, 10) if wooded else rng.uniform(6, 20)
        shift = camera.bend * distance**2
        points = np.array(
            [[x, 0, distance], [x + width, 0, distance], [x + width, tall, distance], [x, tall, distance]]
        )
        points[:, 0] -= shift
        if wooded:
            steps = np.linspace(0, 1, 14)
            crown = tall * (0.75 + 0.25 * rng.random(14))
            crest = np.stack([x - shift + width * steps, crown, np.full(14, distance)], axis=1)
            points = np.concatenate([points[:2], crest[::-1]])
        _draw_silhouette(canvas, camera.polygon(points), wooded, rng)
        x += width * rng.uniform(0.75, 1.1)


def _filled(outline: NDArray[np.float64], window: tuple[int, int, int, int]) -> Image.Image:
    """A polygon as a mask of a window of the canvas: left, top, right, bottom."""
    left, top, right, bottom = window
    mask = Image.new("L", (right - left, bottom - top))
    ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in outline], fill=255)
    return mask


def _draw_silhouette(
    canvas: Canvas, outline: NDArray[np.float64], wooded: bool, rng: np.random.Generator
) -> None:
    window = canvas.window([outline])
    tint = rng.normal(1.0, 0.08, 3).astype(np.float32) * rng.uniform(0.7, 1.2)
    texture_at = rng.integers(512, size=2)
    if window is None:
        return
    left, top, right, bottom = window
    mask = _filled(outline, window)
    rows, columns = np.mgrid[0 : bottom - top, 0 : right - left].astype(np.float32)
    if wooded:
        leaves = noise.nearest(noise.cloudy(6), columns * 9 + texture_at[0], rows * 9 + texture_at[1]) - 0.5
        pixels = colour(0.24, 0.31, 0.16) * tint * (1 + 0.9 * leaves[..., None])
    else:
        panes = ((np.mod(columns, 9) > 3.5) & (np.mod(rows, 11) > 4)).astype(np.float32)
        pixels = colour(0.62, 0.57, 0.52) * tint * (1 - 0.45 * panes[..., None])
    light = canvas.weather.on(np.array([0.0, 0.0, -1.0]))
    canvas.paste(pixels * light, np.asarray(mask), (left, top), 130.0, TREE if wooded else BUILDING)
