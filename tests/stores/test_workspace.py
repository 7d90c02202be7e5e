import errno
import json
import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from oodretrieval.errors import SettingsMismatchError, StoreError
from oodretrieval.stores import (
    Stored,
    Workspace,
    atomic_path,
    plain,
    read_json,
    require_same_settings,
    write_json,
)


def run_python(code, *arguments):
    """Run a script in a process of its own, as a killed or competing run would be."""
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_nothing_is_created_before_something_is_written(tmp_path):
    workspace = Workspace(tmp_path / "w")
    workspace.prediction_path(Stored("m", "d"), "a/b")
    workspace.catalogue_folder("c")
    assert not workspace.path.exists()


def test_layout(tmp_path):
    workspace = Workspace(tmp_path)
    assert workspace.prediction_path(Stored("m", "d"), "a/b c/é") == tmp_path / "predictions/m/d/a/b c/é.h5"
    assert workspace.segments_folder(Stored("m", "d")) == tmp_path / "segments/m/d"
    assert workspace.meta_model_path("x") == tmp_path / "meta_models/x.safetensors"
    assert workspace.meta_model_path("x", ".skops") == tmp_path / "meta_models/x.skops"
    assert workspace.catalogue_folder("c") == tmp_path / "catalogues/c"
    assert workspace.runs_folder == tmp_path / "runs"


def test_home_is_understood():
    assert Workspace("~/w").path == Path.home() / "w"


@pytest.mark.parametrize(
    "image_id", ["", "/etc/x", "../x", "a/../../x", "a//b", "a/", ".", "a/./b", "a\\b", "a\0b"]
)
def test_ids_that_escape_are_refused(image_id):
    with pytest.raises(StoreError, match="cannot name a file"):
        Workspace("w").prediction_path(Stored("m", "d"), image_id)


@pytest.mark.parametrize("name", ["", "..", "a/b"])
def test_names_that_are_no_folder_are_refused(name):
    for place in (Workspace("w").catalogue_folder, Workspace("w").meta_model_path):
        with pytest.raises(StoreError, match="cannot name"):
            place(name)
    with pytest.raises(StoreError, match="cannot name"):
        Workspace("w").segments_folder(Stored("m", name))


