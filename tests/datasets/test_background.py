"""Void or unknown as background, over any dataset, built or by entry."""

import numpy as np
import pytest

from oodretrieval.datasets import (
    CamVid,
    Cityscapes,
    ImageFolder,
    open_dataset,
    subset_by_index,
    with_background,
)
from oodretrieval.entries import DatasetEntry
from oodretrieval.errors import ConfigurationError, DatasetError

UNKNOWN = ("pedestrian", "bicyclist")


@pytest.fixture
def camvid(miniatures):
    return CamVid(miniatures / "camvid", "val", unknown=UNKNOWN)


def test_void_is_background_and_classes_move_up(camvid):
    behind = with_background(camvid)
    assert behind.ids == camvid.ids
    for index in range(len(camvid)):
        labels = camvid[index].labels
        assert np.array_equal(behind[index].labels, labels), "label ids stay"
        before, after = camvid.label_set.to_predicted(labels), behind.label_set.to_predicted(labels)
        void, unknown = labels == 11, np.isin(labels, (9, 10))
        known = ~(void | unknown)
        assert (after[void] == 0).all() and (after[unknown] == 255).all()
        assert np.array_equal(after[known], before[known] + 1)
    assert behind.pred_mapping[0] == ("background", (0, 0, 0))
    assert behind.void_ids == frozenset() and behind.label_set.unknown_ids == {9, 10}


def test_unknown_as_background_keeps_void(camvid):
    behind = with_background(camvid, void=False, unknown=True)
    assert behind.void_ids == {11} and behind.label_set.unknown_ids == frozenset()
    assert {i for i, p in behind.label_to_pred.items() if p == 0} == {9, 10}


def test_the_selection_of_classes_moves_up_too(miniatures):
    whole = Cityscapes(miniatures / "cityscapes")
    whole.pred_class_selection = (11, 12)
    assert with_background(whole).pred_class_selection == [12, 13]
    whole.pred_class_selection = None
    assert with_background(whole).pred_class_selection is None


def test_by_entry_over_another_root_and_in_a_part_of_it(miniatures, tmp_path):
    inner = DatasetEntry("oodretrieval.datasets", "CamVid", {"root": tmp_path / "nowhere", "split": "val"})
    entry = DatasetEntry("oodretrieval.datasets.background", "with_background", {"dataset": inner})
    dataset = open_dataset(entry, "behind", root=miniatures / "camvid")
    assert dataset.label_set.num_classes == 12 and dataset.label_set.background_id == 0
    assert subset_by_index(dataset, [1]).label_set.background_id == 0


def test_what_has_nothing_to_be_background_says_so(camvid, miniatures):
    with pytest.raises(DatasetError, match="this dataset has none; use it as it is"):
        with_background(ImageFolder(miniatures / "folder"))
    with pytest.raises(ConfigurationError, match="no label id would become background"):
        with_background(CamVid(miniatures / "camvid", "val"), void=False, unknown=True)
    with pytest.raises(ConfigurationError, match="named 'background' already"):
        with_background(with_background(camvid))


def test_camvids_void_is_some_percent_of_its_pixels(shared_data):
    behind = with_background(CamVid(shared_data / "camvid", "val", unknown=UNKNOWN))
    shares = [float((behind.label_set.to_predicted(behind.labels_at(i)) == 0).mean()) for i in (0, 50, 100)]
    assert 0.005 < sum(shares) / 3 < 0.2
