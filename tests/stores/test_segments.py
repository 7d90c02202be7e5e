import json
from dataclasses import replace

import h5py
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from oodretrieval.errors import SettingsMismatchError, StoreError, TableError
from oodretrieval.stores import (
    Prediction,
    Stored,
    Workspace,
    existing_parts,
    locate_segments,
    read_prediction_file,
    read_prediction_record,
    read_segment_settings,
    read_segments,
    write_prediction,
    write_segments,
)
from oodretrieval.stores.segments import write_table

from .test_workspace import run_python

SETTINGS = {"model": "m", "size": (1, 2), "weights": "abc"}


def table(images, seed=0):
    rng = np.random.default_rng(seed)
    n = 2 * len(images)
    return pd.DataFrame(
        {
            "image_id": np.repeat(np.array(images, object), 2),
            "segment_id": np.tile([1, 2], len(images)),
            "class": rng.integers(0, 9, n),
            "iou": rng.random(n),
            "S": rng.integers(0, 9, n),
        }
    )


@pytest.fixture
def workspace(tmp_path):
    return Workspace(tmp_path)


def write(workspace, part, images, settings=SETTINGS, rows=None):
    rows = table(images, part) if rows is None else rows
    write_segments(workspace, Stored("m", "d"), part, rows, dict.fromkeys(images, "0f"), settings)
    return rows


def held(workspace):
    """Number of each part → its images."""
    return {number: list(part.images) for number, part in existing_parts(workspace, Stored("m", "d")).items()}


def predict(workspace, image, classes=0, settings=SETTINGS):
    """Write a prediction; returns its digest."""
    prediction = Prediction(np.full((2, 3), classes, np.uint8), image_id=image, settings=settings)
    return write_prediction(workspace.prediction_path(Stored("m", "d"), image), prediction, "nothing")


def test_round_trip_in_the_order_of_the_parts(workspace):
    second = write(workspace, 1, ["c", "clip 1/é"])
    first = write(workspace, 0, ["a", "b"])
    tenth = write(workspace, 10, ["z"])
    ours = read_segments(workspace, "m", "d")
    wanted = pd.concat([first, second, tenth], ignore_index=True)
    pd.testing.assert_frame_equal(ours, wanted, check_dtype=False)
    assert ours["iou"].dtype == np.float64
    assert ours["S"].dtype == np.int64
    assert held(workspace) == {0: ["a", "b"], 1: ["c", "clip 1/é"], 10: ["z"]}
    assert read_segment_settings(workspace, Stored("m", "d")) == {
        "model": "m",
        "size": [1, 2],
        "weights": "abc",
    }
    assert list(read_segments(workspace, "m", "d", ["iou", "image_id"])) == ["iou", "image_id"]


@pytest.mark.parametrize("empty_first", [True, False])
def test_parts_without_a_segment(workspace, empty_first):
    nothing = table(["x"]).iloc[:0]
    write(workspace, 0, ["a"], rows=nothing if empty_first else None)
    write(workspace, 1, ["b", "c"], rows=None if empty_first else nothing)
    ours = read_segments(workspace, "m", "d")
    assert ours["class"].dtype == ours["segment_id"].dtype == np.int64
    assert set(ours["image_id"]) == ({"b", "c"} if empty_first else {"a"})
    assert held(workspace) == {0: ["a"], 1: ["b", "c"]}


def test_only_empty_parts(workspace):
    write(workspace, 0, ["a"], rows=table(["a"]).iloc[:0])
    assert len(read_segments(workspace, "m", "d")) == 0


def test_nothing_there(workspace):
    assert held(workspace) == {}
    for read in (locate_segments, read_segment_settings):
        with pytest.raises(StoreError, match=r"compute_metrics\.py with args\.dataset=d args\.model_name=m"):
            read(workspace, Stored("m", "d"))


