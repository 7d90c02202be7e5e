"""Light, sky and haze of a scene, and what lens and sensor do to its picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from oodretrieval.datasets.streets import noise
from oodretrieval.datasets.streets.camera import Camera
from oodretrieval.directions import unit_vectors

Colour = NDArray[np.floating]
"""Red, green, blue, ``(3,)``, 0…1."""


def colour(red: float, green: float, blue: float) -> Colour:
    """A colour.

    Args:
        red: 0…1.
        green: 0…1.
        blue: 0…1.

    Returns:
        ``(3,)`` float32.
    """
    return np.array([red, green, blue], np.float32)


def varied(rng: np.random.Generator, shades: Sequence[Colour], spread: float) -> Colour:
    """One of several colours, as no two things have quite the same.

    Args:
        rng: Chooses.
        shades: Of which.
        spread: Deviation of each channel, as a share of it.

    Returns:
        ``(3,)`` float32, 0.03…0.95.
    """
    shade = shades[int(rng.integers(len(shades)))] * rng.normal(1.0, spread, 3)
    return np.asarray(np.clip(shade, 0.03, 0.95), np.float32)


@dataclass(frozen=True)
class Weather:
    """Light and air of a scene.

    Attributes:
        sun: Unit vector towards the sun, world axes, ``(3,)``.
        sunlight: Colour and strength of direct light.
        skylight: Colour and strength of diffuse light.
        zenith: Colour of the sky overhead.
        horizon: Colour of the sky low down; also the colour of haze.
        visibility: Metres over which haze takes 63 %.
        clouds: Share of the sky they cover, 0…1.
        cloud_offset: Where in the noise tile the clouds are taken from, texels.
        shadow: How dark cast shadows are, 0 none … 1 black.
    """

    sun: NDArray[np.float64]
    sunlight: Colour
    skylight: Colour
    zenith: Colour
    horizon: Colour
    visibility: float
    clouds: float
    cloud_offset: tuple[float, float]
    shadow: float

    def on(self, normal: NDArray[np.float64]) -> Colour:
        """Light that falls on a surface.

        Args:
            normal: Unit normal, world axes, ``(3,)``.

        Returns:
            Factor on the surface's colour, ``(3,)``, about 0.4…1.1.
        """
        direct = max(0.0, float(normal @ self.sun))
        diffuse = 0.78 + 0.22 * float(normal[1])
        return np.asarray(self.skylight * diffuse + self.sunlight * direct, dtype=np.float32)

    def haze(self, depth: float) -> float:
        """Share of the horizon's colour, 0…1, mixed in at ``depth`` metres."""
        return float(1 - np.exp(-max(depth, 0.0) / self.visibility))


class Mood(NamedTuple):
    """What a kind of weather looks like on average; fields as in :class:`Weather`."""

    chance: float
    direct: float
    diffuse: float
    sunlight: tuple[float, float, float]
    skylight: tuple[float, float, float]
    zenith: tuple[float, float, float]
    horizon: tuple[float, float, float]
    clouds: float
    shadow: float
    visibility: tuple[float, float] = (180, 500)


MOODS = {
    "clear": Mood(
        0.34,
        0.74,
        0.50,
        (1.0, 0.96, 0.88),
        (0.86, 0.95, 1.1),
        (0.22, 0.44, 0.78),
        (0.70, 0.82, 0.93),
        0.25,
        0.62,
    ),
    "cloudy": Mood(
        0.26,
        0.56,
        0.57,
        (1.0, 0.97, 0.92),
        (0.92, 0.97, 1.05),
        (0.32, 0.50, 0.76),
        (0.76, 0.83, 0.90),
        0.6,
        0.48,
    ),
    "overcast": Mood(
        0.24, 0.1, 0.92, (1, 1, 1), (0.97, 1.0, 1.03), (1.0, 1.0, 1.03), (1.0, 1.0, 1.0), 0.9, 0.0, (90, 180)
    ),
    "evening": Mood(
        0.16,
        0.76,
        0.46,
        (1.0, 0.74, 0.48),
        (0.9, 0.92, 1.12),
        (0.30, 0.42, 0.66),
        (0.96, 0.74, 0.55),
        0.4,
        0.55,
    ),
}

"""What streets are drawn with."""

OTHER_MOODS = {
    "dusk": Mood(
        0,
        0.0,
        0.28,
        (1, 1, 1),
        (0.78, 0.86, 1.3),
        (0.07, 0.10, 0.24),
        (0.34, 0.25, 0.29),
        0.5,
        0.0,
        (150, 300),
    ),
    "fog": Mood(
        0, 0.04, 0.80, (1, 1, 1), (1.0, 1.0, 1.0), (0.74, 0.75, 0.76), (0.77, 0.78, 0.79), 0.0, 0.0, (14, 32)
    ),
}
"""What they are drawn with only if it is asked for: light and air that a network never learned from."""


