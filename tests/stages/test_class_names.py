"""Proposed names of candidate classes, through the stage: with an embedding that has a text side, and without."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from colour_text import WORDS
from safetensors.torch import save_file

from oodretrieval.choices import DEFAULT_NET
from oodretrieval.entries import EmbeddingEntry
from oodretrieval.errors import SettingsError
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.search.class_naming import VOCABULARY
from oodretrieval.stages.discover.class_names import words_of
from oodretrieval.stages.discover.discover_classes import discover_classes
from oodretrieval.stages.discover.settings import DiscoverClassesSettings
from oodretrieval.stages.select.compute_embeddings import compute_embeddings
from oodretrieval.stages.select.settings import EmbedSettings
from oodretrieval.stores import Catalogue

SETTINGS = DiscoverClassesSettings(embeddings_file="val", clusters=3, classes=2)


def embedded_with(configuration, workspace, entry):
    run = Run(replace(configuration, embeddings={"text": entry}), workspace)
    again = {"load_file": "val", "net": "text", "embedded": "crop", "crop_size": 0, "gpu": -1}
    compute_embeddings(from_mapping(EmbedSettings, again), run)
    return run


def test_classes_are_called_what_fits_them_and_not_the_others(configuration, embedded, tmp_path):
    run = embedded_with(configuration, embedded, EmbeddingEntry("colour_text", "ColourText"))
    words = tmp_path / "names.txt"
    words.write_text("lemon\n\n sea \nstone\nsea\n")
    found = discover_classes(replace(SETTINGS, vocabulary=str(words)), run)
    vectors = np.asarray(Catalogue.named(embedded, "val").vectors, np.float64)
    colours = np.array(list(WORDS.values()))
    cosines = np.array([[v @ c / np.linalg.norm(v) / np.linalg.norm(c) for c in colours] for v in vectors])
    saved = json.loads(Path(next(f for f in found["files"] if f.endswith(".json"))).read_text())
    members = pd.read_csv(next(f for f in found["files"] if f.endswith("_members.csv")))
    for rank, one in enumerate(found["classes"], 1):
        rows = members["row"][members["rank"] == rank]
        fit = (cosines - cosines.mean(axis=0))[rows].mean(axis=0)
        assert [name for name, _ in one["names"]] == [list(WORDS)[i] for i in np.argsort(-fit)]
        assert np.allclose([value for _, value in one["names"]], np.sort(fit)[::-1], atol=1e-6)
    assert len({one["names"][0][0] for one in found["classes"]}) > 1
    table = Path(next(f for f in found["files"] if f.endswith(".md"))).read_text()
    best = found["classes"][0]["names"][0]
    assert "proposed names" in table and f"{best[0]} {best[1]:.2f}" in table
    assert any("proposed by text out of 3" in note for note in saved["notes"])


@pytest.mark.slow
def test_a_network_of_open_clip_proposes_names_from_the_default_list(configuration, embedded, tmp_path):
    open_clip = pytest.importorskip("open_clip")
    network = {
        "embed_dim": 12,
        "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8},
        "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
    }
    torch.manual_seed(0)
    save_file(open_clip.CLIP(**network).state_dict(), tmp_path / "open_clip_model.safetensors")
    shown = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]}
    (tmp_path / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": network, "preprocess_cfg": shown})
    )
    entry = EmbeddingEntry("oodretrieval.embedding", "OpenClipEmbedding", weights=str(tmp_path))
    found = discover_classes(SETTINGS, embedded_with(configuration, embedded, entry))
    known = {*VOCABULARY, *words_of("", Catalogue.named(embedded, "val"))}
    for one in found["classes"]:
        assert len(one["names"]) == 3 and {name for name, _ in one["names"]} <= known


def test_without_a_text_side_that_is_said(configuration, embedded, tmp_path, caplog):
    (tmp_path / "names.txt").write_text("dog")
    found = discover_classes(
        replace(SETTINGS, vocabulary=str(tmp_path / "names.txt")), Run(configuration, embedded)
    )
    assert not any("names" in one for one in found["classes"])
    assert f"'{DEFAULT_NET}' has no text side" in caplog.text
    page = Path(next(f for f in found["files"] if f.endswith(".md"))).read_text()
    assert f"no proposed names: the embedding network '{DEFAULT_NET}' has no text side" in page


@pytest.mark.parametrize("content", [None, b"\n \n", b"\xff\xfe\x00"])
def test_a_file_without_names(configuration, embedded, tmp_path, content):
    path = tmp_path / "names.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError, match=r"a name in each line; .*names\.txt"):
        words_of(str(path), Catalogue.named(embedded, "val"))


def test_the_default_list_and_what_the_network_knows(embedded):
    words = words_of("", Catalogue.named(embedded, "val"))
    assert words[: len(VOCABULARY)] == list(VOCABULARY)
    assert len(set(words)) == len(words) and "pole" in words
    assert all(word == word.strip() and word for word in VOCABULARY)
