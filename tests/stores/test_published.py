from dataclasses import replace

import h5py
import numpy as np
import pytest

from oodretrieval.errors import StoreError
from oodretrieval.labels import LabelSet
from oodretrieval.stores import Prediction, PublishedPredictions, write_prediction

from .test_predictions import example, same


def softmax(seed=0, shape=(6, 8, 3)):
    p = np.random.default_rng(seed).random(shape).astype(np.float32)
    return p / p.sum(axis=2, keepdims=True)


def published_file(path, p, truth, image_path, **extra):
    """The four datasets, written as the published project does: uncompressed, int64."""
    with h5py.File(path, "w") as file:
        file.create_dataset("probabilities", data=p)
        file.create_dataset("prediction", data=p.argmax(axis=2))
        file.create_dataset("ground_truths", data=truth)
        file.create_dataset("image_path", data=[image_path.encode("utf8")])
        for name, values in extra.items():
            file.create_dataset(name, data=values)


def test_files_of_the_published_project(tmp_path):
    truth = np.random.default_rng(1).choice([0, 1, 2, 20, 255, -1], (6, 8))
    for i in (10, 2, 1):
        published_file(tmp_path / f"input{i}.hdf5", softmax(i), truth, f"/data/é/image {i}.png")
    predictions = PublishedPredictions(tmp_path)
    assert predictions.ids == ["image 1", "image 2", "image 10"]
    assert len(predictions) == 3 == len(list(predictions)) == len(predictions[:])
    last = predictions[-1]
    np.testing.assert_array_equal(last.probabilities(), softmax(10))
    np.testing.assert_array_equal(last.prediction, softmax(10).argmax(axis=2))
    np.testing.assert_array_equal(last.labels, np.where(truth < 0, 255, truth))
    np.testing.assert_array_equal(last.truth(), np.where((truth < 0) | (truth > 2), 255, truth))
    assert (last.image_path, last.image_id) == ("/data/é/image 10.png", "image 10")
    assert last.prediction.dtype == last.labels.dtype == np.uint8
    assert {20, 255} <= last.void_ids and not {0, 1, 2} & last.void_ids
    with pytest.raises(IndexError):
        predictions[3]


def test_a_label_set_says_what_the_truth_means(tmp_path):
    published_file(tmp_path / "input0.hdf5", softmax(), np.full((6, 8), 26), "x.png")
    label_set = LabelSet({26: ("car", (0, 0, 0))}, {k: (str(k), (0, 0, 0)) for k in range(3)}, {26: 2})
    (prediction,) = PublishedPredictions(tmp_path, label_set)
    assert (prediction.truth() == 2).all()
    assert prediction.void_ids == frozenset()


def test_truth_of_zeros_is_none(tmp_path):
    published_file(tmp_path / "input0.hdf5", softmax(), np.zeros((6, 8)), "x.png")
    assert PublishedPredictions(tmp_path)[0].labels is None


def test_images_of_one_name_are_distinguished_by_their_files(tmp_path):
    for i in range(2):
        published_file(tmp_path / f"input{i}.hdf5", softmax(), np.ones((6, 8), int), f"/{i}/x.png")
    predictions = PublishedPredictions(tmp_path)
    assert predictions.ids == ["input0", "input1"] == [one.image_id for one in predictions]


def test_older_files_lack_some_datasets(tmp_path):
    with h5py.File(tmp_path / "probs_3.hdf5", "w") as file:
        file["probabilities"] = softmax()[None].astype(np.float64)
        file["file_names"] = [b"x.png"]
        file.create_group("more")
    (prediction,) = PublishedPredictions(tmp_path)
    np.testing.assert_array_equal(prediction.prediction, softmax().argmax(axis=2))
    assert (prediction.image_id, prediction.labels) == ("x", None)


def test_our_softmax_files_come_back_whole(tmp_path):
    for i in range(2):
        write_prediction(tmp_path / f"input{i}.hdf5", replace(example(i), image_id=f"clip/{i}"), "softmax")
    predictions = PublishedPredictions(tmp_path)
    assert predictions.ids == ["clip/0", "clip/1"]
    for i, ours in enumerate(predictions):
        same(ours, replace(example(i), image_id=f"clip/{i}"))
        np.testing.assert_array_equal(ours.probabilities(), example(i).probabilities())


