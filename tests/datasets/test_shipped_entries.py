"""Entries of configuration.py whose data lie below OODRETRIEVAL_DATA, on miniatures."""

from pathlib import Path

import pytest

from oodretrieval.datasets import open_dataset
from oodretrieval.errors import DatasetNotFoundError
from oodretrieval.experiment.configuration import load_configuration

CONFIGURATION = Path(__file__).resolve().parents[2] / "configuration.py"
FOLDERS = {
    "camvid": "camvid_drives",
    "idd_lite": "idd_lite",
    "road_anomaly_21": "anomalies",
    "fishyscapes_static": "anomalies",
}
SIZES = {
    "camvid_train": 4,
    "camvid_0006r0": 1,
    "camvid_0016e5": 2,
    "camvid_0001tp_12": 1,
    "camvid_0006r0_12": 1,
    "camvid_0016e5_12": 3,
    "camvid_without_0001tp": 4,
    "camvid_without_0006r0": 4,
    "camvid_without_0016e5": 2,
    "camvid_train_street_classes": 4,
    "camvid_val_street_classes": 1,
    "idd_lite_train": 2,
    "idd_lite_val": 1,
    "roads_train": 6,
    "roads_val": 2,
    "road_anomaly_21": 3,
    "fishyscapes_static": 3,
}


@pytest.fixture
def configuration(miniatures, tmp_path, monkeypatch):
    for name, miniature in FOLDERS.items():
        (tmp_path / name).symlink_to(miniatures / miniature)
    monkeypatch.setenv("OODRETRIEVAL_DATA", str(tmp_path))
    return load_configuration(CONFIGURATION)


@pytest.mark.parametrize("name", SIZES)
def test_opens(name, configuration):
    assert len(open_dataset(configuration.dataset(name), name)) == SIZES[name]


@pytest.mark.parametrize("name", SIZES)
def test_where_nothing_is_the_variable_is_named(name, tmp_path, monkeypatch):
    monkeypatch.setenv("OODRETRIEVAL_DATA", str(tmp_path))
    with pytest.raises(DatasetNotFoundError, match=r"args\.root.*OODRETRIEVAL_DATA"):
        open_dataset(load_configuration(CONFIGURATION).dataset(name), name)


@pytest.mark.parametrize("drive", ["0001tp", "0006r0", "0016e5"])
def test_a_drive_and_what_is_learned_without_it_share_no_frame(drive, configuration):
    frames, others = (
        set(open_dataset(configuration.dataset(name)).ids)
        for name in (f"camvid_{drive}_12", f"camvid_without_{drive}")
    )
    assert frames and others and not frames & others
    assert len(frames | others) == 5


@pytest.mark.parametrize("drive", ["0001tp", "0006r0", "0016e5"])
def test_networks_and_their_datasets_have_the_same_classes(drive, configuration):
    labels = open_dataset(configuration.dataset(f"camvid_without_{drive}")).label_set
    classes = configuration.model(f"deeplabv3plus_without_{drive}").kwargs["num_classes"]
    assert labels.num_classes == classes == 9
    roads = open_dataset(configuration.dataset("roads_train")).label_set
    assert roads.num_classes == configuration.model("deeplabv3plus_roads").kwargs["num_classes"]
