"""Laws of the rendered streets as a dataset."""

import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

from oodretrieval.datasets.sample import SegmentationDataset
from oodretrieval.datasets.streets import LABELS, SPLITS, Streets, default_cache
from oodretrieval.datasets.streets.classes import CAR, PERSON
from oodretrieval.errors import DatasetError, UnknownNameError

SMALL = (192, 96)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("streets")


@pytest.fixture(scope="module")
def train(cache):
    return Streets("train", count=20, size=SMALL, cache=cache)


@pytest.fixture(scope="module")
def test(cache):
    return Streets("test", count=28, size=SMALL, cache=cache)


@pytest.fixture
def rendered(train, tmp_path):
    """The first street alone, rendered already, in a folder of this test."""
    name = train[0].id
    alone = Streets("train", count=1, size=SMALL, cache=tmp_path)
    alone.folder.mkdir(parents=True)
    for path in train.folder.glob(f"{name}*"):
        shutil.copy(path, alone.folder)
    return alone


def test_is_a_dataset(train):
    sample = train[3]
    assert isinstance(train, SegmentationDataset)
    assert (sample.image.shape, sample.image.dtype) == ((96, 192, 3), np.uint8)
    assert (sample.labels.shape, sample.labels.dtype) == ((96, 192), np.uint8)
    assert sample.id == train.ids[3] and len(set(train.ids)) == len(train) == 20
    assert Path(sample.path).is_file()
    assert np.array_equal(train[-17].image, sample.image)
    assert set(train.label_to_pred) == set(train.label_mapping) == set(LABELS.label_mapping)
    assert train.void_ids == {9} and set(train.pred_mapping) == set(range(9))
    with pytest.raises(IndexError, match="index 20"):
        train[20]


def test_default_counts():
    assert {split: len(Streets(split)) for split in SPLITS} == {"train": 600, "val": 80, "test": 60}


def test_equal_arguments_give_equal_pictures(train, tmp_path):
    np.random.seed(5)  # noqa: NPY002
    again = Streets("train", count=2, size=SMALL, cache=tmp_path)
    for index in range(2):
        here, there = train[index], again[index]
        assert np.array_equal(here.image, there.image)
        assert np.array_equal(here.labels, there.labels)
        assert np.array_equal(train.instances(index), again.instances(index))


def test_splits_and_seeds_are_different_streets(train, tmp_path):
    others = [Streets("val", 1, size=SMALL, cache=tmp_path), Streets("train", 1, 1, SMALL, tmp_path)]
    for other in others:
        assert (other[0].labels != train[0].labels).mean() > 0.05
        assert other.ids[0] != train.ids[0]


def test_train_shows_every_known_class_and_nothing_else(train):
    seen = {int(label) for sample in (train[i] for i in range(5)) for label in np.unique(sample.labels)}
    assert seen == set(LABELS.pred_mapping)


def test_val_has_no_unknown_objects(cache):
    val = Streets("val", count=3, size=SMALL, cache=cache)
    assert all(np.isin(val[i].labels, list(LABELS.pred_mapping)).all() for i in range(3))


@pytest.mark.parametrize(
    "weather", ["fog", *(pytest.param(other, marks=pytest.mark.slow) for other in ("dusk", "clear"))]
)
def test_another_weather_is_the_same_street_in_another_light(weather, test, cache):
    other = Streets("test", count=2, size=SMALL, cache=cache, weather=weather)
    for index in range(2):
        here, there = test[index], other[index]
        assert np.array_equal(here.labels, there.labels) and here.id == there.id
        assert np.array_equal(test.instances(index), other.instances(index))
    assert any(not np.array_equal(test[i].image, other[i].image) for i in range(2))


@pytest.mark.slow
def test_dusk_is_dark_and_fog_veils_what_is_far(test, cache):
    usual = np.array([test[i].image for i in range(4)], float)
    dusk, fog = (
        np.array(
            [Streets("test", 4, size=SMALL, cache=cache, weather=name)[i].image for i in range(4)], float
        )
        for name in ("dusk", "fog")
    )
    darkest_usual = usual.mean(axis=(1, 2, 3)).min()
    assert (dusk.mean(axis=(1, 2, 3)) < 0.75 * darkest_usual).all()
    far_and_dark = [np.percentile(images[:, 24:56], 2, axis=(1, 2, 3)) for images in (usual, fog)]
    assert (far_and_dark[1] > 1.25 * far_and_dark[0]).all()


