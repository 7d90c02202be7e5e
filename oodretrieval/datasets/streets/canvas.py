"""The canvas: colours, labels and instance ids of every pixel, painted from back to front."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from oodretrieval.datasets.streets import noise
from oodretrieval.datasets.streets.camera import NEAR, Camera, clip_near
from oodretrieval.datasets.streets.classes import SKY
from oodretrieval.datasets.streets.solids import Face, Foliage, Limb, Part, Thing
from oodretrieval.datasets.streets.weather import Colour, Weather, paint_sky

Pen = tuple[int, int, int, int]
VISIBLE = 60
"""Opacity (of 255) from which a pixel belongs to the thing painted over it."""


class Canvas:
    """Colours ``(H, W, 3)`` 0…1, labels ``(H, W)`` and instance ids ``(H, W)`` of the camera's pixels."""

    def __init__(self, camera: Camera, weather: Weather) -> None:
        self.camera, self.weather = camera, weather
        self.colours = paint_sky(weather, camera)
        self.labels = np.full((camera.height, camera.width), SKY, np.uint8)
        self.instances = np.zeros((camera.height, camera.width), np.uint16)

    def window(self, outlines: Iterable[NDArray[np.float64]]) -> tuple[int, int, int, int] | None:
        """The part of the picture that holds all outlines, half-open; None where they lie outside.

        Args:
            outlines: Pixel coordinates, ``(N, 2)`` each.

        Returns:
            left, top, right, bottom.
        """
        filled = [outline for outline in outlines if len(outline)]
        if not filled:
            return None
        low = np.floor(np.min([outline.min(axis=0) for outline in filled], axis=0))
        high = np.ceil(np.max([outline.max(axis=0) for outline in filled], axis=0)) + 1
        left, top = int(max(low[0], 0)), int(max(low[1], 0))
        right = int(min(high[0], self.camera.width))
        bottom = int(min(high[1], self.camera.height))
        return (left, top, right, bottom) if right > left and bottom > top else None

    def paste(
        self,
        colours: NDArray[np.floating],
        opacity: NDArray[np.uint8],
        corner: tuple[int, int],
        depth: float,
        label: int,
        instance: int = 0,
    ) -> None:
        """Paint a tile over the picture, with the haze of its depth.

        Args:
            colours: ``(h, w, 3)``, 0…1.
            opacity: ``(h, w)``, 0…255.
            corner: Its left and top pixel.
            depth: Metres from the camera.
            label: Label id of its pixels.
            instance: Instance id of its pixels.
        """
        rows = slice(corner[1], corner[1] + opacity.shape[0])
        columns = slice(corner[0], corner[0] + opacity.shape[1])
        haze = self.weather.haze(depth)
        share = (opacity.astype(np.float32) / 255)[..., None]
        hazy = colours * (1 - haze) + self.weather.horizon * haze
        self.colours[rows, columns] += (hazy - self.colours[rows, columns]) * share
        taken = opacity >= VISIBLE
        self.labels[rows, columns][taken] = label
        self.instances[rows, columns][taken] = instance

    def draw(self, thing: Thing) -> None:
        """Project, shade and paint a thing.

        Args:
            thing: In street coordinates.
        """
        views = [self.camera.view(part.points) for part in thing.parts]
        if not any((view[:, 2] > NEAR).any() for view in views):
            return
        depth = float(np.median(np.concatenate([view[:, 2] for view in views])))
        outlines = [self._outline(part, view) for part, view in zip(thing.parts, views, strict=True)]
        window = self.window(outlines)
        if window is None:
            return
        left, top, right, bottom = window
        tile = Image.new("RGBA", (right - left, bottom - top))
        pen = ImageDraw.Draw(tile)
        order = sorted(range(len(views)), key=lambda i: (thing.parts[i].layer, -views[i][:, 2].mean()))
        for i in order:
            self._draw_part(pen, thing.parts[i], views[i], (left, top))
        pixels = np.asarray(tile)
        colours: NDArray[np.floating] = pixels[..., :3].astype(np.float32) / 255
        opacity = pixels[..., 3]
        colours, opacity = self._textured(thing, colours, opacity, depth)
        self.paste(colours, opacity, (left, top), depth, thing.label, thing.instance)

    def _outline(self, part: Part, view: NDArray[np.float64]) -> NDArray[np.float64]:
        if isinstance(part, Face):
            return self.camera.screen(clip_near(view))
        seen = view[:, 2] > NEAR
        centres = self.camera.screen(view[seen])
        radii = np.asarray(part.radii)[seen, None] * self.camera.focal / view[seen, 2:3]
        return np.concatenate([centres - radii, centres + radii])

    def _draw_part(
        self, pen: ImageDraw.ImageDraw, part: Part, view: NDArray[np.float64], corner: tuple[int, int]
    ) -> None:
        if isinstance(part, Face):
            self._draw_face(pen, part, view, corner)
        elif isinstance(part, Limb):
            self._draw_limb(pen, part, view, corner)
        else:
            self._draw_foliage(pen, part, view, corner)

    def _draw_face(
        self, pen: ImageDraw.ImageDraw, part: Face, view: NDArray[np.float64], corner: tuple[int, int]
    ) -> None:
        normal = face_normal(view)
        towards_camera = -float(normal @ view.mean(axis=0))
        if towards_camera <= 0:
            if not part.two_sided:
                return
            normal = -normal
        clipped = clip_near(view)
        if len(clipped) < 3:
            return
        outline = self.camera.screen(clipped) - corner
        upright = self.camera.rotation.T @ normal
        light = self.weather.on(upright) * (1 - part.glow) + part.glow
        sky = self.weather.horizon * 0.5 + self.weather.zenith * 0.5
        shade = part.colour * light * (1 - part.gloss) + sky * part.gloss * (
            0.45 + 0.55 * max(0.0, upright[1])
        )
        pen.polygon([(x, y) for x, y in outline], fill=ink(shade, part.opacity))

    def _draw_limb(
        self, pen: ImageDraw.ImageDraw, part: Limb, view: NDArray[np.float64], corner: tuple[int, int]
    ) -> None:
        if (view[:, 2] <= NEAR).any():
            return
        ends = self.camera.screen(view) - corner
        radii = np.asarray(part.radii) * self.camera.focal / view[:, 2]
        sun = self.camera.rotation @ self.weather.sun
        lean = np.array([sun[0], -sun[1]]) * 0.36
        dark = part.colour * self.weather.on(np.array([0.0, -0.6, 0.0]))
        bright = part.colour * (self.weather.skylight * 0.92 + self.weather.sunlight * 0.72)
        stroke(pen, ends, radii, ink(dark * 0.9))
        if radii.max() < 1.2:
            stroke(pen, ends, radii, ink((dark + bright) / 2))
            return
        for share in (0.3, 0.65, 1.0):
            offset = lean * share * float(radii.mean())
            stroke(pen, ends + offset, radii * (1 - 0.5 * share), ink(dark + (bright - dark) * share))

    def _draw_foliage(
        self, pen: ImageDraw.ImageDraw, part: Foliage, view: NDArray[np.float64], corner: tuple[int, int]
    ) -> None:
        order = np.argsort(-view[:, 2])
        order = order[view[order, 2] > NEAR]
        centres = self.camera.screen(view[order]) - corner
        radii = np.maximum(part.radii[order] * self.camera.focal / view[order, 2], 0.6)
        pens = np.clip(part.colours[order] * 255, 0, 255).astype(int)
        boxes = np.concatenate([centres - radii[:, None], centres + radii[:, None]], axis=1)
        for bounds, (red, green, blue) in zip(boxes.tolist(), pens.tolist(), strict=True):
            pen.ellipse(bounds, fill=(red, green, blue, 255))

    def _textured(
        self, thing: Thing, colours: NDArray[np.floating], opacity: NDArray[np.uint8], depth: float
    ) -> tuple[NDArray[np.floating], NDArray[np.uint8]]:
        height, width = opacity.shape
        if thing.grain == "leaf":
            colours, opacity = ruffled(colours, opacity, 0.16 * self.camera.focal / depth)
        fall = np.linspace(1.06, 0.86, height, dtype=np.float32)[:, None, None]
        colours = colours * (fall if thing.grain != "leaf" else 1.0)
        if thing.grain == "plain":
            return colours, opacity
        tiles = {"grain": noise.grainy(), "fur": noise.furry(), "leaf": noise.grainy()}
        tile = tiles.get(thing.grain, noise.cloudy(6))
        scale = np.float32(depth / self.camera.focal / thing.texel)
        step = np.float32(min(float(scale), 1.0))
        rows = (np.arange(height, dtype=np.float32) * step + thing.instance * 37)[:, None]
        columns = (np.arange(width, dtype=np.float32) * step + thing.instance * 59)[None, :]
        sample = noise.nearest(
            tile, np.broadcast_to(columns, opacity.shape), np.broadcast_to(rows, opacity.shape)
        )
        fade = thing.roughness / (1 + max(0.0, float(scale) - 1.0) * 0.3)
        colours = colours * (1 + fade * 2 * (sample[..., None] - 0.5))
        return colours, opacity


