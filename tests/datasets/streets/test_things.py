"""Laws of everything that stands in a street."""

import numpy as np
import pytest

from oodretrieval.datasets.streets import street_furniture
from oodretrieval.datasets.streets.camera import Camera
from oodretrieval.datasets.streets.canvas import Canvas, face_normal
from oodretrieval.datasets.streets.classes import LABELS, UNKNOWN
from oodretrieval.datasets.streets.noise import cloudy, furry, grainy, nearest, smooth
from oodretrieval.datasets.streets.people import person
from oodretrieval.datasets.streets.solids import box, disc, extrude, lathe, place
from oodretrieval.datasets.streets.unknown_objects import MAKERS
from oodretrieval.datasets.streets.vehicles import car
from oodretrieval.datasets.streets.weather import colour, expose, sample_weather

GREY = colour(0.5, 0.5, 0.5)
ALL = {
    **{name: MAKERS[label] for label, (name, _) in UNKNOWN.items()},
    "car": car,
    "person": person,
    "traffic light": street_furniture.traffic_light,
    "bollard": street_furniture.bollard,
}


def canvas(seed=0):
    eye = Camera(256, 160, 220.0, 1.5, 0.0, 0.02, 0.0, 0.0, 0.0)
    return Canvas(eye, sample_weather(np.random.default_rng(seed)))


@pytest.mark.parametrize(
    "solid",
    [
        box((-1, -1, -1), (1, 1, 1), GREY),
        lathe([(1, -1, GREY), (0.7, 1, GREY)], lid=GREY),
        extrude([(-1, -1), (-1, 1), (1, 1), (1, -1)], 1.0, GREY),
        [disc((1, 0, 0), 1.0, "x", 1, GREY, 0), disc((-1, 0, 0), 1.0, "x", -1, GREY, 0)],
        [disc((0, 0, 1), 1.0, "z", 1, GREY, 0), disc((0, 0, -1), 1.0, "z", -1, GREY, 0)],
    ],
)
def test_faces_of_convex_solids_look_outwards(solid):
    assert all(float(face_normal(part.points) @ part.points.mean(axis=0)) > 0 for part in solid)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("yaw", [0.0, 1.1, 3.0, 4.6])
def test_things_stand_on_the_ground_and_are_seen_from_all_sides(name, yaw):
    thing = ALL[name](np.random.default_rng(3))
    points = np.concatenate([part.points for part in thing.parts])
    assert -0.05 < points[:, 1].min() < 0.2
    assert points[:, 1].max() < 4.0
    scene = canvas()
    scene.draw(place(thing, 0.3, 8.0, yaw, instance=7))
    seen = scene.labels == thing.label
    assert seen.sum() > 40
    assert np.array_equal(seen, scene.instances == 7)


def test_every_unknown_label_has_a_maker():
    assert set(MAKERS) == LABELS.unknown_ids
    for label, make in MAKERS.items():
        assert make(np.random.default_rng(0)).label == label


def test_what_is_nearer_hides_what_is_farther():
    scene = canvas()
    for depth, instance in ((12.0, 1), (6.0, 2)):
        thing = MAKERS[22](np.random.default_rng(1))
        scene.draw(place(thing, 0.0, depth, 0.0, instance))
    assert (scene.instances == 2).sum() > (scene.instances == 1).sum()


def test_things_behind_the_camera_leave_no_trace():
    scene = canvas()
    before = scene.colours.copy()
    scene.draw(place(car(np.random.default_rng(0)), 0.0, -10.0))
    assert np.array_equal(scene.colours, before)
    assert not scene.instances.any()


@pytest.mark.parametrize("tile", [cloudy(6), grainy(), furry()])
def test_noise_is_within_range_and_wraps(tile):
    assert tile.min() >= 0 and tile.max() <= 1 and abs(tile.mean() - 0.5) < 0.05
    u, v = np.array([3.0, 200.0], np.float32), np.array([7.0, 511.0], np.float32)
    assert np.array_equal(nearest(tile, u, v), nearest(tile, u + 512, v - 512))
    assert np.allclose(smooth(tile, u, v), nearest(tile, u, v))


def test_exposure_keeps_shape_and_range():
    picture = np.linspace(-0.5, 2.0, 20 * 30 * 3, dtype=np.float32).reshape(20, 30, 3)
    image = expose(picture, np.random.default_rng(0))
    assert image.shape == (20, 30, 3) and image.dtype == np.uint8
