import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from oodretrieval.embedding import DEFAULT_NETWORK, View, embed_views, embedding_network
from oodretrieval.embedding.layered import LAYERS
from oodretrieval.errors import ConfigurationError


@pytest.fixture(scope="module")
def layered():
    return embedding_network(pretrained=False)


def crops(height=96, width=64):
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0))


def test_the_default_has_the_last_two_stages_and_what_the_classifier_reads(layered):
    assert layered.name == DEFAULT_NETWORK == "efficientnet_lite0_layers"
    assert layered.parts == (112, 320, 1280) and layered.dim == 1712


@pytest.mark.parametrize("size", [(96, 64), (90, 75)])
def test_each_part_is_the_mean_of_its_own_stage_at_equal_length(layered, size):
    """Against hooks on the blocks of the network itself, run as timm runs it."""
    seen = []
    hooks = [
        layered.trunk.blocks[i].register_forward_hook(lambda _, __, output: seen.append(output))
        for i in (4, 6)
    ]
    with torch.inference_mode():
        seen.append(layered.trunk(crops(*size)))
        for hook in hooks:
            hook.remove()
        expected = [normalize(one.mean(dim=(2, 3)), dim=1) / 3**0.5 for one in seen]
        found = layered(crops(*size))
    for part, of_stage in zip(found.split(layered.parts, dim=1), expected, strict=True):
        torch.testing.assert_close(part, of_stage, atol=1e-6, rtol=1e-4)


def test_a_mask_of_everything_gives_the_vector_of_the_crop(layered):
    image = np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8)
    views = [View(image), View(image, [np.ones((64, 96), bool)])]
    whole, masked = embed_views(layered, views)
    np.testing.assert_allclose(masked, whole, atol=1e-6)


def test_masked_vectors_are_of_unit_length_and_of_their_own_pixels(layered):
    image = np.zeros((64, 64, 3), np.uint8)
    image[:, 32:] = np.random.default_rng(0).integers(0, 256, (64, 32, 3))
    left, right = np.zeros((2, 64, 64), bool)
    left[:, :32], right[:, 32:] = True, True
    vectors = embed_views(layered, [View(image, [left, right])])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert vectors[0] @ vectors[1] < 0.99


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "resnet18"])
def test_networks_without_stages_say_what_to_choose(name):
    with torch.device("meta"), pytest.raises(ConfigurationError, match=f"choose args.net={name}, or"):
        embedding_network(name + LAYERS, pretrained=False)
