import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from oodretrieval.errors import SettingsMismatchError, StoreError, TableError
from oodretrieval.stores import (
    Workspace,
    existing_parts,
    read_segment_settings,
    read_segments,
    write_segments,
)

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
    write_segments(workspace, "m", "d", part, rows, images, settings)
    return rows


def test_round_trip_in_the_order_of_the_parts(workspace):
    second = write(workspace, 1, ["c", "clip 1/é"])
    first = write(workspace, 0, ["a", "b"])
    tenth = write(workspace, 10, ["z"])
    ours = read_segments(workspace, "m", "d")
    wanted = pd.concat([first, second, tenth], ignore_index=True)
    pd.testing.assert_frame_equal(ours, wanted, check_dtype=False)
    assert ours["iou"].dtype == np.float64
    assert ours["S"].dtype == np.int64
    assert existing_parts(workspace, "m", "d", SETTINGS) == {0: ["a", "b"], 1: ["c", "clip 1/é"], 10: ["z"]}
    assert read_segment_settings(workspace, "m", "d") == {"model": "m", "size": [1, 2], "weights": "abc"}
    assert list(read_segments(workspace, "m", "d", ["iou", "image_id"])) == ["iou", "image_id"]


@pytest.mark.parametrize("empty_first", [True, False])
def test_parts_without_a_segment(workspace, empty_first):
    nothing = table(["x"]).iloc[:0]
    write(workspace, 0, ["a"], rows=nothing if empty_first else None)
    write(workspace, 1, ["b", "c"], rows=None if empty_first else nothing)
    ours = read_segments(workspace, "m", "d")
    assert ours["class"].dtype == ours["segment_id"].dtype == np.int64
    assert set(ours["image_id"]) == ({"b", "c"} if empty_first else {"a"})
    assert existing_parts(workspace, "m", "d") == {0: ["a"], 1: ["b", "c"]}


def test_only_empty_parts(workspace):
    write(workspace, 0, ["a"], rows=table(["a"]).iloc[:0])
    assert len(read_segments(workspace, "m", "d")) == 0


def test_nothing_there(workspace):
    assert existing_parts(workspace, "m", "d", SETTINGS) == {}
    for read in (read_segments, read_segment_settings):
        with pytest.raises(StoreError, match=r"compute_metrics\.py with args\.dataset=d args\.model_name=m"):
            read(workspace, "m", "d")


def test_other_settings_are_refused(workspace):
    write(workspace, 0, ["a"])
    with pytest.raises(SettingsMismatchError, match=r"part-00000.*weights: was 'abc', now 'xyz'"):
        existing_parts(workspace, "m", "d", {**SETTINGS, "weights": "xyz"})
    write(workspace, 1, ["b"], {**SETTINGS, "weights": "xyz"})
    with pytest.raises(SettingsMismatchError, match="weights"):
        read_segments(workspace, "m", "d")


def test_an_image_in_two_parts_is_refused(workspace):
    write(workspace, 0, ["a", "b"])
    write(workspace, 1, ["b"])
    with pytest.raises(StoreError, match="image 'b' is in several parts"):
        read_segments(workspace, "m", "d")


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
    path = workspace.segments_folder("m", "d") / "part-00000.parquet"
    whole = path.read_bytes()
    for length in (0, 3, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        for read in (existing_parts, read_segments, read_segment_settings):
            with pytest.raises(StoreError, match=r"part-00000\.parquet is damaged.*remove it"):
                read(workspace, "m", "d")


def test_foreign_tables_are_refused(workspace):
    write(workspace, 0, ["a"])
    path = workspace.segments_folder("m", "d") / "part-00000.parquet"
    table(["a"]).to_parquet(path)
    with pytest.raises(StoreError, match=r"part-00000\.parquet is damaged"):
        read_segments(workspace, "m", "d")
    content = pq.read_table(path).replace_schema_metadata({"oodretrieval": '{"format_version": 7}'})
    pq.write_table(content, path)
    with pytest.raises(StoreError, match="format version 7"):
        existing_parts(workspace, "m", "d")


def test_stray_files_are_no_parts(workspace):
    write(workspace, 0, ["a"])
    folder = workspace.segments_folder("m", "d")
    for name in ("part-x.parquet", ".tmp-0123456789ab.parquet", "notes.txt"):
        (folder / name).write_text("")
    assert existing_parts(workspace, "m", "d") == {0: ["a"]}


KILLED = """
    import os, sys
    import pandas as pd
    from oodretrieval.stores import Workspace, write_segments
    os.replace = lambda *arguments: os._exit(9)
    rows = pd.DataFrame({"image_id": ["a"], "segment_id": [1]})
    write_segments(Workspace(sys.argv[1]), "m", "d", 0, rows, ["a"], {})
"""


def test_a_killed_writer_leaves_the_old_part(workspace):
    assert run_python(KILLED, workspace.path).returncode == 9
    assert existing_parts(workspace, "m", "d") == {}
    rows = write(workspace, 0, ["a"])
    assert run_python(KILLED, workspace.path).returncode == 9
    assert len(read_segments(workspace, "m", "d")) == len(rows)
