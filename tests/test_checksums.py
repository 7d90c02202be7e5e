"""Bytes that rot: blocks flipped or zeroed at many places of every kind of file are noticed when it is read."""

import json
import shutil
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from torch import nn

from oodretrieval.errors import StoreError, WeightsError
from oodretrieval.experiment.configuration import load_configuration
from oodretrieval.experiment.run import Run
from oodretrieval.files import CHECKSUM, verify
from oodretrieval.meta_models import load_meta_model, save_meta_model
from oodretrieval.models.checkpoints import load_weights, save_weights
from oodretrieval.novelty import load_novelty_model, save_novelty_model
from oodretrieval.parted_arrays import PartedArray
from oodretrieval.stages.fit.compute_logit_statistics import find_logit_statistics
from oodretrieval.stores import (
    Catalogue,
    CatalogueWriter,
    Prediction,
    PublishedPredictions,
    Stored,
    Workspace,
    existing_parts,
    read_features,
    read_json,
    read_prediction_file,
    read_segments,
    write_features,
    write_json,
    write_prediction,
    write_segments,
)
from oodretrieval.stores import vectors as vector_files

PRETRAINED = Path(__file__).parents[1] / "pretrained"
PLACES = 12
BLOCKS = (1, 200)
RNG = np.random.default_rng(0)
TABLE = pd.DataFrame(
    {
        "image_id": np.repeat(["a", "b", "c"], 60),
        "segment_id": np.arange(180),
        "E": RNG.random(180),
        "label": RNG.integers(0, 9, 180),
    }
)
VECTORS = RNG.normal(size=(180, 9)).astype(np.float32)
SIZE = (24, 32)
PREDICTION = Prediction(
    RNG.integers(0, 5, SIZE).astype(np.uint8),
    labels=RNG.integers(0, 5, SIZE).astype(np.uint8),
    image_path="images/a.png",
    image_id="a",
    logits=RNG.normal(size=(5, 6, 8)).astype(np.float32),
    num_classes=5,
    entropy=RNG.integers(0, 255, SIZE).astype(np.uint8),
    settings={"model": "m", "weights": "0123456789abcdef"},
)


def segments(path):
    write_segments(Workspace(path), Stored("m", "d"), 0, TABLE, dict.fromkeys("abc", ""), {"model": "m"})
    return path / "segments/m/d/part-00000.parquet", lambda: read_segments(Workspace(path), "m", "d")


def columns(path):
    file, _ = segments(path)
    return file, lambda: read_segments(Workspace(path), "m", "d", ["E"])


def parts(path):
    file, _ = segments(path)
    return file, lambda: existing_parts(Workspace(path), Stored("m", "d"))


def catalogue(path):
    with CatalogueWriter(path, {"model": "m"}) as writer:
        writer.add_part(TABLE, VECTORS, embedding="net", done=("d", ("a", "b")))
        writer.add_table("all", TABLE[["image_id", "E"]])
        writer.commit()


def catalogue_table(path):
    catalogue(path)
    return path / "part-00000.parquet", lambda: Catalogue.open(path).segments


def table_of_its_own(path):
    catalogue(path)
    return path / "tables/all/part-00000.parquet", lambda: Catalogue.open(path).table("all")


def vectors(path):
    catalogue(path)
    return path / "vectors/net/part-00000.npy", lambda: Catalogue.open(path).vectors


def manifest(path):
    catalogue(path)
    return path / "manifest.json", lambda: Catalogue.open(path)


def prediction(keep):
    def make(path):
        file = path / "input0.hdf5"
        write_prediction(file, PREDICTION, keep)
        return file, lambda: read_prediction_file(file)

    return make


def prediction_as_published(path):
    file, _ = prediction("softmax")(path)
    return file, lambda: PublishedPredictions(path)[0]


