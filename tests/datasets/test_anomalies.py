"""Layouts of anomaly sets; laws and errors are tested with those of all datasets."""

import numpy as np
import pytest
from make_miniatures import save
from PIL import Image

from oodretrieval.datasets import AnomalySet
from oodretrieval.errors import DatasetNotFoundError, ImageError, UnknownNameError, UnpairedFilesError
from oodretrieval.labels import ANY_CLASS, NO_CLASS


def test_one_label_is_unknown_and_none_has_a_class(miniatures):
    labels = AnomalySet(miniatures / "anomalies").label_set
    assert labels.unknown_ids == {1} and labels.void_ids == {255} and labels.num_classes == 0
    predicted = labels.to_predicted(np.array([0, 1, 255], np.uint8))
    assert predicted.tolist() == [ANY_CLASS, NO_CLASS, NO_CLASS]


def test_road_anomaly_counts_the_road_as_known_and_its_anomaly_as_unknown(miniatures):
    dataset = AnomalySet(miniatures / "road_anomaly", "road_anomaly")
    assert dataset.ids == ["animals01_calves", "cones02_road"]
    for sample, item in zip(dataset, dataset.items, strict=True):
        own = np.array(Image.open(item.labels))
        assert np.array_equal(sample.labels == 1, own == 2)
        assert np.array_equal(sample.labels == 0, own < 2)


def test_segment_me_if_you_can_leaves_out_images_without_labels(miniatures):
    dataset = AnomalySet(miniatures / "segment_me_if_you_can", "segment_me_if_you_can")
    assert dataset.ids == ["validation0000", "validation0001"]


def test_segment_me_if_you_can_still_misses_the_image_of_labels(fresh):
    root = fresh("segment_me_if_you_can")
    (root / "images/validation0001.jpg").unlink()
    with pytest.raises(UnpairedFilesError, match=r"the image of 'validation0001' is missing"):
        AnomalySet(root, "segment_me_if_you_can")


def test_fishyscapes_adds_its_objects_to_the_photographs(miniatures):
    root = miniatures / "fishyscapes"
    static, plain = AnomalySet(root, "fishyscapes")
    assert static.id == "0000_04_Maurener_Weg_8_000000_000030"
    photograph = np.array(Image.open(static.path)).astype(int)
    added = np.load(root / "0000_object_rgb.npz")["rgb"]
    assert np.array_equal(static.image, np.clip(photograph + added, 0, 255))
    assert np.array_equal(plain.image, np.array(Image.open(plain.path)))


def test_photographs_of_fishyscapes_may_lie_elsewhere(fresh, tmp_path):
    root = fresh("fishyscapes")
    (tmp_path / "elsewhere").mkdir()
    (root / "leftImg8bit").rename(tmp_path / "elsewhere/leftImg8bit")
    with pytest.raises(DatasetNotFoundError, match=r"leftImg8bit.*set `images`"):
        AnomalySet(root, "fishyscapes")
    assert len(AnomalySet(root, "fishyscapes", images=tmp_path / "elsewhere")) == 2


def test_names_labels_of_fishyscapes_without_a_photograph(fresh):
    root = fresh("fishyscapes")
    next(root.glob("leftImg8bit/val/frankfurt/*")).unlink()
    with pytest.raises(UnpairedFilesError, match=r"no photograph frankfurt_000000_000294_leftImg8bit\.png"):
        AnomalySet(root, "fishyscapes")


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda path: path.write_bytes(b"no archive"), r"cannot read .*0000_object_rgb\.npz"),
        (lambda path: np.savez(path, other=np.zeros(3)), r"cannot read .*0000_object_rgb\.npz"),
        (lambda path: np.savez(path, rgb=np.zeros((2, 3, 3))), r"\(2, 3, 3\).*\(24, 40, 3\)"),
    ],
)
def test_names_a_damaged_overlay_and_reads_the_others(write, message, fresh):
    root = fresh("fishyscapes")
    write(root / "0000_object_rgb.npz")
    dataset = AnomalySet(root, "fishyscapes")
    with pytest.raises(ImageError, match=message):
        dataset[0]
    assert dataset[1].labels is not None


@pytest.mark.parametrize("layout", ["plain", "road_anomaly"])
def test_refuses_ids_that_the_layout_does_not_have(layout, fresh):
    root = fresh({"plain": "anomalies", "road_anomaly": "road_anomaly"}[layout])
    dataset = AnomalySet(root, layout)
    save(dataset.items[0].labels, np.full((24, 40), 3, np.uint8))
    with pytest.raises(ImageError, match=r"label ids \[3\].*`layout`"):
        dataset[0]
    assert dataset[1].labels is not None


def test_refuses_two_images_of_one_id(fresh):
    root = fresh("anomalies")
    (root / "images/scene0000.jpg").write_bytes((root / "images/scene0001.jpg").read_bytes())
    with pytest.raises(UnpairedFilesError, match=r"scene0000\.(jpg|png) and scene0000\.(jpg|png)"):
        AnomalySet(root)


def test_refuses_an_unknown_layout(miniatures):
    with pytest.raises(UnknownNameError, match=r"layout of an anomaly set.*'flat'.*plain"):
        AnomalySet(miniatures / "anomalies", "flat")


def test_names_the_layouts_where_nothing_is_found(fresh):
    root = fresh("segment_me_if_you_can")
    for path in root.glob("labels_masks/*"):
        path.unlink()
    with pytest.raises(DatasetNotFoundError, match=r"'segment_me_if_you_can'.*args\.root.*road_anomaly"):
        AnomalySet(root, "segment_me_if_you_can")


@pytest.mark.parametrize(("name", "size"), [("road_anomaly_21", 10), ("fishyscapes_static", 30)])
def test_reads_the_real_files(name, size, shared_data):
    dataset = AnomalySet(shared_data / name)
    assert len(dataset) == size
    shares = [float((dataset.labels_at(i) == 1).mean()) for i in range(10)]
    assert 0.005 < np.mean(shares) < 0.3
