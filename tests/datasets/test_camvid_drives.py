"""Drives of CamVid and their full labels; laws and errors are tested with those of all datasets."""

import json

import numpy as np
import pytest

from oodretrieval.datasets import CamVidDrives
from oodretrieval.datasets.camvid_drives import FULL_CLASSES, KNOWN, LABELS, VOID, drive_of
from oodretrieval.errors import DatasetNotFoundError, UnknownNameError

UNKNOWN = {
    *("Animal", "CartLuggagePram", "Child", "TrafficCone", "OtherMoving"),
    *("Pedestrian", "Bicyclist", "MotorcycleScooter"),
}


def names(ids):
    return {FULL_CLASSES[i][0] for i in ids}


def test_every_full_label_is_known_unknown_or_void_once():
    known = [name for members in KNOWN.values() for name in members]
    assert sorted([*known, *UNKNOWN, *VOID]) == sorted(name for name, _ in FULL_CLASSES.values())
    assert names(LABELS["full"].unknown_ids) == UNKNOWN
    assert names(LABELS["full"].void_ids) == set(VOID)


def test_both_kinds_of_labels_are_for_the_same_network():
    assert LABELS["full"].pred_mapping == LABELS["12 classes"].pred_mapping
    assert [name for name, _ in LABELS["full"].pred_mapping.values()] == list(KNOWN)


def test_holds_the_frames_of_its_drives_in_order_whatever_their_split(miniatures):
    root = miniatures / "camvid_drives"
    assert CamVidDrives(root, ("0016E5",)).ids == ["0016E5_000002", "0016E5_000003"]
    coarse = CamVidDrives(root, ("0016E5", "0001TP"), "12 classes")
    assert coarse.ids == ["0001TP_000001", "0016E5_000001", "0016E5_000002", "0016E5_000003"]
    assert CamVidDrives(root, ("0016E5",), "12 classes", ("val",)).ids == ["0016E5_000003"]


def test_a_drive_without_full_labels_is_named_with_what_to_do(miniatures):
    with pytest.raises(DatasetNotFoundError, match=r"1 frames of 0001TP has full labels.*12 classes"):
        CamVidDrives(miniatures / "camvid_drives", ("0001TP",))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"drives": ("0016E6",)}, r"drive of CamVid.*'0016E6'.*0016E5"),
        ({"labels": "fine"}, r"labels of CamVid.*'fine'"),
        ({"splits": ("tset",)}, r"split of CamVid.*'tset'"),
    ],
)
def test_refuses_unknown_names(arguments, message, miniatures):
    with pytest.raises(UnknownNameError, match=message):
        CamVidDrives(miniatures / "camvid_drives", **arguments)


def test_refuses_a_folder_without_full_labels(miniatures):
    with pytest.raises(DatasetNotFoundError, match=r"labels32.*args\.root"):
        CamVidDrives(miniatures / "camvid", ("0001TP",))


@pytest.mark.parametrize(("drive", "full", "all_frames"), [("0006R0", 77, 101), ("0016E5", 231, 305)])
def test_reads_the_real_files(drive, full, all_frames, shared_data):
    dataset = CamVidDrives(shared_data / "camvid", (drive,))
    assert len(dataset) == full
    coarse = CamVidDrives(shared_data / "camvid", (drive,), "12 classes")
    assert len(coarse) == all_frames
    same = agreed = 0
    for key in (dataset.ids[0], dataset.ids[-1]):
        assert drive_of(key) == drive
        ours, theirs = dataset[dataset.ids.index(key)], coarse[coarse.ids.index(key)]
        assert np.array_equal(ours.image, theirs.image)
        fine, rough = (
            part.label_set.to_predicted(sample.labels) for part, sample in ((dataset, ours), (coarse, theirs))
        )
        both = (fine != 255) & (rough != 255)
        same += int((fine[both] == rough[both]).sum())
        agreed += int(both.sum())
    assert same > 0.97 * agreed


def test_the_table_is_that_of_the_real_files(shared_data):
    listed = json.loads((shared_data / "camvid/labels32/classes.json").read_text())
    assert {int(i): (entry["name"], tuple(entry["colour"])) for i, entry in listed.items()} == FULL_CLASSES
