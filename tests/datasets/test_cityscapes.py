"""Cityscapes: tables, layout, and the real files where they are at hand."""

import numpy as np
import pytest

from oodretrieval.datasets.cityscapes import CATEGORIES, CLASSES, LABELS, Cityscapes
from oodretrieval.errors import DatasetNotFoundError, UnknownNameError
from oodretrieval.labels import NO_CLASS

TRAINED = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]


def test_the_nineteen_train_ids_follow_the_label_ids():
    assert [LABELS.label_to_pred[i] for i in TRAINED] == list(range(19))
    assert all(LABELS.label_mapping[i] == CLASSES[p] for p, i in enumerate(TRAINED))


def test_every_other_id_is_void_or_unknown():
    assert sorted(LABELS.label_mapping) == list(range(34))
    assert LABELS.void_ids == set(range(7))
    names = {LABELS.label_name(i) for i in LABELS.unknown_ids}
    assert names == {
        "parking", "rail track", "guard rail", "bridge", "tunnel", "polegroup", "caravan", "trailer",
    }  # fmt: skip


def test_categories_hold_every_class_once():
    assert list(CATEGORIES) == ["flat", "construction", "object", "nature", "sky", "human", "vehicle"]
    labels = sorted(i for ids, _ in CATEGORIES.values() for i in ids)
    predicted = sorted(i for _, ids in CATEGORIES.values() for i in ids)
    assert labels == list(range(7, 34)) and predicted == list(range(19))
    assert CATEGORIES["human"] == ({24, 25}, {11, 12})


def test_ids_are_paths_without_the_suffix(miniatures):
    assert Cityscapes(miniatures / "cityscapes").ids == [
        "train/aachen/aachen_000000_000019",
        "train/aachen/aachen_000000_000020",
        "train/bochum/bochum_000000_000019",
        "train/bochum/bochum_000000_000020",
    ]


def test_the_test_split_needs_no_label_files(fresh):
    root = fresh("cityscapes")
    for path in root.glob("gtFine/test/*/*"):
        path.unlink()
    dataset = Cityscapes(root, "test")
    assert dataset[0].labels is None and dataset.labels_at(0) is None and dataset.label_set is None


def test_unknown_classes_close_up(miniatures):
    dataset = Cityscapes(miniatures / "cityscapes", "val", unknown=("person", "rider"))
    assert dataset.label_to_pred[24] == NO_CLASS and dataset.label_to_pred[26] == 11
    assert 24 in dataset.label_set.unknown_ids


def test_refuses_unknown_splits_and_empty_folders(miniatures, tmp_path):
    with pytest.raises(UnknownNameError, match="did you mean 'val'"):
        Cityscapes(miniatures / "cityscapes", "vall")
    with pytest.raises(UnknownNameError, match="'persn'"):
        Cityscapes(miniatures / "cityscapes", unknown=("persn",))
    (tmp_path / "leftImg8bit/train").mkdir(parents=True)
    with pytest.raises(DatasetNotFoundError, match=r"leftImg8bit\.png"):
        Cityscapes(tmp_path)


def test_reads_the_real_files(shared_data):
    dataset = Cityscapes(shared_data / "cityscapes")
    assert len(dataset) == 8 and dataset.ids[0] == "train/aachen/aachen_000000_000019"
    sample = dataset[0]
    assert sample.image.shape == (1024, 2048, 3) and sample.labels.shape == (1024, 2048)
    for index in range(len(dataset)):
        assert set(np.unique(dataset.labels_at(index)).tolist()) <= set(dataset.label_mapping)
    predicted = dataset.label_set.to_predicted(sample.labels)
    assert (predicted[700:, 900:1100] == 0).mean() > 0.3, "a street scene shows road in front of the car"
