import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from oodretrieval.embedding import OpenClipEmbedding, embed_crops, embedding_network, text_vectors
from oodretrieval.entries import EmbeddingEntry
from oodretrieval.errors import ConfigurationError, UnknownNameError, WeightsError

CONFIGURATION = {
    "embed_dim": 12,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 8},
    "text_cfg": {"context_length": 8, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}
PREPROCESSING = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]}


@pytest.fixture(scope="module")
def open_clip():
    """Imported when a test asks: it takes a second, in every process that collects tests."""
    return pytest.importorskip("open_clip")


@pytest.fixture(scope="module")
def folder(open_clip, tmp_path_factory):
    """A tiny network of open_clip with random weights, as its hub repositories lie."""
    folder = tmp_path_factory.mktemp("clip")
    torch.manual_seed(0)
    network = open_clip.CLIP(**CONFIGURATION)
    content = {"model_cfg": CONFIGURATION, "preprocess_cfg": PREPROCESSING}
    (folder / "open_clip_config.json").write_text(json.dumps(content))
    save_file(network.state_dict(), folder / "open_clip_model.safetensors")
    return folder


@pytest.fixture(scope="module")
def entry(folder):
    return EmbeddingEntry("oodretrieval.embedding", "OpenClipEmbedding", weights=str(folder))


@pytest.fixture(scope="module")
def network(entry):
    return embedding_network(entry)


def test_crops_and_texts_share_a_space(network, folder):
    crops = [
        np.random.default_rng(0).integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in [(40, 20), (9, 70)]
    ]
    vectors, texts = embed_crops(network, crops), text_vectors(network, ["a dog", "a cow"])
    assert vectors.shape == texts.shape == (2, network.dim) == (2, 12)
    assert texts.dtype == np.float32
    assert np.allclose(np.linalg.norm(np.concatenate([vectors, texts]), axis=1), 1, atol=1e-5)
    assert not np.allclose(texts[0], texts[1])
    assert network.has_text and network.input_size == (32, 32)
    assert network.mean == tuple(PREPROCESSING["mean"]) and network.std == tuple(PREPROCESSING["std"])


def test_texts_are_what_open_clip_itself_gives(open_clip, entry, folder):
    oracle = open_clip.create_model(f"local-dir:{folder}")
    with torch.inference_mode():
        expected = oracle.encode_text(
            open_clip.get_tokenizer(f"local-dir:{folder}")(["a cone"]), normalize=True
        )
    assert np.allclose(text_vectors(entry, ["a cone"]), expected.numpy(), atol=1e-6)


def test_no_texts(network):
    assert text_vectors(network, []).shape == (0, 12)


def test_a_network_without_text_says_which_has_one():
    network = embedding_network(pretrained=False)
    assert not network.has_text
    with pytest.raises(
        ConfigurationError, match=r"'efficientnet_lite0_layers' has no text side.*OpenClipEmbedding"
    ):
        text_vectors(network, ["a dog"])


def test_what_is_missing_is_said(folder, tmp_path, monkeypatch):
    with pytest.raises(WeightsError, match=r"no weights are named; fetch .*hf download"):
        OpenClipEmbedding()
    with pytest.raises(WeightsError, match=r"there is no '.*gone'; fetch"):
        OpenClipEmbedding(tmp_path / "gone")
    with pytest.raises(ConfigurationError, match=r"has no open_clip_config\.json"):
        OpenClipEmbedding(tmp_path)
    (tmp_path / "open_clip_config.json").write_text((folder / "open_clip_config.json").read_text())
    with pytest.raises(WeightsError, match="cannot be loaded"):
        OpenClipEmbedding(tmp_path)
    (tmp_path / "net.safetensors").write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="cannot be loaded"):
        OpenClipEmbedding(tmp_path)
    with pytest.raises(UnknownNameError, match="network of open_clip"):
        OpenClipEmbedding(tmp_path / "net.safetensors", "ViT-Z-32")
    monkeypatch.setitem(__import__("sys").modules, "open_clip", None)
    with pytest.raises(ConfigurationError, match=r"text side needs the package 'open_clip'.*\[text\]"):
        OpenClipEmbedding(folder)


def test_it_has_no_vectors_of_places(network):
    with pytest.raises(ConfigurationError, match="embeds whole crops"):
        network.feature_map(torch.zeros(1, 3, 32, 32))


def test_an_entry_of_something_else_is_refused():
    with pytest.raises(ConfigurationError, match=r"must build an EmbeddingNetwork, built Linear"):
        embedding_network(EmbeddingEntry("torch.nn", "Linear", {"in_features": 1, "out_features": 1}))
