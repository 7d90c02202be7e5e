"""What stands where: the layout of a street, drawn from a seed."""

import numpy as np

from oodretrieval.datasets.streets import street_furniture
from oodretrieval.datasets.streets.buildings import Building
from oodretrieval.datasets.streets.camera import Camera
from oodretrieval.datasets.streets.facades import sample_style
from oodretrieval.datasets.streets.ground import Ground
from oodretrieval.datasets.streets.people import person
from oodretrieval.datasets.streets.scene import Scene
from oodretrieval.datasets.streets.solids import place
from oodretrieval.datasets.streets.unknown_objects import MAKERS
from oodretrieval.datasets.streets.vegetation import hedge, tree
from oodretrieval.datasets.streets.vehicles import car
from oodretrieval.datasets.streets.weather import colour, sample_weather

FAR = 95.0
"""Depth in metres up to which the street is furnished."""


def sample_scene(
    rng: np.random.Generator, size: tuple[int, int], *, unknown: bool, weather: str = ""
) -> Scene:
    """Draw a street.

    Args:
        rng: Source of everything.
        size: Width and height of the picture in pixels, before supersampling.
        unknown: Whether objects of unknown kinds may appear (in about seven of eight scenes they do).
        weather: Name of a weather; empty to draw one. The street is the same whatever it is.

    Returns:
        The scene.
    """
    ground = _sample_ground(rng)
    scene = Scene(_sample_camera(rng, size, ground), sample_weather(rng, weather), ground)
    if unknown:
        _add_unknown(rng, scene)
    _add_cars(rng, scene)
    _add_people(rng, scene)
    _add_furniture(rng, scene)
    _add_vegetation(rng, scene)
    _add_buildings(rng, scene)
    return scene


def _sample_ground(rng: np.random.Generator) -> Ground:
    lanes = int(rng.choice([2, 2, 2, 3, 4]))
    begin = rng.uniform(18, 60)
    crossing = (float(begin), float(begin + rng.uniform(6, 10))) if rng.random() < 0.4 else None
    slab = ((0.5, 0.5), (0.9, 0.6), (0.22, 0.11), (0.4, 0.2), (1.2, 1.2))[rng.integers(5)]
    half = lanes * rng.uniform(2.7, 3.5) / 2 + rng.uniform(0.3, 1.4)
    patches = rng.uniform(
        [-half, 4, 0.3, 0.5, -0.22], [half, 45, 1.4, 4.0, 0.16], (int(rng.integers(0, 7)), 5)
    )
    zebra = float(rng.uniform(9, 30)) if rng.random() < 0.3 else None
    if zebra and crossing and crossing[0] - 4 < zebra < crossing[1] + 4:
        zebra = crossing[0] - 4
    return Ground(
        half=float(half),
        pavement=float(rng.uniform(2.0, 4.6)),
        lanes=lanes,
        crossing=crossing,
        zebra=zebra,
        bays=bool(half > 4.6 and rng.random() < 0.4),
        asphalt=np.asarray(
            colour(0.37, 0.37, 0.38) * rng.uniform(0.66, 1.3) * rng.normal(1, 0.025, 3), np.float32
        ),
        paving=np.asarray(
            colour(0.56, 0.53, 0.50) * rng.uniform(0.76, 1.2) * rng.normal(1, 0.05, 3), np.float32
        ),
        slab=slab,
        cobbled=bool(rng.random() < 0.1),
        wear=float(rng.uniform(0.15, 0.95)),
        paint=colour(0.90, 0.90, 0.87) if rng.random() < 0.85 else colour(0.90, 0.72, 0.20),
        patches=patches,
        offset=(float(rng.uniform(0, 512)), float(rng.uniform(0, 512))),
    )


def _sample_camera(rng: np.random.Generator, size: tuple[int, int], ground: Ground) -> Camera:
    width, height = size[0] * 2, size[1] * 2
    field_of_view = np.radians(rng.uniform(52, 74))
    bend = rng.uniform(-0.0022, 0.0022) if rng.random() < 0.5 else 0.0
    aside = rng.random() < 0.12
    lane = -ground.half + (ground.lanes - 0.5) * ground.lane_width
    lateral = (ground.half + 1.0) * rng.choice([-1, 1]) if aside else lane + rng.normal(0, 0.8)
    return Camera(
        width=width,
        height=height,
        focal=float(width / 2 / np.tan(field_of_view / 2)),
        elevation=float(rng.uniform(1.25, 2.1)),
        lateral=float(lateral),
        pitch=float(np.radians(rng.uniform(-2.0, 7.0))),
        yaw=float(np.radians(rng.normal(0, 5.0)) - 0.5 * lateral / 30 + bend * 25),
        roll=float(np.radians(rng.normal(0, 0.8))),
        bend=float(bend),
    )


