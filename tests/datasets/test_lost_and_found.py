"""Lost and Found's table of labels."""

import numpy as np
import pytest

from oodretrieval.datasets.lost_and_found import GROUPS, LABELS, LostAndFound
from oodretrieval.errors import UnknownNameError
from oodretrieval.labels import NO_CLASS


def test_road_background_and_obstacles():
    assert sorted(LABELS.label_mapping) == list(range(44))
    assert LABELS.void_ids == {0}
    assert LABELS.label_to_pred[1] == 0 and LABELS.pred_mapping[0][0] == "road"
    assert LABELS.unknown_ids == set(range(2, 44))


@pytest.mark.parametrize(
    ("label", "name"),
    [
        (2, "crate (black)"),
        (8, "bumper"),
        (21, "tire"),
        (23, "bicycle"),
        (30, "cardboard box 2"),
        (43, "kid (crawling)"),
    ],
)
def test_names_follow_the_published_table(label, name):
    assert LABELS.label_name(label) == name


def test_groups_hold_every_obstacle_once():
    assert sorted(i for ids in GROUPS.values() for i in ids) == list(range(2, 44))
    assert GROUPS["random non-hazards"] == {31, 33, 34, 36, 37, 38, 39}
    assert GROUPS["humans"] == {40, 41, 42, 43}


def test_colours_differ():
    colours = [colour for _, colour in LABELS.label_mapping.values()]
    assert len(set(colours)) == len(colours)


def test_known_things_map_to_cityscapes(miniatures):
    dataset = LostAndFound(miniatures / "lost_and_found", known_things=True)
    names = {i: dataset.pred_mapping[p][0] for i, p in dataset.label_to_pred.items() if p != NO_CLASS}
    assert names == {1: "road", 23: "bicycle", 40: "person", 41: "person", 42: "person", 43: "person"}


def test_free_space_is_read_as_road(miniatures):
    dataset = LostAndFound(miniatures / "lost_and_found")
    labels = dataset[0].labels
    assert np.array_equal(dataset.label_set.to_predicted(labels) == 0, labels == 1)


def test_refuses_an_unknown_split(miniatures):
    with pytest.raises(UnknownNameError, match="Known: test, train"):
        LostAndFound(miniatures / "lost_and_found", "val")