def sample_weather(rng: np.random.Generator, name: str = "") -> Weather:
    """Draw a time of day and a weather.

    Args:
        rng: Source of everything; as much is drawn from it whatever the name.
        name: One of :data:`MOODS` or :data:`OTHER_MOODS`; empty to draw one of the former.

    Returns:
        The weather.
    """
    drawn = str(rng.choice(list(MOODS), p=[mood.chance for mood in MOODS.values()]))
    name = name or drawn
    mood = (MOODS | OTHER_MOODS)[name]
    azimuth = rng.uniform(0, 2 * np.pi)
    height = np.radians(rng.uniform(9, 22) if name == "evening" else rng.uniform(26, 66))
    sun = np.array([np.sin(azimuth) * np.cos(height), np.sin(height), np.cos(azimuth) * np.cos(height)])
    grey = rng.uniform(0.62, 0.92) ** (name == "overcast")
    zenith, horizon = (colour(*(grey * channel for channel in sky)) for sky in (mood.zenith, mood.horizon))
    tint = rng.normal(1.0, 0.03, 3).astype(np.float32)
    return Weather(
        sun=sun,
        sunlight=colour(*mood.sunlight) * mood.direct * rng.uniform(0.85, 1.15),
        skylight=colour(*mood.skylight) * mood.diffuse * rng.uniform(0.9, 1.08),
        zenith=np.clip(zenith * tint * rng.uniform(0.85, 1.15), 0, 1),
        horizon=np.clip(horizon * tint * rng.uniform(0.92, 1.06), 0, 1),
        visibility=float(rng.uniform(*mood.visibility)),
        clouds=float(np.clip(mood.clouds + rng.uniform(-0.2, 0.15), 0, 1)),
        cloud_offset=(float(rng.uniform(0, 512)), float(rng.uniform(0, 512))),
        shadow=mood.shadow,
    )


def paint_sky(weather: Weather, camera: Camera) -> NDArray[np.float32]:
    """Gradient, glow around the sun, and clouds.

    Args:
        weather: Sun, clouds and colours.
        camera: What the sky is seen by.

    Returns:
        ``(H, W, 3)``, 0…1; below the horizon the horizon's colour.
    """
    rays = unit_vectors(camera.rays()[::2, ::2])
    up = np.clip(rays[..., 1], 0.0, 1.0)
    share = (np.clip(up / 0.55, 0, 1) ** 0.6)[..., None]
    sky = weather.horizon * (1 - share) + weather.zenith * share
    towards = np.clip(rays @ weather.sun.astype(np.float32), 0, 1)[..., None]
    sky = sky + weather.sunlight * (0.30 * towards**12 + 0.5 * towards**120)
    spread = 36.0 / np.maximum(up + 0.10, 0.1)
    u = rays[..., 0] * spread + weather.cloud_offset[0]
    v = rays[..., 2] * spread + weather.cloud_offset[1]
    density = noise.smooth(noise.cloudy(6), u, v)
    threshold = 0.78 - 0.55 * weather.clouds
    cover = noise.step(density, threshold, threshold + 0.2) * noise.step(up, 0.0, 0.12) * 0.9
    lit = weather.skylight * 0.75 + weather.sunlight * 0.5
    shade = (1.05 - 0.45 * noise.step(density, threshold + 0.1, threshold + 0.45))[..., None]
    sky = sky * (1 - cover[..., None]) + np.clip(lit * shade + 0.08, 0, 1) * cover[..., None]
    full = np.repeat(np.repeat(sky, 2, axis=0), 2, axis=1)
    return np.asarray(full[: camera.height, : camera.width], dtype=np.float32)


def expose(picture: NDArray[np.floating], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Lens and sensor: blur, vignette, white balance, contrast, noise.

    Args:
        picture: ``(H, W, 3)``, 0…1.
        rng: Source of the settings and of the noise.

    Returns:
        ``(H, W, 3)`` uint8.
    """
    height, width = picture.shape[:2]
    blur = rng.uniform(0.0, 0.45)
    motion = rng.uniform(0.0, 1.4) if rng.random() < 0.15 else 0.0
    picture = ndimage.gaussian_filter(picture, (blur, np.hypot(blur, motion), 0))
    rows = np.linspace(-1, 1, height, dtype=np.float32)[:, None, None]
    columns = np.linspace(-1, 1, width, dtype=np.float32)[None, :, None]
    picture = picture * (1 - rng.uniform(0.02, 0.16) * (rows**2 + columns**2))
    picture = picture * rng.normal(1.0, 0.02, 3) * rng.uniform(0.95, 1.25)
    picture = np.clip(picture, 0, None) ** 0.84
    contrast = rng.uniform(0.92, 1.15)
    picture = np.clip((picture - 0.45) * contrast + 0.45 + rng.uniform(-0.02, 0.02), 0, 1)
    strength = rng.uniform(0.004, 0.02)
    shot = rng.standard_normal((height, width, 3), dtype=np.float32)
    picture = picture + shot * strength * (0.5 + np.sqrt(picture))
    return np.asarray(np.clip(picture * 255 + 0.5, 0, 255), dtype=np.uint8)