def test_parts_of_different_settings_are_not_put_together(workspace):
    write(workspace, 0, ["a"])
    write(workspace, 1, ["b"], {**SETTINGS, "weights": "xyz"})
    with pytest.raises(
        SettingsMismatchError, match=r"part-00001.*weights: was 'xyz', now 'abc'.*compute_metrics"
    ):
        read_segments(workspace, "m", "d")
    assert read_segments(workspace, "m", "d", images=["b"])["image_id"].tolist() == ["b", "b"]


def test_rows_follow_the_images_asked_for(workspace):
    first, second = write(workspace, 0, ["a", "b"]), write(workspace, 1, ["c"])
    ours = read_segments(workspace, "m", "d", images=["c", "gone", "a"])
    wanted = pd.concat([second, first[first["image_id"] == "a"]], ignore_index=True)
    pd.testing.assert_frame_equal(ours, wanted, check_dtype=False)
    with pytest.raises(StoreError, match="no segments of 'm' on 'd'"):
        read_segments(workspace, "m", "d", images=["gone"])


def test_of_two_parts_with_an_image_the_one_of_its_prediction_is_read(workspace):
    old, new = table(["a"], 1), table(["a"], 2)
    settings = {**SETTINGS, "size": [1, 2]}
    digests = [predict(workspace, "a", classes, settings) for classes in (0, 1)]
    for part, (rows, digest) in enumerate(zip((old, new), digests, strict=True)):
        write_segments(workspace, Stored("m", "d"), part, rows, {"a": digest}, settings)
    assert digests[0] != digests[1]
    assert read_segments(workspace, "m", "d")["iou"].tolist() == new["iou"].tolist()
    assert predict(workspace, "a", 0, settings) == digests[0]
    assert read_segments(workspace, "m", "d")["iou"].tolist() == old["iou"].tolist()
    predict(workspace, "a", 2, settings)
    with pytest.raises(StoreError, match="'a', were predicted again after their segments.*compute_metrics"):
        read_segments(workspace, "m", "d")
    workspace.prediction_path(Stored("m", "d"), "a").unlink()
    with pytest.raises(StoreError, match="image 'a' is in several parts.*predict it again"):
        read_segments(workspace, "m", "d")


def test_segments_outlive_their_predictions(workspace):
    digest = predict(workspace, "a")
    write_segments(workspace, Stored("m", "d"), 0, table(["a"]), {"a": digest}, SETTINGS)
    workspace.prediction_path(Stored("m", "d"), "a").unlink()
    assert len(read_segments(workspace, "m", "d")) == 2


def test_predictions_that_were_not_made_alike_have_no_table(workspace):
    digests = {
        "a": predict(workspace, "a"),
        "b": predict(workspace, "b", settings={**SETTINGS, "flip": True}),
    }
    write_segments(workspace, Stored("m", "d"), 0, table(["a", "b"]), digests, SETTINGS)
    with pytest.raises(
        StoreError, match="'a' and 'b' differ in flip: not set and True.*pred_images.*overwrite"
    ):
        read_segments(workspace, "m", "d")
    assert len(read_segments(workspace, "m", "d", images=["a"])) == 2


def test_tables_of_before_are_compared_by_their_settings(workspace):
    """Neither files of before had digests."""
    content = {"images": ["a"], "settings": SETTINGS}
    write_table(workspace.segments_folder(Stored("m", "d")) / "part-00000.parquet", table(["a"]), content)
    assert len(read_segments(workspace, "m", "d")) == 2
    path = workspace.prediction_path(Stored("m", "d"), "a")
    predict(workspace, "a")
    with h5py.File(path, "r+") as file:
        metadata = json.loads(file["metadata"][()])
        del metadata["digest"], file["metadata"]
        file.create_dataset("metadata", data=json.dumps(metadata))
    assert len(read_segments(workspace, "m", "d")) == 2