def features(path):
    made_by = {"backbone": "net"}
    file = path / "part-00000.safetensors"
    write_features(file, VECTORS, made_by)

    def read():
        if read_features(file, len(VECTORS), made_by) is None:
            raise StoreError("computed again")

    return file, read


def json_file(path):
    file = path / "x.json"
    write_json(file, {"format_version": 1, "numbers": list(range(50)), "text": "as it was written"})
    return file, lambda: read_json(file, "write it again")


def shipped(name, load, save):
    """A model that ships, which was written before there were checksums, written again."""

    def make(path):
        save(load(PRETRAINED / name), path / name)
        return path / name, lambda: load(path / name)

    return make


def network(path):
    file = path / "w.safetensors"
    save_weights(nn.Linear(9, 9), file, {"classes": {"0": ["road", [1, 2, 3]]}}, half=True)
    return file, lambda: load_weights(nn.Linear(9, 9), file)


def logit_statistics(path):
    """Those that ship, next to weights that are not there."""
    shipped = load_configuration(PRETRAINED.parent / "configuration.py")
    weights = path / "deeplabv3plus_streets.safetensors"
    entry = replace(shipped.models["deeplabv3plus_streets"], weights=weights)
    run = Run(replace(shipped, models={"streets": entry}), Workspace(path / "workspace"))
    file = path / "deeplabv3plus_streets.logits.safetensors"
    shutil.copy(PRETRAINED / file.name, file)
    assert find_logit_statistics(run, "streets") is not None
    return file, lambda: find_logit_statistics(run, "streets")


KINDS = {
    make.__name__: make
    for make in (
        segments,
        columns,
        parts,
        catalogue_table,
        table_of_its_own,
        vectors,
        manifest,
        prediction_as_published,
        features,
        json_file,
        network,
        logit_statistics,
    )
} | {f"prediction_{keep}": prediction(keep) for keep in ("logits", "softmax", "nothing")}
KINDS["meta_model"] = shipped("meta_nn_streets.safetensors", load_meta_model, save_meta_model)
KINDS["trees"] = shipped("boosting_streets.skops", load_meta_model, save_meta_model)
KINDS["novelty_model"] = shipped("novelty_streets.safetensors", load_novelty_model, save_novelty_model)


def damages(content):
    """Kinds of damage at many places, first and last bytes among them: (kind, first byte, bytes).

    Only such that change something: zeros that are zeroed are no damage.
    """
    size = len(content)
    places = np.unique(np.linspace(0, size - 1, PLACES).astype(int))
    tried = [(k, int(p), b) for k in ("flipped", "inverted", "zeroed") for b in BLOCKS for p in places]
    if b"crc32:" in content:  # and the checksum itself, with what stands around it
        place = content.rindex(b"crc32:")
        tried += [
            (kind, max(0, place + shift), block)
            for kind in ("flipped", "zeroed")
            for block in (1, 40)
            for shift in range(-24, 14, 5)
        ]
    return [damage for damage in tried if changed(content, damage) != content]


def changed(content, damage):
    kind, start, count = damage
    block = np.frombuffer(content, np.uint8)[start : start + count]
    new = {"flipped": block ^ 1, "inverted": ~block, "zeroed": block * 0}[kind]
    return content[:start] + new.astype(np.uint8).tobytes() + content[start + count :]


@contextmanager
def damaged(file, content, damage):
    file.write_bytes(changed(content, damage))
    try:
        yield
    finally:
        file.write_bytes(content)


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.slow] * (kind == "trees")) for kind in KINDS]
)
def test_damage_anywhere_is_an_error(tmp_path, kind):
    file, read = KINDS[kind](tmp_path)
    read()
    content = file.read_bytes()
    for damage in damages(content):
        with damaged(file, content, damage), pytest.raises((StoreError, WeightsError)):
            pytest.fail(f"{damage} was read silently: {read()!r}")
    read()


