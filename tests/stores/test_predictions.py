import json
from dataclasses import replace

import h5py
import numpy as np
import pytest

from oodretrieval.errors import StoreError
from oodretrieval.stores import (
    Prediction,
    Stored,
    Workspace,
    read_prediction,
    read_prediction_file,
    read_prediction_record,
    write_prediction,
)

from .earlier import without_checksum
from .test_workspace import names_in, run_python

TABLE = {0: 0, 7: 1, 24: 2, 5: 255, 255: 255}


def example(seed=0, classes=3, size=(13, 17)):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(classes, 4, 5)).astype(np.float32)
    labels = rng.choice([0, 5, 7, 24, 255], size).astype(np.uint8)
    prediction = Prediction(
        prediction=np.zeros(size, np.uint8),
        labels=labels,
        image_path="/data/é b/x.png",
        image_id="clip 1/é b",
        label_to_pred=TABLE,
        void_ids=frozenset({255}),
        logits=logits,
        align_corners=True,
        num_classes=classes,
        entropy=rng.integers(0, 255, size, np.uint8),
        settings={"model": "m", "crop": [1, 2], "ä": None},
    )
    return replace(prediction, prediction=prediction.probabilities().argmax(axis=2).astype(np.uint8))


def same(ours, other):
    for name in ("prediction", "labels", "entropy"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(other, name))
        assert getattr(ours, name).dtype == getattr(other, name).dtype
    for name in (
        "image_path",
        "image_id",
        "label_to_pred",
        "void_ids",
        "align_corners",
        "num_classes",
        "settings",
    ):
        assert getattr(ours, name) == getattr(other, name), name


@pytest.mark.parametrize("keep", ["logits", "softmax", "nothing"])
@pytest.mark.parametrize("image_id", ["a", "clip 1/é b/ü", "a.b.c", "日本/x"])
def test_round_trip(tmp_path, keep, image_id):
    workspace = Workspace(tmp_path)
    wanted = replace(example(), image_id=image_id)
    write_prediction(workspace.prediction_path(Stored("m", "d"), image_id), wanted, keep)
    ours = read_prediction(workspace, "m", "d", image_id)
    same(ours, wanted)
    if keep == "logits":
        # float16 of the distance to the largest logit, so the error grows with that and not with the logit.
        distance = wanted.logits.max(axis=0) - wanted.logits
        assert (np.abs(ours.logits - wanted.logits) <= np.maximum(distance, 0.01) * 2.0**-10).all()
        np.testing.assert_allclose(ours.probabilities(), wanted.probabilities(), atol=3e-4)
        assert ours.full_logits().shape == (13, 17, 3)
    elif keep == "softmax":
        np.testing.assert_array_equal(ours.probabilities(), wanted.probabilities())
        assert ours.full_logits() is None
    else:
        assert ours.full_logits() is None
        with pytest.raises(StoreError, match=r"args\.keep=logits"):
            ours.probabilities()


def test_logits_of_files_without_offsets_are_read_as_they_are(tmp_path):
    path = tmp_path / "x.h5"
    write_prediction(path, example())
    half = example().logits.astype(np.float16)
    without_checksum(path)
    with h5py.File(path, "a") as file:
        del file["logit_offsets"]
        file["logits"][()] = half
    np.testing.assert_array_equal(read_prediction_file(path).logits, half)


def test_truth_is_in_predicted_ids():
    labels = np.array([[0, 7, 24, 5, 255, 99]], np.uint8)
    prediction = Prediction(np.zeros((1, 6), np.uint8), labels, label_to_pred=TABLE, num_classes=3)
    assert prediction.truth().tolist() == [[0, 1, 2, 255, 255, 255]]
    assert replace(prediction, label_to_pred={}).truth().tolist() == [[0, 255, 255, 255, 255, 255]]
    assert replace(prediction, labels=None).truth() is None


def test_without_truth_and_entropy(tmp_path):
    for keep in ("logits", "softmax", "nothing"):
        write_prediction(
            tmp_path / "x.h5", replace(example(), labels=None, entropy=None, image_path=""), keep
        )
        ours = read_prediction_file(tmp_path / "x.h5")
        assert (ours.labels, ours.entropy, ours.image_path) == (None, None, "")


def test_many_classes_and_large_label_ids(tmp_path):
    prediction = np.full((3, 4), 300, np.uint16)
    labels = np.full((3, 4), 65535, np.uint16)
    wanted = Prediction(prediction, labels, label_to_pred={65535: 3}, num_classes=400)
    write_prediction(tmp_path / "x.h5", wanted, "nothing")
    ours = read_prediction_file(tmp_path / "x.h5")
    np.testing.assert_array_equal(ours.prediction, prediction)
    np.testing.assert_array_equal(ours.labels, labels)
    assert (ours.truth() == 3).all()


def test_huge_logits_stay_finite(tmp_path):
    logits = example().logits.copy()
    logits[0] = 1e6
    write_prediction(tmp_path / "x.h5", replace(example(), logits=logits))
    ours = read_prediction_file(tmp_path / "x.h5")
    assert np.isfinite(ours.logits).all()
    assert (ours.probabilities()[..., 0] == 1).all()


