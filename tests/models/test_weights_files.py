"""Which files weights consist of, and classes that read them by themselves."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from oodretrieval.entries import ModelEntry
from oodretrieval.errors import ConfigurationError
from oodretrieval.models import load_model, weights_hash, weights_in_use
from oodretrieval.models.weights_files import files_of


class Reads(nn.Module):
    """Takes the path of its weights."""

    def __init__(self, scale=1, weights_file=None, run_code=False):
        super().__init__()
        self.seen = scale, weights_file, run_code


class Finds(nn.Module):
    """Knows a cache."""

    @staticmethod
    def cached_weights(folder):
        return folder


def entry(class_name, kwargs=None, **options):
    return ModelEntry(__name__, class_name, kwargs or {}, **options)


@pytest.mark.parametrize("run_code", [False, True])
def test_a_class_that_takes_the_path_is_handed_it(run_code, tmp_path):
    (tmp_path / "w").touch()
    network = load_model(entry("Reads", {"scale": 3}, weights=tmp_path / "w", run_code=run_code))
    assert network.seen == (3, tmp_path / "w", run_code)
    assert load_model(entry("Reads")).seen == (1, None, False)


@pytest.mark.parametrize("name", ["weights_file", "run_code"])
def test_the_path_among_the_arguments_is_refused(name):
    with pytest.raises(
        ConfigurationError, match=rf"give `\w+` of the entry, not '{name}' among its arguments"
    ):
        load_model(entry("Reads", {name: "w"}))


def test_weights_in_use_are_the_entrys_or_those_in_a_cache(tmp_path):
    assert weights_in_use(entry("Reads")) is None
    assert weights_in_use(entry("Reads", weights=tmp_path / "gone")) is None
    assert weights_in_use(entry("Reads", weights=tmp_path)) == tmp_path
    assert weights_in_use(entry("Finds", {"folder": tmp_path})) == tmp_path
    assert weights_in_use(entry("Finds", {"nothing": 1})) is None, "building it says what is wrong"
    assert weights_in_use(ModelEntry("no.such.module", "X")) is None


def test_a_files_hash_is_that_of_its_content(tmp_path):
    for name in ("a.bin", "b.onnx"):
        (tmp_path / name).write_bytes(b"abc")
        assert weights_hash(tmp_path / name) == hashlib.sha256(b"abc").hexdigest()[:16]
    (tmp_path / "empty.onnx").touch()
    assert weights_hash(tmp_path / "empty.onnx") == hashlib.sha256(b"").hexdigest()[:16]


def test_a_folders_hash_follows_names_and_content_of_what_counts(tmp_path):
    seen = set()
    for name, content in (("config.json", b"{}"), ("model.safetensors", b"x"), ("model.safetensors", b"y")):
        (tmp_path / name).write_bytes(content)
        seen.add(weights_hash(tmp_path))
    (tmp_path / "model.safetensors").rename(tmp_path / "other.safetensors")
    seen.add(weights_hash(tmp_path))
    assert len(seen) == 4
    (tmp_path / "notes.md").touch()
    assert weights_hash(tmp_path) in seen


@given(st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=200), st.binary())
def test_files_that_an_onnx_file_names_belong_to_it(tmp_path_factory, name, noise):
    """As a protocol buffer writes the pair ``location`` and name, lengths in seven bits each."""
    folder = tmp_path_factory.mktemp("onnx")
    length = bytes([len(name)]) if len(name) < 128 else bytes([len(name) & 0x7F | 0x80, len(name) >> 7])
    (folder / "net.onnx").write_bytes(noise + b"\n\x08location\x12" + length + name.encode() + noise)
    assert set(files_of(folder / "net.onnx")) == {folder / "net.onnx"}
    (folder / name).touch()
    assert set(files_of(folder / "net.onnx")) == {folder / "net.onnx", folder / name}