def test_atomic_write_and_replace(tmp_path):
    path = tmp_path / "deep" / "x.txt"
    for text in ("one", "two"):
        with atomic_path(path) as temporary:
            assert temporary.parent == path.parent
            assert temporary.suffix == ".txt"
            temporary.write_text(text)
        assert path.read_text() == text
    assert names_in(path.parent) == ["x.txt"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failing_block_leaves_the_old_file(tmp_path, error):
    path = tmp_path / "x.txt"
    path.write_text("old")
    with pytest.raises(error), atomic_path(path) as temporary:
        temporary.write_text("half")
        raise error
    assert path.read_text() == "old"
    assert names_in(tmp_path) == ["x.txt"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_no_temporary_file(tmp_path, monkeypatch, call):
    def full(*arguments):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "x.json"
    write_json(path, {"old": 1})
    before = path.read_text()
    monkeypatch.setattr(os, call, full)
    with pytest.raises(StoreError, match=r"cannot write .*x\.json .*No space left.*make room"):
        write_json(path, {"new": 2})
    monkeypatch.undo()
    assert names_in(tmp_path) == ["x.json"]
    assert path.read_text() == before


def test_a_file_where_a_folder_must_be(tmp_path):
    (tmp_path / "a").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        write_json(tmp_path / "a" / "x.json", 1)


KILLED = """
    import os, sys
    from pathlib import Path
    from oodretrieval.stores import atomic_path
    with atomic_path(Path(sys.argv[1])) as temporary:
        temporary.write_text("half")
        os._exit(9)
"""


@pytest.mark.parametrize("old", [None, "old"])
def test_a_killed_writer_leaves_the_old_file_or_none(tmp_path, old):
    path = tmp_path / "x.txt"
    if old:
        path.write_text(old)
    assert run_python(KILLED, path).returncode == 9
    assert (path.read_text() if path.exists() else None) == old
    leftovers = [name for name in names_in(tmp_path) if name.startswith(".tmp-")]
    assert len(leftovers) == 1
    with Workspace(tmp_path).lock(tmp_path):
        assert not [name for name in names_in(tmp_path) if name.startswith(".tmp-")]


LOCK = """
    import sys
    from pathlib import Path
    from oodretrieval.errors import StoreError
    from oodretrieval.stores import Workspace
    try:
        with Workspace(sys.argv[1]).lock(Path(sys.argv[2])):
            print("locked")
    except StoreError as error:
        print(error)
"""


@pytest.mark.slow
def test_a_second_process_is_refused_at_once(tmp_path):
    workspace = Workspace(tmp_path)
    folder = workspace.segments_folder(Stored("m", "d"))
    with workspace.lock(folder):
        answer = run_python(LOCK, tmp_path, folder).stdout
        assert str(folder) in answer and "in use by another run" in answer
        other = workspace.segments_folder(Stored("m", "e"))
        assert run_python(LOCK, tmp_path, other).stdout == "locked\n"
    assert run_python(LOCK, tmp_path, folder).stdout == "locked\n"


def test_a_second_lock_in_the_same_process_is_refused(tmp_path):
    workspace = Workspace(tmp_path)
    with workspace.lock(tmp_path), pytest.raises(StoreError, match="in use"), workspace.lock(tmp_path):
        pass
    with workspace.lock(tmp_path):
        pass


def test_a_lock_is_let_go_after_an_error(tmp_path):
    workspace = Workspace(tmp_path)
    with pytest.raises(RuntimeError), workspace.lock(tmp_path):
        raise RuntimeError
    with workspace.lock(tmp_path):
        pass


def test_settings_that_differ_are_listed():
    recorded = {"model": "a", "size": (1, 2), "root": Path("x/y"), "gone": None, "n": np.int64(3)}
    require_same_settings("w", recorded, {"model": "a", "size": [1, 2], "root": "x/y", "gone": None, "n": 3})
    with pytest.raises(SettingsMismatchError) as caught:
        require_same_settings("the table", recorded, {**recorded, "model": "b", "new": 1, "n": 3})
    message = str(caught.value)
    assert (
        "the table" in message
        and "model: was 'a', now 'b'" in message
        and "new: was not set, now 1" in message
    )
    assert "size" not in message and "args.overwrite=True" in message
    with pytest.raises(SettingsMismatchError, match="gone: was None, now not set"):
        require_same_settings("w", {"gone": None}, {})


def test_plain_values():
    assert plain({"a": frozenset({2, 1}), "b": np.arange(2), "c": np.float32(0.5)}) == {
        "a": [1, 2],
        "b": [0, 1],
        "c": 0.5,
    }
    with pytest.raises(StoreError, match="numbers, texts"):
        plain({"f": print})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "damaged"),
        ("[]", "no JSON object"),
        ('{"format_version": 99}', "format version 99.*reads 1"),
        (None, "no file"),
    ],
)
def test_json_that_cannot_be_used(tmp_path, text, message):
    path = tmp_path / "x.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(StoreError, match=message) as caught:
        read_json(path, "do it again")
    assert "x.json" in str(caught.value)


def test_importing_the_stores_loads_no_torch():
    answer = run_python(
        "import oodretrieval.stores, sys; print('torch' in sys.modules, 'skimage' in sys.modules)"
    )
    assert answer.stdout == "False False\n", answer.stderr


def test_who_holds_a_lock_is_said_and_what_to_do(tmp_path):
    workspace, owner = Workspace(tmp_path), tmp_path / ".lock-owner"
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with workspace.lock(tmp_path):
        for host, process, said in (
            (socket.gethostname(), os.getpid(), f"process {os.getpid()} on {socket.gethostname()}; wait"),
            (socket.gethostname(), ended.pid, "it has ended, but a process that it started still holds"),
            ("node7", 12, r"process 12 on node7; wait .*if node7 is switched off, remove .*\.lock"),
        ):
            owner.write_text(json.dumps({"host": host, "pid": process}))
            with (
                pytest.raises(StoreError, match=f"in use by another run, .*{said}"),
                workspace.lock(tmp_path),
            ):
                pass
        owner.write_text("{")
        with pytest.raises(StoreError, match="in use by another run; wait"), workspace.lock(tmp_path):
            pass
    assert not owner.exists()


KILLED_WITH_THE_LOCK = """
    import os, sys
    from pathlib import Path
    from oodretrieval.stores import Workspace
    with Workspace(sys.argv[1]).lock(Path(sys.argv[1])):
        os.kill(os.getpid(), 9)
"""


def test_a_lock_of_a_killed_process_is_free_and_said_to_be_left(tmp_path, caplog):
    caplog.set_level("INFO")
    assert run_python(KILLED_WITH_THE_LOCK, tmp_path).returncode == -9
    assert (tmp_path / ".lock-owner").exists()
    with Workspace(tmp_path).lock(tmp_path):
        assert "ended in the middle (process" in caplog.text and "going on from what it left" in caplog.text
    caplog.clear()
    with Workspace(tmp_path).lock(tmp_path):
        assert caplog.text == ""