def test_settings_alone(tmp_path):
    write_prediction(tmp_path / "x.h5", example())
    assert read_prediction_record(tmp_path / "x.h5").settings == example().settings


@pytest.mark.parametrize(
    ("changes", "keep", "message"),
    [
        ({"labels": np.zeros((2, 2), np.uint8)}, "logits", r"labels \(2, 2\) must have the size"),
        ({"num_classes": 4}, "logits", r"logits .* must be \(C = 4"),
        ({"prediction": np.zeros((13, 17))}, "logits", "uint8 or uint16"),
        ({"logits": None}, "logits", "no logits to keep"),
        ({"logits": None}, "softmax", "neither logits nor softmax"),
        ({"logits": np.full((3, 4, 5), np.nan, np.float32)}, "logits", "NaN"),
        ({}, "everything", "logits, softmax, nothing"),
    ],
)
def test_what_cannot_be_written(tmp_path, changes, keep, message):
    with pytest.raises(StoreError, match=message):
        write_prediction(tmp_path / "x.h5", replace(example(), **changes), keep)
    assert names_in(tmp_path) == []


def test_missing_predictions_name_the_stage(tmp_path):
    with pytest.raises(StoreError, match=r"x y\.h5.*pred_images\.py with args\.dataset=d args\.model_name=m"):
        read_prediction(Workspace(tmp_path), "m", "d", "x y")
    with pytest.raises(StoreError, match=r"none\.h5"):
        read_prediction_file(tmp_path / "none.h5")


@pytest.mark.parametrize("keep", ["logits", "softmax", "nothing"])
def test_truncated_files_name_themselves(tmp_path, keep):
    path = tmp_path / "x.h5"
    write_prediction(path, example(), keep)
    whole = path.read_bytes()
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(StoreError, match=r"x\.h5 is damaged.*predict this image again"):
            read_prediction_file(path)


def test_flipped_bits_are_noticed(tmp_path):
    path = tmp_path / "x.h5"
    write_prediction(path, example())
    with h5py.File(path) as file:
        chunk = file["logits"].id.get_chunk_info(1)
    whole = bytearray(path.read_bytes())
    whole[chunk.byte_offset + chunk.size // 2] ^= 1
    path.write_bytes(whole)
    with pytest.raises(StoreError, match=r"x\.h5 is damaged"):
        read_prediction_file(path)


def test_other_versions_and_foreign_files_are_refused(tmp_path):
    path = tmp_path / "x.h5"
    write_prediction(path, example())
    without_checksum(path)
    with h5py.File(path, "a") as file:
        metadata = json.loads(file["metadata"][()])
        del file["metadata"]
        file["metadata"] = json.dumps({**metadata, "format_version": 2})
    for read in (read_prediction_file, read_prediction_record):
        with pytest.raises(StoreError, match=r"x\.h5 has format version 2, this version reads 1"):
            read(path)
    with h5py.File(path, "w") as file:
        file["probabilities"] = np.zeros((2, 2, 2))
    with pytest.raises(StoreError, match=r"x\.h5 .*PublishedPredictions"):
        read_prediction_file(path)
    with h5py.File(path, "w") as file:
        file["metadata"] = json.dumps({"format_version": 1})
        file["prediction"] = np.zeros((2, 2), np.uint8)
    with pytest.raises(StoreError, match=r"x\.h5 is damaged"):
        read_prediction_file(path)


KILLED = """
    import os, sys
    from pathlib import Path
    import numpy as np
    from oodretrieval.stores import Prediction, write_prediction
    os.replace = lambda *arguments: os._exit(9)  # killed when all is written, but not renamed
    write_prediction(Path(sys.argv[1]), Prediction(np.ones((2, 2), np.uint8), num_classes=2), "nothing")
"""


@pytest.mark.parametrize("old", [False, True])
def test_a_killed_writer_leaves_the_old_prediction_or_none(tmp_path, old):
    path = tmp_path / "x.h5"
    if old:
        write_prediction(path, example())
    answer = run_python(KILLED, path)
    assert answer.returncode == 9, answer.stderr
    if old:
        same(read_prediction_file(path), example())
    else:
        assert not path.exists()


def test_a_logits_file_of_a_large_image_is_small(tmp_path):
    rng = np.random.default_rng(0)
    coarse = rng.normal(size=(19, 16, 32)).repeat(16, 1).repeat(16, 2) * 5
    logits = (coarse + 0.05 * rng.normal(size=coarse.shape)).astype(np.float32)
    prediction = logits.argmax(axis=0).astype(np.uint8).repeat(4, 0).repeat(4, 1)
    wanted = Prediction(prediction, logits=logits, num_classes=19, labels=prediction)
    write_prediction(tmp_path / "x.h5", wanted)
    assert (tmp_path / "x.h5").stat().st_size < 4e6
