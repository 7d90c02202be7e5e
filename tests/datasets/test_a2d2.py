"""A2D2: colours to ids, cameras, and its map to Cityscapes."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from make_miniatures import A2D2_COLOURS
from PIL import Image

from oodretrieval.datasets.a2d2 import A2D2, LABELS, UNLABELLED, labels_from_colours, read_class_list
from oodretrieval.datasets.cityscapes import CATEGORIES
from oodretrieval.errors import DatasetError, DatasetNotFoundError, ImageError, UnknownNameError

COLOURS = {0x000000: 255, 0x0000FF: 3, 0x00FF00: 7, 0xFF0000: 0, 0x010203: 9, 0xFFFFFF: 12}


@given(
    arrays(
        np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=st.integers(0, len(COLOURS) - 1)
    )
)
def test_colours_become_ids_like_pixel_by_pixel(choice):
    packed = np.array(list(COLOURS))[choice]
    image = np.stack([packed >> 16, packed >> 8 & 255, packed & 255], axis=-1).astype(np.uint8)
    plain = [[COLOURS[int(value)] for value in row] for row in packed]
    assert labels_from_colours(image, COLOURS.items(), Path("x.png")).tolist() == plain


def test_an_unknown_colour_is_named_with_its_file(fresh):
    root = fresh("a2d2")
    dataset = A2D2(root)
    path = dataset.items[1].labels
    image = np.array(Image.open(path))
    image[2, 3] = image[2, 4] = (1, 2, 3)
    Image.fromarray(image).save(path)
    with pytest.raises(ImageError, match=rf"{path.name}: 2 pixel.*#010203"):
        dataset[1]


def test_instances_are_merged_and_ids_do_not_depend_on_the_file(fresh):
    root = fresh("a2d2")
    path = root / "camera_lidar_semantic/class_list.json"
    table = read_class_list(path)
    assert {table[int(c[1:], 16)] for c, n in A2D2_COLOURS.items() if n.startswith("Car")} == {4}
    before = A2D2(root)[0].labels
    path.write_text(json.dumps(dict(reversed(A2D2_COLOURS.items()))))
    assert read_class_list(path) == table
    assert np.array_equal(A2D2(root)[0].labels, before)


def test_black_is_unlabelled(miniatures):
    dataset = A2D2(miniatures / "a2d2")
    black = (np.array(Image.open(dataset.items[0].labels)) == 0).all(axis=-1)
    assert black.any() and np.array_equal(dataset[0].labels == UNLABELLED, black)


def test_the_class_list_may_lie_in_the_root(fresh):
    root = fresh("a2d2")
    (root / "camera_lidar_semantic/class_list.json").rename(root / "class_list.json")
    assert len(A2D2(root)) == 4
    (root / "class_list.json").unlink()
    with pytest.raises(DatasetNotFoundError, match=r"no class_list\.json"):
        A2D2(root)


@pytest.mark.parametrize(
    "text", ["{", "[1]", '{"red": "Car 1"}', '{"#ff00": "Car 1"}', '{"#ff0000": 3}', "3"]
)
def test_refuses_a_class_list_of_another_form(text, tmp_path):
    path = tmp_path / "class_list.json"
    path.write_text(text)
    with pytest.raises(DatasetError, match="must be a JSON object"):
        read_class_list(path)


def test_refuses_a_class_that_a2d2_does_not_have(tmp_path):
    path = tmp_path / "class_list.json"
    path.write_text('{"#ff0000": "Spaceship 2"}')
    with pytest.raises(DatasetError, match="Spaceship"):
        read_class_list(path)


def test_labels_map_to_cityscapes():
    names = {LABELS.label_name(i): i for i in LABELS.label_mapping}
    assert len(names) == 39 and sorted(LABELS.label_mapping) == [*range(38), 255]
    assert [n for n in names if n != "unlabelled"] == sorted(n for n in names if n != "unlabelled")
    unknown = {LABELS.label_name(i) for i in LABELS.unknown_ids}
    assert {"Animals", "Obstacles / trash", "Tractor", "Utility vehicle", "Traffic guide obj."} <= unknown
    assert {LABELS.label_name(i) for i in LABELS.void_ids} == {
        "Blurred area", "Ego car", "Non-drivable street", "Rain dirt", "unlabelled",
    }  # fmt: skip
    assert LABELS.pred_mapping[LABELS.label_to_pred[names["Small vehicles"]]][0] == "motorcycle"


def test_categories_agree_with_the_classes():
    assert set(LABELS.category_mapping) == set(CATEGORIES)
    seen = [i for ids, _ in LABELS.category_mapping.values() for i in ids]
    assert len(seen) == len(set(seen)) and not LABELS.void_ids & set(seen)
    for labels, predicted in LABELS.category_mapping.values():
        assert {LABELS.label_to_pred[i] for i in labels} - {255} <= predicted
    mapped = {i for i, p in LABELS.label_to_pred.items() if p != 255}
    assert mapped <= set(seen)


def test_chooses_cameras(miniatures):
    root = miniatures / "a2d2"
    assert A2D2(root).ids[0] == (
        "20180807_145028/camera/cam_front_center/20180807145028_camera_frontcenter_000000091"
    )
    side = A2D2(root, cameras=("side_left",))
    assert len(side) == 2 and all("cam_side_left" in key for key in side.ids)
    assert A2D2(root, cameras="side_left").ids == side.ids
    both = A2D2(root, cameras=["side_left", "front_center"])
    assert both.ids == sorted(both.ids) and len(both) == 6
    with pytest.raises(UnknownNameError, match=r"'rear_center'.*Known: front_center, side_left"):
        A2D2(root, cameras=("rear_center",))
    with pytest.raises(DatasetNotFoundError, match="no camera"):
        A2D2(root, cameras=())
