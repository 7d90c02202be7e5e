"""Datasets over the coarse classes that they share, and several as one."""

import numpy as np
import pytest

from oodretrieval.datasets import (
    A2D2,
    AnomalySet,
    CamVid,
    CamVidDrives,
    IDDLite,
    ImageFolder,
    JoinedDataset,
    join_datasets,
    with_street_classes,
)
from oodretrieval.datasets.street_classes import CLASSES
from oodretrieval.entries import DatasetEntry
from oodretrieval.errors import ConfigurationError, DatasetError, UnknownNameError


def class_of(dataset):
    labels = dataset.label_set
    return {
        name: CLASSES[labels.label_to_pred[i]][0]
        for i, (name, _) in labels.label_mapping.items()
        if labels.label_to_pred[i] in CLASSES
    }


def test_people_and_vehicles_are_known_whatever_the_entry_left_out(miniatures):
    camvid = CamVid(miniatures / "camvid", unknown=("pedestrian", "bicyclist"))
    found = class_of(with_street_classes(camvid))
    assert found == {
        "sky": "sky",
        "building": "far object",
        "pole": "roadside object",
        "road": "drivable",
        "pavement": "not drivable",
        "tree": "far object",
        "sign": "roadside object",
        "fence": "roadside object",
        "car": "vehicle",
        "pedestrian": "living thing",
        "bicyclist": "living thing",
    }


def test_full_labels_keep_what_is_unknown(miniatures):
    dataset = with_street_classes(CamVidDrives(miniatures / "camvid_drives", ("0016E5",)))
    labels = dataset.label_set
    unknown = {labels.label_name(i) for i in labels.unknown_ids}
    assert unknown == {"Animal", "CartLuggagePram", "TrafficCone", "OtherMoving"}
    assert {labels.label_name(i) for i in labels.void_ids} == {"Void"}


def test_idd_lite_stays_as_it_is(miniatures):
    dataset = IDDLite(miniatures / "idd_lite")
    assert with_street_classes(dataset).label_set == dataset.label_set


def test_names_a_label_that_the_table_lacks(miniatures):
    with pytest.raises(UnknownNameError, match="label with a street class"):
        with_street_classes(A2D2(miniatures / "a2d2"))
    with pytest.raises(UnknownNameError, match="'known'"):
        with_street_classes(AnomalySet(miniatures / "anomalies"))


def test_root_reaches_the_dataset_inside(miniatures):
    entry = DatasetEntry("oodretrieval.datasets.idd_lite", "IDDLite", {"root": "nowhere"})
    assert len(with_street_classes(entry, root=miniatures / "idd_lite")) == 2


def test_refuses_a_dataset_without_truth(miniatures):
    folder = ImageFolder(miniatures / "folder")
    with pytest.raises(DatasetError, match="has none"):
        with_street_classes(folder)
    with pytest.raises(DatasetError, match="'photos' has none"):
        join_datasets({"photos": folder})


@pytest.fixture
def parts(miniatures):
    return {
        "camvid": with_street_classes(CamVid(miniatures / "camvid")),
        "idd": IDDLite(miniatures / "idd_lite"),
        "drives": with_street_classes(CamVidDrives(miniatures / "camvid_drives", ("0016E5",))),
    }


def test_joined_samples_mean_what_they_meant(parts):
    whole = JoinedDataset(parts)
    expected = [(name, sample, part) for name, part in parts.items() for sample in part]
    assert len(whole) == len(expected) == 6
    for index, (name, sample, part) in enumerate(expected):
        found = whole[index]
        assert found.id == f"{name}/{sample.id}" == whole.ids[index]
        assert np.array_equal(found.image, sample.image)
        ours, theirs = whole.label_set, part.label_set
        assert np.array_equal(ours.to_predicted(found.labels), theirs.to_predicted(sample.labels))
        for kind in ("unknown_ids", "void_ids"):
            assert np.array_equal(
                np.isin(found.labels, list(getattr(ours, kind))),
                np.isin(sample.labels, list(getattr(theirs, kind))),
            )
        pairs = set(zip(found.labels.ravel().tolist(), sample.labels.ravel().tolist(), strict=True))
        assert all(ours.label_mapping[ours_id] == theirs.label_mapping[own] for ours_id, own in pairs)


def test_joined_by_entries(miniatures):
    entry = DatasetEntry("oodretrieval.datasets.idd_lite", "IDDLite", {"root": miniatures / "idd_lite"})
    assert join_datasets({"a": entry, "b": entry}).ids[::2] == ["a/train_0_000041", "b/train_0_000041"]


def test_video_where_a_part_is(parts):
    assert JoinedDataset(parts).video
    assert not JoinedDataset({"idd": parts["idd"]}).video


@pytest.mark.parametrize("index", [-1, 6])
def test_joined_ends_like_a_sequence(index, parts):
    with pytest.raises(IndexError):
        JoinedDataset(parts)[index]


def test_refuses_other_predicted_classes_and_nothing(parts, miniatures):
    with pytest.raises(ConfigurationError, match=r"'camvid' has drivable.*'own' has sky"):
        JoinedDataset({"camvid": parts["camvid"], "own": CamVid(miniatures / "camvid")})
    with pytest.raises(ConfigurationError, match="at least one dataset"):
        join_datasets({})
