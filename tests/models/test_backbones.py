import huggingface_hub
import pytest
import timm
import torch

from oodretrieval import imagenet_weights
from oodretrieval.errors import ConfigurationError, WeightsError
from oodretrieval.imagenet_weights import efficientnet_lite_state
from oodretrieval.models.backbones import Backbone

X = torch.randn(1, 3, 65, 97, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "name", ["tf_efficientnet_lite0", "resnet18", "mobilenetv3_large_100", "convnext_atto"]
)
@pytest.mark.parametrize(("strides", "output_stride"), [((4, 16), 16), ((4, 8), 8), ((4, 8, 16, 32), 32)])
def test_features_have_the_strides_and_channels_it_says(name, strides, output_stride):
    backbone = Backbone(name, strides, output_stride).eval()
    with torch.inference_mode():
        features = backbone(X)
    assert [f.shape[1] for f in features] == backbone.channels
    patches = name.startswith("convnext")
    for feature, stride in zip(features, strides, strict=True):
        expected = [size // stride if patches else -(-size // stride) for size in X.shape[2:]]
        assert list(feature.shape[2:]) == expected


def test_the_deepest_features_of_a_stride_are_taken():
    """At output stride 8 a ResNet's last stage has stride 8 as well: its 512 channels, not the second's 128."""
    assert Backbone("resnet18", (4, 8), 8).channels == [64, 512]


def test_a_stride_that_stands_there_twice_gives_the_map_before_the_deepest_too():
    assert Backbone("resnet18", (4, 8, 8), 8).channels == [64, 256, 512]
    with pytest.raises(ConfigurationError, match="not at \\[4, 4\\]"):
        Backbone("resnet18", (4, 4), 8)


@pytest.mark.parametrize("name", imagenet_weights.LITE)
def test_packaged_imagenet_weights_give_the_features_of_timms_network(name):
    backbone = Backbone(name, (4, 16), 16, pretrained=True).eval()
    full = timm.create_model(name).eval()
    full.load_state_dict(efficientnet_lite_state(name, full.state_dict()))
    with torch.inference_mode():
        # stride 4: the second block's output, before anything is dilated
        early = full.blocks[1](full.blocks[0](full.bn1(full.conv_stem(X))))
        low, deep = backbone(X)
    torch.testing.assert_close(low, early)
    assert deep.isfinite().all()
    packaged = full.state_dict()
    assert all(torch.equal(value, packaged[key]) for key, value in backbone.network.state_dict().items())


def test_without_pretrained_weights_are_random():
    torch.manual_seed(0)
    first, second = Backbone("tf_efficientnet_lite0"), Backbone("tf_efficientnet_lite0")
    assert not torch.equal(first.network.conv_stem.weight, second.network.conv_stem.weight)


def test_missing_strides_are_named_with_those_at_hand():
    with pytest.raises(
        ConfigurationError, match=r"'resnet18' gives features at strides \[2, 4, 8, 16\], not at \[3\]"
    ):
        Backbone("resnet18", (3, 16))


@pytest.fixture
def empty_cache(monkeypatch):
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda repository, file: None)
    monkeypatch.setattr(huggingface_hub, "is_offline_mode", lambda: False)


@pytest.mark.usefixtures("empty_cache", "at_once")
def test_pretrained_without_a_network_fails_at_once_and_says_what_to_do(monkeypatch):
    monkeypatch.setattr(imagenet_weights, "unreachable", lambda url: "hub.example: no route")
    create = timm.create_model

    def without_weights(*args, pretrained=False, **kwargs):
        assert not pretrained, "began a download"
        return create(*args, **kwargs)

    monkeypatch.setattr(timm, "create_model", without_weights)
    with pytest.raises(WeightsError) as caught:
        Backbone("resnet18", pretrained=True)
    for part in ("'resnet18'", "no route", "'timm/resnet18.", "copy the cache", "tf_efficientnet_lite0"):
        assert part in str(caught.value)


@pytest.mark.usefixtures("empty_cache")
def test_offline_mode_asks_nobody(monkeypatch):
    monkeypatch.setattr(huggingface_hub, "is_offline_mode", lambda: True)
    monkeypatch.setattr(imagenet_weights, "unreachable", lambda url: pytest.fail("asked the network"))
    with pytest.raises(WeightsError, match="offline mode is on"):
        Backbone("resnet18", pretrained=True)


@pytest.mark.usefixtures("empty_cache")
def test_a_network_whose_weights_nobody_has_says_so():
    with pytest.raises(WeightsError, match="no ImageNet weights of 'mobilenetv2_035'"):
        Backbone("mobilenetv2_035", pretrained=True)


def test_cached_weights_ask_nobody(monkeypatch):
    asked, create = [], timm.create_model

    def cached(repository, file):
        asked.append(repository)
        return "somewhere/model.safetensors"

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", cached)
    monkeypatch.setattr(imagenet_weights, "unreachable", lambda url: pytest.fail("asked the network"))
    monkeypatch.setattr(
        timm, "create_model", lambda *args, pretrained=False, **kwargs: create(*args, **kwargs)
    )
    Backbone("resnet18", pretrained=True)
    assert asked[0].startswith("timm/resnet18.")
