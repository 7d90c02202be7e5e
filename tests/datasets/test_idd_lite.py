"""IDD Lite's two layouts; laws and errors are tested with those of all datasets."""

import numpy as np
import pytest

from oodretrieval.datasets import IDDLite
from oodretrieval.errors import DatasetNotFoundError, UnknownNameError


@pytest.mark.parametrize("split", ["train", "val"])
def test_both_layouts_hold_the_same(split, miniatures):
    flat, published = (IDDLite(miniatures / name, split) for name in ("idd_lite", "idd_lite_published"))
    assert flat.ids == published.ids
    for ours, theirs in zip(flat, published, strict=True):
        assert ours.id == theirs.id
        assert np.array_equal(ours.image, theirs.image) and np.array_equal(ours.labels, theirs.labels)


def test_nothing_is_unknown(miniatures):
    labels = IDDLite(miniatures / "idd_lite").label_set
    assert not labels.unknown_ids and labels.void_ids == {255} and labels.num_classes == 7


def test_refuses_an_unknown_split(miniatures):
    with pytest.raises(UnknownNameError, match=r"split of IDD Lite.*'test'"):
        IDDLite(miniatures / "idd_lite", "test")


def test_names_a_split_without_images(fresh):
    root = fresh("idd_lite")
    for path in root.glob("*/val_*"):
        path.unlink()
    with pytest.raises(DatasetNotFoundError, match=r"split 'val'.*args\.root"):
        IDDLite(root, "val")


@pytest.mark.parametrize(("split", "size"), [("train", 1403), ("val", 204)])
def test_reads_the_real_files(split, size, shared_data):
    dataset = IDDLite(shared_data / "idd_lite", split)
    assert len(dataset) == size
    for index in (0, size // 2, size - 1):
        sample = dataset[index]
        assert sample.image.shape == (227, 320, 3)
        assert set(np.unique(sample.labels).tolist()) <= set(dataset.label_mapping)