def test_refuses_an_unknown_weather():
    with pytest.raises(UnknownNameError, match=r"weather of Streets.*'foggy'.*did you mean 'fog'"):
        Streets("test", weather="foggy")


@pytest.mark.slow
def test_test_shows_at_least_six_unknown_kinds(test):
    shown = [*range(12), *range(24, 28)]
    unknown = [set(np.unique(test[i].labels).tolist()) & LABELS.unknown_ids for i in shown]
    assert len(set().union(*unknown)) >= 6
    assert sum(bool(kinds) for kinds in unknown) >= 10
    assert any(not kinds for kinds in unknown)


@pytest.mark.slow
def test_every_instance_has_one_label(test):
    countable = [CAR, PERSON, *LABELS.unknown_ids]
    for index in range(12):
        labels, instances = test[index].labels, test.instances(index)
        assert instances.dtype == np.uint16 and instances.shape == labels.shape
        assert np.array_equal(instances > 0, np.isin(labels, countable))
        for instance in np.unique(instances[instances > 0]):
            assert len(np.unique(labels[instances == instance])) == 1


def test_cached_pictures_are_read(train, rendered, monkeypatch):
    streets, first = rendered, train[0]
    monkeypatch.setattr("oodretrieval.datasets.streets.dataset.render", None)
    assert np.array_equal(streets[0].image, first.image)
    assert np.array_equal(streets[0].labels, first.labels)


@pytest.mark.parametrize("damage", [b"", b"no picture at all"])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_damaged_pictures_are_rendered_again(rendered, damage, which):
    streets = rendered
    first = streets[0]
    victim = sorted(streets.folder.iterdir())[which]
    victim.write_bytes(damage)
    assert np.array_equal(streets[0].image, first.image)
    assert victim.read_bytes() != damage
    assert len(list(streets.folder.iterdir())) == 3


def test_truncated_picture_is_rendered_again(rendered):
    streets = rendered
    first = streets[0]
    picture = Path(first.path)
    picture.write_bytes(picture.read_bytes()[:2000])
    assert np.array_equal(streets[0].image, first.image)


def test_without_a_writable_cache_it_renders_and_warns_once(tmp_path, caplog):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    streets = Streets("train", count=2, size=SMALL, cache=blocked / "cache")
    with caplog.at_level(logging.WARNING):
        assert streets[0].image.shape == (96, 192, 3)
        assert streets[1].image.shape == (96, 192, 3)
    assert len(caplog.records) == 1 and "no cache of rendered streets" in caplog.text


def test_settings_do_not_share_pictures(tmp_path):
    variants = [
        Streets("train", 1, 0, SMALL, tmp_path),
        Streets("train", 1, 1, SMALL, tmp_path),
        Streets("val", 1, 0, SMALL, tmp_path),
        Streets("train", 1, 0, (128, 96), tmp_path),
    ]
    assert len({variant.folder for variant in variants}) == 4


def test_a_larger_count_reuses_what_is_there(tmp_path):
    assert Streets("train", 2, cache=tmp_path).folder == Streets("train", 9, cache=tmp_path).folder


def test_default_cache_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "oodretrieval" / "streets"
    assert Streets().folder.parent == default_cache()


def test_render_all_fills_the_cache(tmp_path):
    streets = Streets("val", count=3, size=(64, 32), cache=tmp_path)
    streets.render_all()
    assert len(list(streets.folder.glob("*.png"))) == 9
    (streets.folder / "val_0_0001.png").unlink()
    streets.render_all()
    assert len(list(streets.folder.glob("*.png"))) == 9


@pytest.mark.slow
def test_render_all_in_processes_gives_the_same_pictures(tmp_path):
    streets = Streets("val", count=3, size=(64, 32), cache=tmp_path / "a")
    streets.render_all(processes=2)
    assert len(list(streets.folder.glob("*.png"))) == 9
    alone = Streets("val", count=3, size=(64, 32), cache=tmp_path / "b")
    assert all(np.array_equal(streets[i].image, alone[i].image) for i in range(3))


def test_refuses_what_cannot_be():
    with pytest.raises(UnknownNameError, match="did you mean 'train'"):
        Streets("trian")
    for kwargs in ({"count": 0}, {"seed": -1}, {"size": (8, 8)}):
        with pytest.raises(DatasetError, match="Streets needs"):
            Streets(**kwargs)
