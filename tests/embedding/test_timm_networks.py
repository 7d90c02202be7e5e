import re

import huggingface_hub
import numpy as np
import pytest
import timm
import torch
from safetensors.torch import save_file

from oodretrieval import imagenet_weights
from oodretrieval.embedding import TimmEmbedding, embed_crops, embedding_network
from oodretrieval.entries import EmbeddingEntry
from oodretrieval.errors import ConfigurationError, UnknownNameError, WeightsError

NETWORKS = ["test_resnet", "test_convnext", "test_efficientnet", "test_vit", "test_vit3"]


@pytest.fixture(scope="module", params=NETWORKS)
def network(request):
    torch.manual_seed(0)
    return embedding_network(request.param, pretrained=False)


def test_vectors_are_what_timms_classifier_sees(network):
    oracle = timm.create_model(network.name, dynamic_img_size=True) if network.multiple_of > 1 else None
    oracle = oracle or timm.create_model(network.name)
    oracle.load_state_dict(network.trunk.state_dict(), strict=False)
    side = network.min_size
    crops = torch.randn(2, 3, side, side + 2 * network.multiple_of)
    with torch.inference_mode():
        vectors = network(crops)
        expected = oracle.eval().forward_head(oracle.forward_features(crops), pre_logits=True)
    assert vectors.shape == (2, network.dim)
    torch.testing.assert_close(vectors, expected)


def test_a_feature_map_has_the_places_of_the_image(network):
    """What lies on the left stays on the left: it changes where the image does, and most there."""
    side = max(64, 2 * network.min_size)
    first = torch.zeros(1, 3, side, 2 * side)
    second = first.clone()
    second[..., : side // 2] = 3
    with torch.inference_mode():
        maps = [network.feature_map(image) for image in (first, second)]
    assert maps[0].ndim == 4 and maps[0].shape[3] == 2 * maps[0].shape[2]
    change = (maps[1] - maps[0]).abs().mean(dim=(0, 1, 2))
    assert change[: len(change) // 4].mean() > 1.2 * change[-len(change) // 4 :].mean()


def test_crops_of_any_size_become_vectors(network):
    crops = [np.zeros((h, w, 3), np.uint8) for h, w in [(5, 90), (64, 64), (101, 33)]]
    vectors = embed_crops(network, crops)
    assert vectors.shape == (3, network.dim) and np.isfinite(vectors).all()


def test_dinov2_and_dinov3_take_any_size_in_whole_patches():
    for name, patch in (("vit_small_patch14_dinov2", 14), ("vit_small_patch16_dinov3", 16)):
        with torch.device("meta"):
            network = embedding_network(name, pretrained=False)
            crops = torch.zeros(1, 3, 8 * patch, 9 * patch)
            assert network(crops).shape == (1, 384)
            assert network.feature_map(crops).shape == (1, 384, 8, 9)
        assert (network.multiple_of, network.input_size) == (patch, None)


def test_weights_from_a_file_are_those_used(tmp_path):
    torch.manual_seed(1)
    saved = timm.create_model("test_vit", num_classes=7).eval()
    save_file(saved.state_dict(), tmp_path / "net.safetensors")
    entry = EmbeddingEntry(
        "oodretrieval.embedding", "TimmEmbedding", {"name": "test_vit"}, weights=tmp_path / "net.safetensors"
    )
    network = embedding_network(entry)
    crops = torch.randn(1, 3, 160, 160)
    with torch.inference_mode():
        expected = saved.forward_head(saved.forward_features(crops), pre_logits=True)
        torch.testing.assert_close(network(crops), expected)


def test_a_file_of_another_network_is_refused(tmp_path):
    save_file(timm.create_model("test_resnet").state_dict(), tmp_path / "net.safetensors")
    with pytest.raises(WeightsError, match="weights of test_vit cannot be loaded"):
        TimmEmbedding("test_vit", tmp_path / "net.safetensors")
    (tmp_path / "net.safetensors").write_bytes(b"no weights")
    with pytest.raises(WeightsError, match="weights of test_vit cannot be loaded"):
        TimmEmbedding("test_vit", tmp_path / "net.safetensors")
    with pytest.raises(WeightsError, match=r"no file .*gone\.pth.*fetch"):
        TimmEmbedding("test_vit", tmp_path / "gone.pth")


def test_offline_it_says_what_to_fetch(monkeypatch):
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr(huggingface_hub, "is_offline_mode", lambda: True)
    with pytest.raises(
        WeightsError, match=re.escape("'timm/vit_small_patch14_dinov2.lvd142m'") + ".*EMBEDDINGS"
    ):
        embedding_network("vit_small_patch14_dinov2")


def test_names_and_options_that_are_none():
    with pytest.raises(UnknownNameError, match="did you mean"):
        TimmEmbedding("vit_small_patch14_dinov4")
    with pytest.raises(ConfigurationError, match="timm cannot build test_resnet"):
        TimmEmbedding("test_resnet", pretrained=False, nonsense=1)


def test_a_packaged_network_needs_no_download(monkeypatch):
    monkeypatch.setattr(imagenet_weights, "unreachable", lambda url: pytest.fail("asked the network"))
    network, own = TimmEmbedding("tf_efficientnet_lite0").eval(), embedding_network("efficientnet_lite0")
    crops = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(network(crops), own(crops))
    assert (network.mean, network.std) == (own.mean, own.std)