def ruffled(
    colours: NDArray[np.floating], opacity: NDArray[np.uint8], reach: float
) -> tuple[NDArray[np.floating], NDArray[np.uint8]]:
    """Shift pixels about at random, so that round clumps get the edges of leaves.

    Args:
        colours: ``(h, w, 3)``.
        opacity: ``(h, w)``.
        reach: Largest shift in pixels.

    Returns:
        Both, ruffled.
    """
    height, width = opacity.shape
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    scale = np.float32(np.clip(6.0 / max(reach, 0.5), 0.3, 3.0))
    down = noise.nearest(noise.grainy(), columns * scale, rows * scale) - 0.5
    right = noise.nearest(noise.grainy(), rows * scale + 71, columns * scale + 190) - 0.5
    from_row = np.clip(rows + down * 2 * reach, 0, height - 1).astype(np.int64)
    from_column = np.clip(columns + right * 2 * reach, 0, width - 1).astype(np.int64)
    return colours[from_row, from_column], opacity[from_row, from_column]


def face_normal(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Unit normal of a flat polygon by Newell's rule.

    Args:
        points: Corners, ``(N, 3)``.

    Returns:
        ``(3,)``; towards the side from which the corners run counter-clockwise (our axes are left-handed).
    """
    x, y, z = (points - points.mean(axis=0)).T
    order = [*range(1, len(points)), 0]
    areas = np.stack(
        [y * z[order] - z * y[order], z * x[order] - x * z[order], x * y[order] - y * x[order]], axis=1
    )
    normal = areas.sum(axis=0)
    return np.asarray(-normal / max(float(np.sqrt(normal @ normal)), 1e-12))


def ink(shade: Colour, opacity: float = 1.0) -> Pen:
    """A colour as PIL takes it.

    Args:
        shade: Channels, 0…1.
        opacity: 0 invisible … 1 opaque.

    Returns:
        Red, green, blue and opacity, 0…255.
    """
    red, green, blue = (int(min(max(float(c), 0.0), 1.0) * 255) for c in shade)
    return red, green, blue, int(opacity * 255)


def stroke(
    pen: ImageDraw.ImageDraw, ends: NDArray[np.float64], radii: NDArray[np.float64], colour: Pen | int
) -> None:
    """Paint a bar with round ends.

    Args:
        pen: Where to paint.
        ends: Two points, ``(2, 2)`` in pixels.
        radii: Their radii, ``(2,)`` in pixels.
        colour: What to paint with.
    """
    along = ends[1] - ends[0]
    length = float(np.hypot(*along))
    if radii.max() < 0.9:
        pen.line([tuple(ends[0]), tuple(ends[1])], fill=colour, width=max(1, round(2 * float(radii.max()))))
        return
    if length > 1e-6:
        side = np.array([-along[1], along[0]]) / length
        quad = [
            ends[0] + side * radii[0],
            ends[1] + side * radii[1],
            ends[1] - side * radii[1],
            ends[0] - side * radii[0],
        ]
        pen.polygon([(float(x), float(y)) for x, y in quad], fill=colour)
    for (x, y), radius in zip(ends.tolist(), radii.tolist(), strict=True):
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
