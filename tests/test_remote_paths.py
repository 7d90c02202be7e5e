"""Paths in object stores: what stages ask of a path, and what goes wrong there."""

import json
import os
import pickle
import socket
from pathlib import Path

import fsspec
import numpy as np
import pytest

from oodretrieval.errors import ConfigurationError, StoreError
from oodretrieval.files import atomic_path
from oodretrieval.remote_paths import RemotePath, path_of
from oodretrieval.stores.locks import lock_folder


@pytest.fixture(params=["memory", "local"])
def store(request, tmp_path, monkeypatch):
    """An empty folder in a store; copies lie in a folder of this test."""
    monkeypatch.setenv("OODRETRIEVAL_CACHE", str(tmp_path / "cache"))
    address = f"memory://{tmp_path.name}" if request.param == "memory" else f"local://{tmp_path}/store"
    yield path_of(address)
    fsspec.filesystem("memory").store.clear()


def write(path, content):
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def copies(tmp_path):
    return sorted((tmp_path / "cache").glob("*"))


@pytest.mark.parametrize(
    ("name", "path"),
    [("w/x", "w/x"), ("file:///data/my%20photos", "/data/my photos"), ("file://localhost/data", "/data")],
)
def test_paths_of_this_machine(name, path):
    assert str(path_of(name)) == path and not isinstance(path_of(name), RemotePath)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("file://host/data", "no file:// and an absolute path"),
        ("nowhere://data", "Protocol not known: nowhere.*mount the store"),
        ("smb://host/data", "cannot be opened.*install what fsspec names"),
    ],
)
def test_addresses_that_cannot_be_opened_are_refused_in_plain_words(name, reason):
    with pytest.raises(ConfigurationError, match=reason):
        path_of(name)


def test_an_address_stays_what_it_is():
    path = (
        path_of("s3:" + "//bucket/folder")
        if "s3fs" in fsspec.available_protocols()
        else path_of("memory://b/w")
    )
    for same in (pickle.loads(pickle.dumps(path)), path_of(str(path)), path_of(path), path.absolute()):
        assert same == path and isinstance(same, RemotePath) and str(same) == str(path)
    below = path / "a b" / "c.h5"
    assert str(below) == f"{path}/a b/c.h5" and isinstance(below.parent.with_name("d"), RemotePath)
    assert below.relative_to(path).as_posix() == "a b/c.h5" and below.suffix == ".h5"


def test_what_was_put_is_there_whole(store, tmp_path):
    path = store / "deep" / "values.npy"
    assert not path.exists() and not path.is_file()
    with atomic_path(path) as temporary:
        assert isinstance(temporary, Path) and not isinstance(temporary, RemotePath)
        np.save(temporary, np.arange(5))
        assert not path.exists(), "not before it is whole"
    assert path.is_file() and path.parent.is_dir() and not path.is_dir()
    assert np.load(path, mmap_mode="r").tolist() == [0, 1, 2, 3, 4]
    assert path.stat().st_size == len(path.read_bytes())
    assert [str(found) for found in store.glob("*/*.npy")] == [str(path)]
    assert set(store.rglob("*.npy")) == {path} and list(path.parent.iterdir()) == [path]
    path.unlink()
    path.unlink(missing_ok=True)
    with pytest.raises(FileNotFoundError):
        path.unlink()
    with pytest.raises(FileNotFoundError):
        path.read_bytes()


def test_a_copy_is_fetched_once_and_again_when_the_object_is_another(store, tmp_path):
    path = store / "a.txt"
    write(path, b"one")
    assert [path.read_text() for _ in range(3)] == ["one"] * 3 and len(copies(tmp_path)) == 1
    write(path, b"other")
    assert path.read_text() == "other"


def test_a_write_that_fails_leaves_what_was_there(store, tmp_path, monkeypatch):
    path = store / "a.txt"
    write(path, b"one")
    with pytest.raises(ZeroDivisionError), atomic_path(path) as temporary:
        temporary.write_bytes(b"half")
        raise ZeroDivisionError
    system, _ = path.store

    def refuse(*_, **__):
        raise RuntimeError("the network is gone")

    with monkeypatch.context() as patched:
        patched.setattr(type(system), "put_file", refuse)
        with pytest.raises(StoreError, match=r"cannot write .*a\.txt.*RuntimeError: the network is gone"):
            write(path, b"two")
    assert path.read_text() == "one"
    assert [name for name in copies(tmp_path) if name.name.startswith(".tmp")] == []
    assert list(store.rglob(".tmp*")) == []


def test_a_copy_that_breaks_off_is_none(store, tmp_path, monkeypatch):
    path = store / "a.txt"
    write(path, b"whole")
    system, _ = path.store

    def half(self, key, file, **_):
        Path(file).write_bytes(b"wh")
        raise ConnectionError("lost")

    with monkeypatch.context() as patched:
        patched.setattr(type(system), "get_file", half)
        with pytest.raises(ConnectionError):
            path.read_text()
    assert copies(tmp_path) == [] and path.read_text() == "whole"


def test_nothing_is_written_in_place(store):
    with pytest.raises(OSError, match="not written in place; use a workspace on a disk"):
        (store / "journal").open("a")


def held(store):
    with lock_folder(store, timeout=0.05):
        return True


def test_one_of_two_gets_the_lock(store):
    with lock_folder(store), pytest.raises(StoreError, match=f"another run .process {os.getpid()} on"):
        held(store)
    assert held(store) and list(store.glob(".lock*")) == []


def test_the_lock_of_a_run_that_was_killed_is_taken_on_its_machine_only(store, caplog):
    caplog.set_level("INFO")
    owner = store / ".lock-owner"
    assert owner.create(json.dumps({"host": socket.gethostname(), "pid": 2**22 + 1}).encode())
    write(store / ".tmp-x", b"half")
    with lock_folder(store):
        assert json.loads(owner.read_text())["pid"] == os.getpid()
        assert not (store / ".tmp-x").exists()
    assert "ended in the middle" in caplog.text
    assert owner.create(json.dumps({"host": "elsewhere", "pid": 1}).encode())
    with pytest.raises(StoreError, match="process 1 on elsewhere.*if it was killed, remove"):
        held(store)


def test_old_copies_make_room(store, tmp_path, monkeypatch):
    monkeypatch.setattr("oodretrieval.local_copies.COUNTED_EVERY", 100)
    monkeypatch.setenv("OODRETRIEVAL_CACHE_GB", "250e-9")
    for number in range(6):
        write(store / f"{number}.bin", bytes(90))
        (store / f"{number}.bin").read_bytes()
    assert sum(copy.stat().st_size for copy in copies(tmp_path)) <= 250 + 2 * 90
    assert all((store / f"{number}.bin").read_bytes() == bytes(90) for number in range(6))