def test_the_digest_says_whether_content_is_the_same(workspace):
    rng = np.random.default_rng(0)
    prediction = Prediction(
        rng.integers(0, 4, (6, 8), np.uint8),
        rng.integers(0, 4, (6, 8), np.uint8),
        image_id="a",
        label_to_pred={0: 0, 1: 1, 2: 2, 3: 255},
        logits=rng.normal(size=(4, 3, 4)).astype(np.float32),
        num_classes=4,
        settings=SETTINGS,
    )
    path = workspace.prediction_path(Stored("m", "d"), "a")
    digest = write_prediction(path, prediction)
    assert read_prediction_record(path).digest == read_prediction_file(path).digest == digest
    changes = {
        "prediction": 3 - prediction.prediction,
        "labels": 3 - prediction.labels,
        "logits": prediction.logits + np.eye(4, 12, dtype=np.float32).reshape(4, 3, 4),
        "settings": {**SETTINGS, "flip": True},
        "label_to_pred": {0: 0, 1: 1, 2: 255, 3: 255},
        "align_corners": True,
    }
    others = {write_prediction(path, replace(prediction, **{name: new})) for name, new in changes.items()}
    assert len(others | {digest}) == 1 + len(changes)
    assert write_prediction(path, prediction) == digest


def test_tables_that_do_not_fit(workspace):
    with pytest.raises(TableError, match="no column segment_id"):
        write(workspace, 0, ["a"], rows=table(["a"]).drop(columns="segment_id"))
    with pytest.raises(TableError, match="'b'"):
        write(workspace, 0, ["a"], rows=table(["a", "b"]))
    with pytest.raises(TableError, match="cannot store"):
        write(workspace, 0, ["a"], rows=table(["a"]).assign(odd=np.array([1, "x"], object)))
    write(workspace, 0, ["a"])
    with pytest.raises(TableError, match=r"no column nope; it has image_id, segment_id"):
        read_segments(workspace, "m", "d", ["nope"])


def test_truncated_parts_name_themselves(workspace):
    write(workspace, 0, ["a"])
    path = workspace.segments_folder(Stored("m", "d")) / "part-00000.parquet"
    whole = path.read_bytes()
    for length in (0, 3, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        for read in (existing_parts, locate_segments, read_segment_settings):
            with pytest.raises(StoreError, match=r"part-00000\.parquet is damaged.*compute_metrics"):
                read(workspace, Stored("m", "d"))


def test_foreign_tables_are_refused(workspace):
    write(workspace, 0, ["a"])
    path = workspace.segments_folder(Stored("m", "d")) / "part-00000.parquet"
    table(["a"]).to_parquet(path)
    with pytest.raises(StoreError, match=r"part-00000\.parquet is damaged"):
        read_segments(workspace, "m", "d")
    content = pq.read_table(path).replace_schema_metadata({"oodretrieval": '{"format_version": 7}'})
    pq.write_table(content, path)
    with pytest.raises(StoreError, match="format version 7"):
        existing_parts(workspace, Stored("m", "d"))


def test_stray_files_are_no_parts(workspace):
    write(workspace, 0, ["a"])
    folder = workspace.segments_folder(Stored("m", "d"))
    for name in ("part-x.parquet", ".tmp-0123456789ab.parquet", "notes.txt"):
        (folder / name).write_text("")
    assert held(workspace) == {0: ["a"]}


KILLED = """
    import os, sys
    import pandas as pd
    from oodretrieval.stores import Stored, Workspace, write_segments
    os.replace = lambda *arguments: os._exit(9)
    rows = pd.DataFrame({"image_id": ["a"], "segment_id": [1]})
    write_segments(Workspace(sys.argv[1]), Stored("m", "d"), 0, rows, {"a": ""}, {})
"""


def test_a_killed_writer_leaves_the_old_part(workspace):
    assert run_python(KILLED, workspace.path).returncode == 9
    assert held(workspace) == {}
    rows = write(workspace, 0, ["a"])
    assert run_python(KILLED, workspace.path).returncode == 9
    assert len(read_segments(workspace, "m", "d")) == len(rows)