def test_large_vectors_are_compared_where_that_is_asked_for(tmp_path, monkeypatch):
    """And are not read whole where it is not."""
    monkeypatch.setattr(vector_files, "SMALL", 100)
    file, read = vectors(tmp_path)
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    assert isinstance(read(), np.memmap)
    with pytest.raises(StoreError, match="damaged.*checksum"):
        _ = Catalogue.open(tmp_path, verify=True).vectors


@pytest.mark.parametrize("small", [2**26, 100])
def test_vectors_of_several_parts_are_compared_where_they_are_put_together(tmp_path, monkeypatch, small):
    """Together they are small, or large: then they stay where they are, and are compared if that is asked for."""
    monkeypatch.setattr(vector_files, "SMALL", small)
    with CatalogueWriter(tmp_path, {}) as writer:
        for number in range(2):
            writer.add_part(TABLE, VECTORS, embedding="net", done=number)
        writer.commit()
    catalogue = Catalogue.open(tmp_path)
    assert isinstance(catalogue.vectors, PartedArray) == (small == 100)
    assert np.array_equal(np.asarray(catalogue.vectors), np.concatenate([VECTORS, VECTORS]))
    file = tmp_path / "vectors/net/part-00001.npy"
    file.write_bytes(file.read_bytes()[:-9] + b"\0" * 9)
    with pytest.raises(StoreError, match="damaged.*checksum"):
        _ = Catalogue.open(tmp_path, verify=small == 100).vectors


def test_lengths_are_kept_and_compared_with_their_checksum(tmp_path):
    file, _ = vectors(tmp_path)
    lengths = tmp_path / "lengths/net" / f"of-{file.name}"
    expected = np.linalg.norm(VECTORS.astype(np.float64), axis=1)
    np.testing.assert_allclose(Catalogue.open(tmp_path).lengths, expected, rtol=1e-12)
    lengths.write_bytes(lengths.read_bytes()[:-2] + b"!!")
    with pytest.raises(StoreError, match="damaged.*checksum"):
        _ = Catalogue.open(tmp_path).lengths
    np.save(lengths, np.zeros(7))
    with pytest.raises(StoreError, match="damaged.*checksum"):
        _ = Catalogue.open(tmp_path).lengths


def test_a_truncated_file_of_large_vectors_is_noticed_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(vector_files, "SMALL", 100)
    file, read = vectors(tmp_path)
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(StoreError, match="damaged"):
        read()


def test_files_of_before_are_read_as_ever(tmp_path):
    """Those have no checksum: the same content, written as it was then."""
    file, read = segments(tmp_path / "s")
    table = pq.read_table(file)
    noted = json.loads(table.schema.metadata[b"oodretrieval"])
    assert noted.pop(CHECKSUM)
    pq.write_table(table.replace_schema_metadata({"oodretrieval": json.dumps(noted)}), file)
    assert not verify(file)
    assert read()["E"].tolist() == TABLE["E"].tolist()

    file, read = manifest(tmp_path / "c")
    content = json.loads(file.read_text())
    assert content.pop(CHECKSUM)
    for part in content["parts"]:
        assert part.pop("checksums") and part.pop("lengths")
    file.write_text(json.dumps(content))
    assert np.array_equal(read().vectors, VECTORS)
    np.testing.assert_allclose(read().lengths, np.linalg.norm(VECTORS.astype(np.float64), axis=1), rtol=1e-12)
    with CatalogueWriter(tmp_path / "c", {"model": "m"}) as writer:
        writer.add_part(TABLE, VECTORS, embedding="net", done="more")
        writer.commit()
    assert len(read().vectors) == 2 * len(VECTORS)


def test_tables_of_others_are_verified_by_nothing(tmp_path):
    pq.write_table(pa.table({"a": [1, 2]}), tmp_path / "x.parquet")
    assert not verify(tmp_path / "x.parquet")
    (tmp_path / "empty").touch()
    assert not verify(tmp_path / "empty")
