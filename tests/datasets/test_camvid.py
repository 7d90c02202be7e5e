"""CamVid's real files; laws and errors are tested with those of all datasets."""

import numpy as np
import pytest

from oodretrieval.datasets import CamVid
from oodretrieval.errors import UnknownNameError


def test_unknown_classes_are_unknown_and_not_void(miniatures):
    dataset = CamVid(miniatures / "camvid", "test", unknown=("pedestrian", "bicyclist"))
    assert dataset.label_set.unknown_ids == {9, 10} and dataset.void_ids == {11}
    assert sorted(dataset.pred_mapping) == list(range(9))


def test_refuses_an_unknown_split(miniatures):
    with pytest.raises(UnknownNameError, match=r"'tset'.*did you mean 'test'"):
        CamVid(miniatures / "camvid", "tset")


@pytest.mark.parametrize(("split", "size"), [("train", 367), ("val", 101)])
def test_reads_the_real_files(split, size, shared_data):
    dataset = CamVid(shared_data / "camvid", split)
    assert len(dataset) == size
    for index in (0, size // 2, size - 1):
        sample = dataset[index]
        assert sample.image.shape == (360, 480, 3)
        assert set(np.unique(sample.labels).tolist()) <= set(dataset.label_mapping)