def _add_unknown(rng: np.random.Generator, scene: Scene) -> None:
    count = int(rng.choice([0, 1, 2, 3], p=[0.13, 0.32, 0.33, 0.22]))
    kinds = rng.permutation(list(MAKERS))[:count]
    for kind in kinds.tolist():
        for _ in range(20):
            thing = MAKERS[kind](rng)
            points = np.concatenate([part.points for part in thing.parts])
            extent = points.max(axis=0) - points.min(axis=0)
            area = 0.6 * extent[1] * max(extent[0], 0.7 * extent[2])
            target = np.exp(rng.uniform(np.log(450), np.log(5500)))
            z = float(np.clip(scene.camera.focal / 2 * np.sqrt(area / target), 6.5, 30.0))
            reach = 0.8 * z * scene.camera.width / 2 / scene.camera.focal
            drift = scene.camera.lateral - scene.camera.bend * z**2 + np.tan(scene.camera.yaw) * z
            x = float(drift + rng.uniform(-reach, reach))
            if abs(x) < scene.ground.half + scene.ground.pavement - 0.6 and scene.add(
                thing, x, z, rng.uniform(0, 2 * np.pi)
            ):
                break


def _add_cars(rng: np.random.Generator, scene: Scene) -> None:
    ground = scene.ground
    for side in (-1, 1):
        if rng.random() < 0.62:
            chance, z = rng.uniform(0.3, 0.85), rng.uniform(6.0, 12.0)
            while z < FAR * 0.75:
                free = not ground.crossing or not ground.crossing[0] - 4 < z < ground.crossing[1] + 4
                if rng.random() < chance and free and not (ground.zebra and abs(z - ground.zebra) < 5):
                    turn = 0.0 if (side > 0) == (rng.random() < 0.9) else np.pi
                    scene.add(
                        car(rng), side * (ground.half - 1.15), z, turn + rng.normal(0, 0.03), clearance=-1.0
                    )
                z += rng.uniform(5.2, 6.4)
    for lane in range(ground.lanes):
        x = -ground.half + (lane + 0.5) * ground.lane_width
        ahead = lane >= ground.lanes / 2
        z = rng.uniform(8, 40)
        while z < FAR:
            if rng.random() < 0.5:
                shift = 0.4 if abs(x - scene.camera.lateral) > 1.2 or z > 9 else 0.1
                scene.add(
                    car(rng),
                    x + rng.normal(0, shift / 2),
                    z,
                    (0 if ahead else np.pi) + rng.normal(0, 0.04),
                    clearance=-1.2,
                )
            z += rng.uniform(9, 40)
    if ground.crossing and rng.random() < 0.6:
        middle = (ground.crossing[0] + ground.crossing[1]) / 2
        scene.add(
            car(rng),
            rng.uniform(-9, 9),
            middle + rng.choice([-1.6, 1.6]),
            np.pi / 2 * rng.choice([-1, 1]),
            clearance=-1.0,
        )


def _add_people(rng: np.random.Generator, scene: Scene) -> None:
    ground = scene.ground
    for _ in range(int(rng.integers(1, 14))):
        side = rng.choice([-1, 1])
        x = side * (ground.half + rng.uniform(0.4, max(0.6, ground.pavement - 0.4)))
        z = rng.uniform(5.5, 12) if rng.random() < 0.3 else rng.uniform(8, 55)
        turn = rng.choice([0.0, np.pi]) + rng.normal(0, 0.4)
        if scene.add(person(rng), x, z, turn) and rng.random() < 0.35:
            scene.add(person(rng), x + rng.uniform(0.5, 0.75), z + rng.normal(0, 0.2), turn, clearance=-0.2)
    crossing = int(rng.integers(1, 5)) if ground.zebra else int(rng.random() < 0.3)
    for _ in range(crossing):
        z = ground.zebra + rng.normal(0, 0.7) if ground.zebra else rng.uniform(9, 35)
        x = rng.uniform(-ground.half, ground.half)
        scene.add(person(rng), x, z, np.pi / 2 * rng.choice([-1, 1]) + rng.normal(0, 0.2))


