import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import array_shapes, arrays

from oodretrieval.stores import Prediction, read_prediction_file, write_prediction
from oodretrieval.stores.differences import accumulate, difference

from .earlier import without_checksum

MAPS = arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=30))


@given(MAPS)
def test_nothing_is_lost(values):
    before = values.copy()
    np.testing.assert_array_equal(accumulate(difference(values)), values)
    np.testing.assert_array_equal(values, before)
    assert difference(values).dtype == np.uint8


def test_a_plane_becomes_its_slopes():
    rows, columns = np.mgrid[:40, :50]
    found = difference((3 * rows + 2 * columns).astype(np.uint8))
    assert (found[1:, 1:] == 0).all()
    assert (found[0, 1:] == 2).all() and (found[1:, 0] == 3).all()


def smooth():
    rows, columns = np.mgrid[:256, :256]
    return (128 + 90 * np.sin(rows / 20) * np.cos(columns / 31)).astype(np.uint8)


def test_a_smooth_entropy_takes_less_space_and_comes_back_exactly(tmp_path):
    levels = smooth()
    prediction = Prediction(np.zeros((256, 256), np.uint8), num_classes=2, entropy=levels)
    write_prediction(tmp_path / "x.h5", prediction, "nothing")
    with h5py.File(tmp_path / "x.h5") as file:
        assert "entropy" not in file, "an earlier version would take the differences for the entropy"
        stored = file["entropy_differences"].id.get_storage_size()
    with h5py.File(tmp_path / "plain.h5", "w") as file:
        plain = file.create_dataset(
            "x", data=levels, compression="gzip", compression_opts=9
        ).id.get_storage_size()
    assert stored < 0.6 * plain
    np.testing.assert_array_equal(read_prediction_file(tmp_path / "x.h5").entropy, levels)


@pytest.mark.parametrize("keep", ["nothing", "logits"])
def test_files_of_earlier_versions_are_read(tmp_path, keep):
    logits = np.random.default_rng(0).normal(size=(2, 64, 64)).astype(np.float32)
    prediction = Prediction(np.zeros((256, 256), np.uint8), num_classes=2, logits=logits, entropy=smooth())
    path = tmp_path / "x.h5"
    write_prediction(path, prediction, keep)
    without_checksum(path)
    with h5py.File(path, "a") as file:
        del file["entropy_differences"]
        file["entropy"] = smooth()
    np.testing.assert_array_equal(read_prediction_file(path).entropy, smooth())
