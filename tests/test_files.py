"""Whether a file is still the one that it was."""

import os

import pytest

from oodretrieval.files import file_stamp, was_replaced


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
