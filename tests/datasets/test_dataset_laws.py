"""What holds for every dataset."""

import pickle
import re

import numpy as np
import pytest
from torch.utils.data import DataLoader

from oodretrieval.datasets import (
    A2D2,
    AnomalySet,
    CamVid,
    CamVidDrives,
    Cityscapes,
    FileDataset,
    FileItem,
    IDDLite,
    ImageFolder,
    JoinedDataset,
    LostAndFound,
    Sample,
    SegmentationDataset,
    Subset,
    open_dataset,
    subset_by_class,
    with_background,
    with_street_classes,
)
from oodretrieval.entries import DatasetEntry
from oodretrieval.errors import DatasetNotFoundError, ImageError, UnpairedFilesError
from oodretrieval.labels import ANY_CLASS, NO_CLASS

CASES = {
    "cityscapes train": (4, lambda root: Cityscapes(root / "cityscapes")),
    "cityscapes val": (2, lambda root: Cityscapes(root / "cityscapes", "val", unknown=("person", "rider"))),
    "cityscapes test": (2, lambda root: Cityscapes(root / "cityscapes", "test")),
    "lost and found": (2, lambda root: LostAndFound(root / "lost_and_found")),
    "lost and found known": (
        2,
        lambda root: LostAndFound(root / "lost_and_found", "train", known_things=True),
    ),
    "a2d2": (4, lambda root: A2D2(root / "a2d2")),
    "a2d2 cameras": (6, lambda root: A2D2(root / "a2d2", cameras=("side_left", "front_center"))),
    "camvid": (2, lambda root: CamVid(root / "camvid", "val", unknown=("pedestrian", "bicyclist"))),
    "camvid drives": (2, lambda root: CamVidDrives(root / "camvid_drives", ("0016E5",))),
    "camvid drives, 12 classes": (
        4,
        lambda root: CamVidDrives(root / "camvid_drives", ("0016E5", "0001TP"), "12 classes"),
    ),
    "idd lite": (2, lambda root: IDDLite(root / "idd_lite")),
    "idd lite published": (1, lambda root: IDDLite(root / "idd_lite_published", "val")),
    "anomalies": (3, lambda root: AnomalySet(root / "anomalies")),
    "segment me if you can": (
        2,
        lambda root: AnomalySet(root / "segment_me_if_you_can", "segment_me_if_you_can"),
    ),
    "road anomaly": (2, lambda root: AnomalySet(root / "road_anomaly", "road_anomaly")),
    "fishyscapes": (2, lambda root: AnomalySet(root / "fishyscapes", "fishyscapes")),
    "street classes": (2, lambda root: with_street_classes(CamVid(root / "camvid", "val"))),
    "joined": (
        4,
        lambda root: JoinedDataset(
            {
                "camvid": with_street_classes(CamVidDrives(root / "camvid_drives", ("0016E5",))),
                "idd": IDDLite(root / "idd_lite"),
            }
        ),
    ),
    "folder": (6, lambda root: ImageFolder(root / "folder")),
    "with background": (2, lambda root: with_background(Cityscapes(root / "cityscapes", "val"))),
    "subset": (2, lambda root: Subset(Cityscapes(root / "cityscapes"), [2, 0])),
    "subset by class": (1, lambda root: subset_by_class(Cityscapes(root / "cityscapes"), "rider")),
}


@pytest.fixture(params=CASES)
def case(request, miniatures):
    size, make = CASES[request.param]
    return size, make(miniatures)


@pytest.fixture
def dataset(case):
    return case[1]


def test_has_the_expected_size_and_form(case):
    size, dataset = case
    assert len(dataset) == len(dataset.ids) == size
    assert isinstance(dataset, SegmentationDataset)


def test_samples_keep_the_contract(dataset):
    for index, sample in enumerate(dataset):
        assert isinstance(sample, Sample)
        assert sample.image.dtype == np.uint8 and sample.image.ndim == 3 and sample.image.shape[2] == 3
        assert sample.id == dataset.ids[index]
        assert (sample.labels is None) == (dataset.label_set is None)
        if sample.labels is not None:
            assert sample.labels.dtype in (np.uint8, np.uint16)
            assert sample.labels.shape == sample.image.shape[:2]
            assert set(np.unique(sample.labels).tolist()) <= set(dataset.label_mapping)
            assert np.array_equal(sample.labels, dataset.labels_at(index))


def test_ids_are_unique_and_stable_paths(dataset):
    assert len(set(dataset.ids)) == len(dataset.ids)
    for key in dataset.ids:
        assert not key.startswith(("/", ".")) and ".." not in key.split("/") and "\\" not in key


def test_ends_like_a_sequence(dataset):
    with pytest.raises(IndexError):
        dataset[len(dataset)]


def test_label_tables_are_total(dataset):
    if dataset.label_set is None:
        assert not dataset.label_mapping and not dataset.pred_mapping and not dataset.label_to_pred
        return
    assert set(dataset.label_to_pred) == set(dataset.label_mapping)
    assert sorted(dataset.pred_mapping) == list(range(len(dataset.pred_mapping)))
    classes = set(dataset.pred_mapping) or {ANY_CLASS}
    assert set(dataset.label_to_pred.values()) <= {*classes, NO_CLASS}
    assert all(dataset.label_to_pred[i] == NO_CLASS for i in dataset.void_ids)
    for _, colour in (*dataset.label_mapping.values(), *dataset.pred_mapping.values()):
        assert len(colour) == 3 and all(0 <= channel <= 255 for channel in colour)


def test_survives_pickling(dataset):
    copy = pickle.loads(pickle.dumps(dataset))
    assert copy.ids == dataset.ids
    assert np.array_equal(copy[0].image, dataset[0].image)


