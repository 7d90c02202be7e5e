"""Textures of façades: walls, windows, doors and shop fronts, drawn flat and put into perspective later."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from oodretrieval.datasets.streets import noise
from oodretrieval.datasets.streets.canvas import ink
from oodretrieval.datasets.streets.weather import Colour, Weather, colour

WALLS = {
    "plaster": ((0.86, 0.81, 0.70), (0.80, 0.72, 0.58), (0.78, 0.80, 0.80), (0.84, 0.66, 0.52), (0.70, 0.76, 0.72),
                (0.90, 0.88, 0.84), (0.76, 0.58, 0.52), (0.86, 0.78, 0.52)),
    "brick": ((0.52, 0.28, 0.22), (0.60, 0.40, 0.30), (0.44, 0.30, 0.26), (0.66, 0.54, 0.42)),
    "stone": ((0.66, 0.62, 0.54), (0.58, 0.57, 0.55), (0.72, 0.66, 0.56)),
    "concrete": ((0.62, 0.62, 0.61), (0.70, 0.69, 0.66), (0.54, 0.55, 0.57)),
    "glass": ((0.34, 0.40, 0.45), (0.42, 0.46, 0.48)),
}  # fmt: skip
STYLES = (0.40, 0.24, 0.16, 0.12, 0.08)


@dataclass(frozen=True)
class Style:
    """How the façade of one building looks; lengths in metres, colours 0…1.

    Attributes:
        kind: Material of the wall.
        wall: Its colour.
        storey: Height of a floor.
        bay: Distance from window to window.
        window: Width and height of a window.
        frame: Colour of the frames.
        shop: The ground floor has shop fronts.
        accent: Colour of doors, awnings and shutters.
        shutters: Windows have shutters.
        balconies: Upper windows have railings.
        bands: There is a ledge between the floors.
        seed: Source of everything random on the façade.
    """

    kind: str
    wall: Colour
    storey: float
    bay: float
    window: tuple[float, float]
    frame: Colour
    shop: bool
    accent: Colour
    shutters: bool
    balconies: bool
    bands: bool
    seed: int


def sample_style(rng: np.random.Generator) -> Style:
    """A style of building, drawn from ``rng``."""
    kind = str(rng.choice(list(WALLS), p=STYLES))
    walls = WALLS[kind]
    storey = rng.uniform(2.8, 3.7)
    bay = rng.uniform(2.0, 3.6)
    broad = rng.uniform(0.6, 0.9) if kind == "glass" else rng.uniform(0.36, 0.56)
    light = rng.random() < 0.6
    return Style(
        kind=kind,
        wall=np.clip(colour(*walls[rng.integers(len(walls))]) * rng.normal(1.0, 0.035, 3), 0.08, 0.96).astype(
            np.float32
        ),
        storey=storey,
        bay=bay,
        window=(bay * broad, storey * (0.78 if kind == "glass" else rng.uniform(0.44, 0.64))),
        frame=colour(0.88, 0.87, 0.84) if light else colour(0.22, 0.18, 0.15) * rng.uniform(0.6, 1.4),
        shop=bool(rng.random() < 0.45),
        accent=np.asarray(rng.uniform(0.08, 0.72, 3), np.float32),
        shutters=bool(kind in ("plaster", "stone") and rng.random() < 0.3),
        balconies=bool(rng.random() < 0.25),
        bands=bool(rng.random() < 0.55),
        seed=int(rng.integers(2**31)),
    )


class WallPicture:
    """A flat picture in metres, origin at the lower left.

    Args:
        width: Metres.
        height: Metres.
        density: Pixels per metre.
        ground: Colour it starts with.
    """

    def __init__(self, width: float, height: float, density: float, ground: Colour) -> None:
        self.density = density
        self.size = (max(4, round(width * density)), max(4, round(height * density)))
        self.image = Image.new("RGB", self.size, ink(ground)[:3])
        self.pen = ImageDraw.Draw(self.image)

    def rectangle(self, left: float, low: float, right: float, high: float, shade: Colour) -> None:
        """Fill a rectangle.

        Args:
            left: Left edge, metres from the wall's left end.
            low: Lower edge, metres above the ground.
            right: Right edge, as ``left``.
            high: Upper edge, as ``low``.
            shade: Its colour, channels 0…1.
        """
        d, h = self.density, self.size[1]
        x0, x1 = left * d, max(right * d - 1, left * d)
        y0, y1 = h - high * d, max(h - low * d - 1, h - high * d)
        self.pen.rectangle((round(x0), round(y0), round(x1), round(y1)), fill=ink(shade)[:3])


def paint_facade(style: Style, width: float, height: float, density: float, weather: Weather) -> Image.Image:
    """Draw a façade.

    Args:
        style: Its style.
        width: Metres.
        height: Metres.
        density: Pixels per metre.
        weather: What the windows mirror.

    Returns:
        RGB image, top row is the top of the wall.
    """
    rng = np.random.default_rng(style.seed)
    sheet = WallPicture(width, height, density, style.wall)
    _structure(sheet, style, width, height)
    columns = max(1, int(width / style.bay))
    pitch = width / columns
    ground_floor = style.storey * 1.12
    floors = int((height - ground_floor - 0.3) / style.storey)
    for floor in range(floors):
        low = ground_floor + floor * style.storey + style.storey * 0.26
        if style.bands:
            sheet.rectangle(
                0, low - style.storey * 0.2, width, low - style.storey * 0.2 + 0.14, style.wall * 1.1
            )
            sheet.rectangle(
                0, low - style.storey * 0.2 - 0.06, width, low - style.storey * 0.2, style.wall * 0.68
            )
        for column in range(columns):
            _window(sheet, style, rng, weather, (column + 0.5) * pitch, low)
    if style.shop:
        _shops(sheet, style, rng, weather, width, ground_floor)
    else:
        _entrance(sheet, style, rng, weather, columns, pitch)
    sheet.rectangle(0, height - 0.35, width, height, style.wall * 1.08)
    sheet.rectangle(0, height - 0.48, width, height - 0.35, style.wall * 0.6)
    sheet.rectangle(0, 0, width, 0.45, style.wall * 0.7)
    return _weathered(sheet.image, rng, density)


def _structure(sheet: WallPicture, style: Style, width: float, height: float) -> None:
    d = sheet.density
    if style.kind == "brick" and d > 14:
        for i in range(int(height / 0.15)):
            sheet.rectangle(0, i * 0.15, width, i * 0.15 + 0.025, style.wall * 0.82 + 0.08)
    elif style.kind == "stone" and d > 6:
        for i in range(int(height / 0.5)):
            sheet.rectangle(0, i * 0.5, width, i * 0.5 + 0.04, style.wall * 0.78)
            for j in range(int(width / 0.9) + 1):
                left = j * 0.9 + 0.45 * (i % 2)
                sheet.rectangle(left, i * 0.5, left + 0.035, i * 0.5 + 0.5, style.wall * 0.8)
    elif style.kind in ("concrete", "glass"):
        for j in range(int(width / style.bay) + 1):
            sheet.rectangle(j * style.bay, 0, j * style.bay + 0.06, height, style.wall * 0.72)


def _window(
    sheet: WallPicture, style: Style, rng: np.random.Generator, weather: Weather, middle: float, low: float
) -> None:
    half, tall = style.window[0] / 2, style.window[1]
    left, right, high = middle - half, middle + half, low + tall
    bar = 0.07
    if style.shutters:
        for edge in (left - half * 0.55, right):
            sheet.rectangle(edge, low, edge + half * 0.55, high, style.accent)
    sheet.rectangle(left - 0.1, high, right + 0.1, high + 0.13, style.wall * 0.86 + 0.1)
    sheet.rectangle(left - bar, low - bar, right + bar, high + bar, style.frame)
    _pane(sheet, rng, weather, (left, low, right, high))
    if style.kind != "glass":
        sheet.rectangle(middle - bar / 2, low, middle + bar / 2, high, style.frame)
        sheet.rectangle(left, low + tall * 0.66, right, low + tall * 0.66 + bar * 0.8, style.frame)
    sheet.rectangle(left - 0.14, low - 0.18, right + 0.14, low - bar, style.wall * 1.12)
    sheet.rectangle(left - 0.1, low - 0.26, right + 0.1, low - 0.18, style.wall * 0.62)
    if style.balconies:
        sheet.rectangle(left - 0.3, low - 0.3, right + 0.3, low - 0.16, style.wall * 0.55)
        for k in range(9):
            x = left - 0.28 + k * (right - left + 0.52) / 8
            sheet.rectangle(x, low - 0.16, x + 0.04, low + 0.75, colour(0.14, 0.14, 0.15))
        sheet.rectangle(left - 0.3, low + 0.72, right + 0.3, low + 0.8, colour(0.14, 0.14, 0.15))


def _pane(
    sheet: WallPicture, rng: np.random.Generator, weather: Weather, edges: tuple[float, float, float, float]
) -> None:
    left, low, right, high = edges
    mirrored = (weather.zenith * 0.6 + weather.horizon * 0.4) * rng.uniform(0.25, 0.95)
    dark = colour(0.07, 0.09, 0.11) * rng.uniform(0.6, 1.8)
    share = rng.uniform(0.15, 0.75)
    for k in range(3):
        at = low + (high - low) * k / 3
        sheet.rectangle(left, at, right, high, dark * (1 - share) + mirrored * share * (0.7 + 0.2 * k))
    chance = rng.random()
    if chance < 0.22:
        drape = (right - left) * rng.uniform(0.15, 0.35)
        sheet.rectangle(left, low, left + drape, high, colour(0.72, 0.70, 0.66) * rng.uniform(0.6, 1))
        sheet.rectangle(right - drape, low, right, high, colour(0.72, 0.70, 0.66) * rng.uniform(0.6, 1))
    elif chance < 0.36:
        sheet.rectangle(
            left, low + (high - low) * rng.uniform(0.2, 0.8), right, high, colour(0.74, 0.72, 0.68)
        )
    elif chance < 0.42:
        sheet.rectangle(left, low, right, high, colour(0.95, 0.80, 0.50) * rng.uniform(0.6, 1))
    sheet.rectangle(left, high - 0.09, right, high, dark * 0.6)


def _shops(
    sheet: WallPicture,
    style: Style,
    rng: np.random.Generator,
    weather: Weather,
    width: float,
    ground_floor: float,
) -> None:
    count = max(1, round(width / rng.uniform(4.0, 6.5)))
    for i in range(count):
        left, right = i * width / count + 0.3, (i + 1) * width / count - 0.3
        own = np.asarray(rng.uniform(0.05, 0.75, 3), np.float32)
        top = ground_floor - 0.75
        sheet.rectangle(left, 0, right, top, own * 0.5)
        panes = max(2, int((right - left) / 1.6))
        for k in range(panes):
            x0 = left + 0.1 + k * (right - left - 0.2) / panes
            x1 = x0 + (right - left - 0.2) / panes - 0.1
            _pane(sheet, rng, weather, (x0, 0.15 if k == 0 else 0.5, x1, top - 0.1))
            for _ in range(5):
                at, low = rng.uniform(x0, x1 - 0.2), rng.uniform(0.55, 1.4)
                goods = np.asarray(rng.uniform(0.1, 0.8, 3), np.float32)
                sheet.rectangle(at, low, at + 0.2, low + rng.uniform(0.1, 0.4), goods)
        sheet.rectangle(left, top, right, ground_floor - 0.12, own)
        letters = left + 0.5
        while letters < right - 0.6:
            step = rng.uniform(0.12, 0.34)
            sheet.rectangle(letters, top + 0.18, letters + step, ground_floor - 0.3, 1 - 0.7 * own)
            letters += step + rng.uniform(0.06, 0.14)
        if rng.random() < 0.5:
            stripes = int((right - left) / 0.35)
            other = style.frame if rng.random() < 0.6 else own * 0.6
            for k in range(stripes):
                x0 = left + k * (right - left) / stripes
                shade = own if k % 2 else other
                sheet.rectangle(x0, top - 0.62, x0 + (right - left) / stripes, top + 0.05, shade)
            sheet.rectangle(left, top - 0.85, right, top - 0.62, own * 0.25)


def _entrance(
    sheet: WallPicture, style: Style, rng: np.random.Generator, weather: Weather, columns: int, pitch: float
) -> None:
    door = int(rng.integers(columns))
    for column in range(columns):
        middle = (column + 0.5) * pitch
        if column != door:
            _window(sheet, style, rng, weather, middle, 1.0)
            continue
        sheet.rectangle(middle - 0.75, 0, middle + 0.75, 2.55, style.frame * 0.9)
        sheet.rectangle(middle - 0.6, 0.1, middle + 0.6, 2.4, style.accent * 0.75)
        sheet.rectangle(middle - 0.45, 0.25, middle - 0.05, 1.0, style.accent * 0.55)
        sheet.rectangle(middle + 0.05, 0.25, middle + 0.45, 1.0, style.accent * 0.55)
        _pane(sheet, rng, weather, (middle - 0.45, 1.25, middle + 0.45, 2.2))


def _weathered(image: Image.Image, rng: np.random.Generator, density: float) -> Image.Image:
    pixels: NDArray[np.float32] = np.asarray(image, np.float32)
    height, width = pixels.shape[:2]
    rows = np.arange(height, dtype=np.float32)[:, None] * (24 / density) + rng.integers(512)
    columns = np.arange(width, dtype=np.float32)[None, :] * (24 / density) + rng.integers(512)
    rows, columns = np.broadcast_arrays(rows, columns)
    stain = noise.nearest(noise.cloudy(6), columns, rows * 0.5) - 0.5
    grain = noise.nearest(noise.grainy(), columns * 2, rows * 2) - 0.5
    fall = np.linspace(1.05, 0.9, height, dtype=np.float32)[:, None]
    factor = fall * (1 + 0.28 * stain + 0.12 * grain)
    return Image.fromarray(np.clip(pixels * factor[..., None], 0, 255).astype(np.uint8))