@pytest.mark.parametrize("labels", [True, False])
def test_our_softmax_files_have_the_published_layout(tmp_path, labels):
    wanted = example() if labels else replace(example(), labels=None)
    write_prediction(tmp_path / "input0.hdf5", wanted, "softmax")
    with h5py.File(tmp_path / "input0.hdf5") as file:
        assert file["probabilities"].shape == (13, 17, 3)
        assert file["probabilities"].dtype == np.float32
        assert file["probabilities"].compression == file["ground_truths"].compression == "gzip"
        np.testing.assert_array_equal(file["prediction"][()], wanted.prediction)
        np.testing.assert_array_equal(file["ground_truths"][()], wanted.truth() if labels else 0)
        assert file["image_path"].shape == (1,)
        assert file["image_path"][0].decode("utf8") == wanted.image_path


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_npy_softmax(tmp_path, first, dtype):
    for name in ("b", "a"):
        values = softmax().astype(dtype)
        np.save(tmp_path / f"{name}.npy", np.moveaxis(values, 2, 0) if first else values)
    predictions = PublishedPredictions(tmp_path)
    assert predictions.ids == ["a", "b"]
    prediction = predictions[0]
    np.testing.assert_allclose(prediction.probabilities(), softmax(), atol=1e-3)
    assert prediction.probabilities().dtype == np.float32
    assert (prediction.num_classes, prediction.prediction.shape, prediction.labels) == (3, (6, 8), None)


def test_folders_that_cannot_be_used(tmp_path):
    with pytest.raises(StoreError, match=r"no input<i>\.hdf5"):
        PublishedPredictions(tmp_path / "none")
    np.save(tmp_path / "a.npy", softmax())
    published_file(tmp_path / "input0.hdf5", softmax(), np.ones((6, 8), int), "x.png")
    with pytest.raises(StoreError, match="both"):
        PublishedPredictions(tmp_path)


@pytest.mark.parametrize("values", [softmax() * 3, softmax()[0], np.ones((3, 4, 5), int), np.array([{}])])
def test_npy_that_is_no_softmax(tmp_path, values):
    np.save(tmp_path / "a.npy", values, allow_pickle=True)
    with pytest.raises(StoreError, match=r"a\.npy"):
        PublishedPredictions(tmp_path)[0]


def test_an_argmax_is_called_one(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((3, 4), np.uint8))
    with pytest.raises(StoreError, match=r"a\.npy holds uint8 \(3, 4\): predicted classes"):
        PublishedPredictions(tmp_path)[0]


def test_damaged_files_name_themselves(tmp_path):
    published_file(tmp_path / "input0.hdf5", softmax(), np.ones((6, 8), int), "x.png")
    whole = (tmp_path / "input0.hdf5").read_bytes()
    (tmp_path / "input0.hdf5").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StoreError, match=r"input0\.hdf5 is damaged"):
        PublishedPredictions(tmp_path)[0]
    published_file(tmp_path / "input0.hdf5", softmax(), np.ones((6, 9), int), "x.png")
    with pytest.raises(StoreError, match=r"input0\.hdf5: ground_truths"):
        PublishedPredictions(tmp_path)[0]
    with h5py.File(tmp_path / "input0.hdf5", "w") as file:
        file["prediction"] = np.zeros((2, 2))
    with pytest.raises(StoreError, match="no dataset 'probabilities'"):
        PublishedPredictions(tmp_path)[0]
    (tmp_path / "input0.hdf5").unlink()
    np.save(tmp_path / "a.npy", softmax())
    (tmp_path / "a.npy").write_bytes((tmp_path / "a.npy").read_bytes()[:-5])
    with pytest.raises(StoreError, match=r"a\.npy is damaged"):
        PublishedPredictions(tmp_path)[0]


def test_files_that_keep_logits_are_read_too(tmp_path):
    write_prediction(tmp_path / "input0.hdf5", example(), "logits")
    assert isinstance(PublishedPredictions(tmp_path)[0], Prediction)
