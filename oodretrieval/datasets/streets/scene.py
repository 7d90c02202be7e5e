"""A street with everything in it, and the rule by which things find room there."""

from dataclasses import dataclass, field

import numpy as np

from oodretrieval.datasets.streets.buildings import Building
from oodretrieval.datasets.streets.camera import Camera
from oodretrieval.datasets.streets.classes import CAR, PERSON, UNKNOWN
from oodretrieval.datasets.streets.ground import Ground
from oodretrieval.datasets.streets.solids import Thing, place
from oodretrieval.datasets.streets.weather import Weather


@dataclass
class Scene:
    """A street with everything in it.

    Attributes:
        camera: Where it is seen from.
        weather: Light and air.
        ground: Road and pavement.
        buildings: Houses on both sides.
        things: Everything else that stands in it.
    """

    camera: Camera
    weather: Weather
    ground: Ground
    buildings: list[Building] = field(default_factory=list)
    things: list[Thing] = field(default_factory=list)

    def add(self, thing: Thing, x: float, z: float, yaw: float = 0.0, *, clearance: float = 0.25) -> bool:
        """Set a thing down where there is room for it.

        Args:
            thing: In its own coordinates.
            x: Metres across.
            z: Metres along.
            yaw: Turn, radians.
            clearance: Metres to keep from others.

        Returns:
            Whether there was room, and it hides no object of an unknown kind.
        """
        radius = max(thing.footprint) / 2
        for other in self.things:
            gap = np.hypot(other.position[0] - x, other.position[1] - z)
            if gap < radius + max(other.footprint) / 2 + clearance or _hides(
                self.camera, thing.label, x, z, radius, other
            ):
                return False
        instance = 1 + sum(other.instance > 0 for other in self.things) if is_countable(thing.label) else 0
        self.things.append(place(thing, x, z, yaw, instance))
        return True


def is_countable(label: int) -> bool:
    """Whether things of the label id ``label`` get an instance id: cars, people and unknown objects."""
    return label in (CAR, PERSON) or label in UNKNOWN


def _hides(camera: Camera, label: int, x: float, z: float, radius: float, other: Thing) -> bool:
    if other.label not in UNKNOWN or (z > other.position[1] and label not in UNKNOWN):
        return False

    def direction(at: tuple[float, float]) -> float:
        return (at[0] + camera.bend * at[1] ** 2 - camera.lateral) / max(at[1], 1.0)

    room = (radius + 0.2) / max(z, 1.0) + max(other.footprint) / 2 / other.position[1]
    return abs(direction((x, z)) - direction(other.position)) < room * 0.9