@pytest.mark.slow
def test_is_read_by_a_spawned_worker(miniatures):
    dataset = A2D2(miniatures / "a2d2")
    loader = DataLoader(
        dataset, batch_size=None, num_workers=1, multiprocessing_context="spawn", collate_fn=tuple
    )
    for sample, (_, labels, _, key) in zip(dataset, loader, strict=True):
        assert key == sample.id
        assert np.array_equal(labels, sample.labels)


ENTRIES = {
    "cityscapes": ("cityscapes", "Cityscapes", {"split": "val"}),
    "lost_and_found": ("lost_and_found", "LostAndFound", {}),
    "a2d2": ("a2d2", "A2D2", {}),
    "camvid": ("camvid", "CamVid", {}),
    "camvid_drives": ("camvid_drives", "CamVidDrives", {"drives": ("0016E5",)}),
    "idd_lite": ("idd_lite", "IDDLite", {}),
    "idd_lite_published": ("idd_lite", "IDDLite", {}),
    "anomalies": ("anomalies", "AnomalySet", {}),
    "segment_me_if_you_can": ("anomalies", "AnomalySet", {"layout": "segment_me_if_you_can"}),
    "road_anomaly": ("anomalies", "AnomalySet", {"layout": "road_anomaly"}),
    "fishyscapes": ("anomalies", "AnomalySet", {"layout": "fishyscapes"}),
    "folder": ("folder", "ImageFolder", {}),
}


@pytest.mark.parametrize("name", ENTRIES)
def test_opens_by_entry_and_names_what_is_missing(name, miniatures, tmp_path):
    module, class_name, kwargs = ENTRIES[name]
    entry = DatasetEntry(f"oodretrieval.datasets.{module}", class_name, {"root": "nowhere", **kwargs})
    assert len(open_dataset(entry, name, root=miniatures / name)) > 0
    with pytest.raises(
        DatasetNotFoundError, match=r"no folder 'nowhere.*set args\.root, or `root` of this dataset's entry"
    ):
        open_dataset(entry, name)
    with pytest.raises(DatasetNotFoundError, match=str(tmp_path)):
        open_dataset(entry, name, root=tmp_path)


def test_a_file_is_no_root(tmp_path):
    (tmp_path / "one.png").touch()
    entry = DatasetEntry("oodretrieval.datasets.folder", "ImageFolder", {"root": str(tmp_path / "one.png")})
    with pytest.raises(DatasetNotFoundError, match=r"one\.png' is a file; set args\.root"):
        open_dataset(entry, "photographs")


TRUTH = {
    "cityscapes": (Cityscapes, "gtFine/train/aachen/aachen_000000_000020_gtFine_labelIds.png"),
    "lost_and_found": (
        LostAndFound,
        "gtCoarse/test/02_Hanns_Klemm_Str_44/02_Hanns_Klemm_Str_44_000000_000050_gtCoarse_labelIds.png",
    ),
    "a2d2": (
        A2D2,
        "camera_lidar_semantic/20180807_145028/label/cam_front_center/20180807145028_label_frontcenter_000000135.png",
    ),
    "camvid": (CamVid, "trainannot/0001TP_000002.png"),
    "idd_lite": (IDDLite, "labels/train_0_000041.png"),
    "idd_lite_published": (IDDLite, "gtFine/train/0/000041_label.png"),
    "anomalies": (AnomalySet, "labels/scene0000.png"),
}


@pytest.mark.parametrize("name", TRUTH)
def test_refuses_an_image_without_labels(name, fresh):
    make, label_file = TRUTH[name]
    root = fresh(name)
    missing = root / label_file
    missing.unlink()
    number = re.findall(r"\d{4,}", missing.stem)[-1]
    with pytest.raises(UnpairedFilesError, match=f"1 file.*{number}.* label image .*{number}.* is missing"):
        make(root)


@pytest.mark.parametrize("name", TRUTH)
def test_refuses_labels_without_an_image(name, fresh):
    make, label_file = TRUTH[name]
    root = fresh(name)
    stray = (root / label_file).with_name((root / label_file).name.replace("0000", "9000"))
    stray.write_bytes((root / label_file).read_bytes())
    with pytest.raises(UnpairedFilesError, match=r"1 file.*9000.*is missing"):
        make(root)


@pytest.mark.parametrize("name", TRUTH)
def test_names_both_files_where_sizes_disagree(name, fresh):
    from PIL import Image

    make, label_file = TRUTH[name]
    root = fresh(name)
    Image.open(root / label_file).crop((0, 0, 20, 10)).save(root / label_file)
    dataset = make(root)
    index = [item.labels for item in dataset.items].index(root / label_file)
    with pytest.raises(ImageError, match=r"20×10.*40×24"):
        dataset[index]


@pytest.mark.parametrize("name", TRUTH)
@pytest.mark.parametrize("content", [lambda whole: whole[: len(whole) // 2], lambda whole: b"no image"])
def test_names_a_damaged_file_and_reads_the_others(name, content, fresh):
    make, label_file = TRUTH[name]
    root = fresh(name)
    path = root / label_file
    path.write_bytes(content(path.read_bytes()))
    dataset = make(root)
    index = [item.labels for item in dataset.items].index(path)
    with pytest.raises(ImageError, match=path.name):
        dataset[index]
    assert dataset[(index + 1) % len(dataset)].labels is not None


def test_refuses_ids_that_occur_twice(tmp_path):
    with pytest.raises(UnpairedFilesError, match=r"'a': .*a\.png and .*a\.jpg"):
        FileDataset([FileItem("a", tmp_path / "a.png", None), FileItem("a", tmp_path / "a.jpg", None)], None)
