"""From a seed to a picture with its truth."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from oodretrieval.datasets.streets.buildings import draw_building, draw_skyline
from oodretrieval.datasets.streets.canvas import Canvas
from oodretrieval.datasets.streets.ground import paint_ground
from oodretrieval.datasets.streets.layout import sample_scene
from oodretrieval.datasets.streets.weather import expose


class Rendering(NamedTuple):
    """A picture and its truth.

    Attributes:
        image: RGB, ``(H, W, 3)`` uint8.
        labels: Label ids, ``(H, W)`` uint8.
        instances: Instance ids, ``(H, W)`` uint16; 0 where nothing is counted.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    instances: NDArray[np.uint16]


def render(seed: tuple[int, ...], size: tuple[int, int], *, unknown: bool, weather: str = "") -> Rendering:
    """Render one street.

    Args:
        seed: Numbers that decide everything; equal seeds give equal pictures.
        size: Width and height in pixels.
        unknown: Whether objects of unknown kinds may appear.
        weather: Name of a weather; empty to draw one.

    Returns:
        The picture with its labels and instance ids.
    """
    layout, backdrop, sensor = (np.random.default_rng([*seed, stream]) for stream in range(3))
    scene = sample_scene(layout, size, unknown=unknown, weather=weather)
    canvas = Canvas(scene.camera, scene.weather)
    paint_ground(canvas, scene.ground, [*(b.solid() for b in scene.buildings), *scene.things])
    draw_skyline(canvas, backdrop)
    ordered = [(b.stop, 0, i) for i, b in enumerate(scene.buildings)]
    ordered += [(thing.position[1], 1, i) for i, thing in enumerate(scene.things)]
    for _, kind, i in sorted(ordered, key=lambda entry: -entry[0]):
        if kind == 0:
            draw_building(canvas, scene.buildings[i])
        else:
            canvas.draw(scene.things[i])
    width, height = size
    picture = canvas.colours.reshape(height, 2, width, 2, 3).mean(axis=(1, 3))
    return Rendering(
        expose(picture, sensor), canvas.labels[1::2, 1::2].copy(), canvas.instances[1::2, 1::2].copy()
    )
