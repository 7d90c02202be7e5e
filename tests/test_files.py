"""Whether a file is still the one that it was."""

import os
import subprocess
import sys

import pytest

from oodretrieval.files import TEMPORARY, atomic_path, file_stamp, was_replaced


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "image.png"
    path.write_bytes(b"one")
    os.utime(path, ns=(5, 5))
    return path


def test_a_file_is_the_same_until_its_content_changes(path):
    stamp = file_stamp(path)
    assert not was_replaced(path, stamp)
    os.utime(path, ns=(9, 9))
    assert not was_replaced(path, stamp)
    path.write_bytes(b"two")
    assert was_replaced(path, stamp)
    path.write_bytes(b"three")
    os.utime(path, ns=(5, 5))
    assert was_replaced(path, stamp)


def test_what_is_no_file_has_no_stamp_and_was_not_replaced(path, tmp_path):
    stamp = file_stamp(path)
    for name in (tmp_path / "none.png", tmp_path, "street 3", "a\0b"):
        assert file_stamp(name) is None
    path.unlink()
    assert not was_replaced(path, stamp)
    assert not was_replaced("a\0b", stamp)


def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    code = "from pathlib import Path; import os, sys; from oodretrieval.files import atomic_path"
    code += "\nwith atomic_path(Path(sys.argv[1])) as path: path.write_text('half'); os._exit(9)"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "killed.txt")], check=False)
    (left,) = tmp_path.iterdir()
    assert TEMPORARY.fullmatch(left.name)
    kept = [
        tmp_path / name for name in ("mine.txt", ".tmp-mine", ".tmp-0123456789ab", left.name[:-5] + "x.y.z")
    ]
    other_machine = f"{int(left.name[5:13], 16) ^ 1:08x}"
    kept.append(tmp_path / left.name.replace(left.name[5:13], other_machine, 1))
    for path in kept:
        path.write_text("")
    with atomic_path(tmp_path / "now.txt") as temporary:
        temporary.write_text("whole")
        assert temporary.exists() and not left.exists()
    assert set(tmp_path.iterdir()) == {*kept, tmp_path / "now.txt"}