def _add_furniture(rng: np.random.Generator, scene: Scene) -> None:
    ground = scene.ground
    for side in (-1, 1):
        edge = side * (ground.half + rng.uniform(0.35, 0.6))
        if rng.random() < 0.75:
            spacing, z = rng.uniform(16, 30), rng.uniform(4, 20)
            while z < FAR:
                scene.add(street_furniture.lamp_post(rng, -side), edge, z)
                z += spacing
        if rng.random() < 0.25:
            for z in np.arange(rng.uniform(5, 9), rng.uniform(15, 40), rng.uniform(1.6, 3.0)):
                scene.add(street_furniture.bollard(rng), edge * 0.99, float(z))
        for _ in range(int(rng.integers(0, 4))):
            _add_sign(rng, scene, edge + side * rng.uniform(0, 0.3), float(rng.uniform(6, 42)))
        if (ground.zebra or ground.crossing) and rng.random() < 0.6:
            z = ground.zebra - 2.4 if ground.zebra else (ground.crossing or (0.0, 0.0))[0] - 1.0
            scene.add(
                street_furniture.traffic_light(rng),
                edge,
                z,
                rng.normal(0, 0.1) + np.pi * (side < 0) * (rng.random() < 0.3),
            )


def _add_sign(rng: np.random.Generator, scene: Scene, x: float, z: float) -> None:
    tall, turn = rng.uniform(2.0, 2.7), rng.normal(0, 0.22) + np.pi * (rng.random() < 0.12)
    if scene.add(street_furniture.sign_post(rng, tall), x, z, turn):
        board = street_furniture.road_sign(rng, tall)
        scene.things.append(place(board, x, z - 0.02, turn))


def _add_vegetation(rng: np.random.Generator, scene: Scene) -> None:
    ground, weather = scene.ground, scene.weather
    for side in (-1, 1):
        if rng.random() < 0.62:
            spacing, z = rng.uniform(6, 16), rng.uniform(6, 16)
            while z < FAR:
                free = not ground.crossing or not ground.crossing[0] - 1 < z < ground.crossing[1] + 1
                if free and rng.random() < 0.8:
                    at = side * (ground.half + rng.uniform(0.7, 1.1))
                    _add_tree(rng, scene, at, float(z))
                z += spacing * rng.uniform(0.8, 1.3)
        if rng.random() < 0.4:
            edge = side * (ground.half + ground.pavement + 0.1)
            for z in np.arange(rng.uniform(6, 30), rng.uniform(30, 60), 4.2):
                if not ground.crossing or not ground.crossing[0] - 3 < z < ground.crossing[1] + 3:
                    scene.add(
                        hedge(rng, weather, 4.2, int(np.clip(5000 / z, 90, 380))),
                        edge,
                        float(z),
                        clearance=-1.9,
                    )


def _add_buildings(rng: np.random.Generator, scene: Scene) -> None:
    ground = scene.ground
    for side in (-1, 1):
        setback, typical = rng.choice([0.3, 0.3, 1.5, 5.0]), rng.uniform(6, 16)
        dense, z = rng.uniform(0.72, 1.0), rng.uniform(-14.0, -6.0)
        while z < FAR:
            length = rng.uniform(7, 18)
            crossed = ground.crossing and z < ground.crossing[1] + 2 and z + length > ground.crossing[0] - 2
            if ground.crossing and crossed and z < ground.crossing[0] - 8:
                length, crossed = ground.crossing[0] - 2 - z, False
            if crossed and ground.crossing:
                z = ground.crossing[1] + 2.5
                continue
            if rng.random() < dense:
                x = side * (ground.half + ground.pavement + setback + rng.choice([0.0, 0.0, 0.5]))
                tiles = colour(0.46, 0.24, 0.18) if rng.random() < 0.6 else colour(0.28, 0.28, 0.30)
                scene.buildings.append(
                    Building(
                        x=float(x), start=float(z), stop=float(z + length), depth=float(rng.uniform(8, 12)),
                        height=float(np.clip(typical * rng.uniform(0.7, 1.35), 5.6, 24)),
                        roof=float(rng.uniform(2, 4)) if rng.random() < 0.5 else 0.0,
                        tiles=np.asarray(tiles * rng.uniform(0.8, 1.25), np.float32), style=sample_style(rng),
                    )
                )  # fmt: skip
            else:
                _add_yard(rng, scene, side * (ground.half + ground.pavement), z, length)
            z += length + (0.0 if rng.random() < 0.75 else rng.uniform(1.0, 4.0))


def _add_yard(rng: np.random.Generator, scene: Scene, x: float, z: float, length: float) -> None:
    for _ in range(int(rng.integers(2, 5))):
        at = z + rng.uniform(1, length - 1)
        if 5 < at < FAR:
            _add_tree(rng, scene, x + np.sign(x) * rng.uniform(2, 9), float(at))


def _add_tree(rng: np.random.Generator, scene: Scene, x: float, z: float) -> None:
    wood, crown = tree(rng, scene.weather, int(np.clip(6000 / z, 110, 420)))
    if scene.add(wood, x, z):
        scene.things.append(place(crown, x, z))
