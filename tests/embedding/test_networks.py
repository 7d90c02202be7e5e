import pytest
import timm
import torch
from torchvision import models

from oodretrieval.embedding import DEFAULT_NETWORK, EMBEDDING_NETWORKS, embedding_network
from oodretrieval.embedding.layered import LAYERS
from oodretrieval.errors import UnknownNameError, WeightsError
from oodretrieval.imagenet_weights import efficientnet_lite_state

DIMENSIONS = {
    "vgg16": 512,
    "resnet18": 512,
    "resnet101": 2048,
    "resnet152": 2048,
    "wide_resnet101": 2048,
    "densenet201": 1920,
    "efficientnet_lite0": 1280,
    "efficientnet_lite1": 1280,
    "efficientnet_lite2": 1280,
}


@pytest.mark.parametrize("name", EMBEDDING_NETWORKS)
def test_contract_without_weights(name):
    with torch.device("meta"):
        network = embedding_network(name, pretrained=False)
        shape = network(torch.zeros(2, 3, network.min_size, network.min_size + 8)).shape
    assert shape == (2, DIMENSIONS[name])
    assert network.dim == DIMENSIONS[name]
    assert network.name == name
    assert len(network.mean) == len(network.std) == 3
    assert not network.training


def test_all_that_is_promised_is_there():
    assert set(EMBEDDING_NETWORKS) == set(DIMENSIONS)
    assert DEFAULT_NETWORK.removesuffix(LAYERS) in EMBEDDING_NETWORKS


@pytest.mark.parametrize("name", EMBEDDING_NETWORKS[:3])
def test_lite_gives_what_the_packaged_classifier_sees(name):
    """The packaged weights in timm's own classifier: its pooled features are our vectors."""
    network = embedding_network(name)
    oracle = timm.create_model(f"tf_{name}", pretrained=False).eval()
    oracle.load_state_dict(efficientnet_lite_state(name, oracle.state_dict()))
    crops = torch.randn(2, 3, 64, 48, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        expected = oracle.forward_head(oracle.forward_features(crops), pre_logits=True)
        assert torch.allclose(network(crops), expected, atol=1e-5)


def test_lite_is_normalised_as_it_was_trained():
    network = embedding_network(pretrained=False)
    values = torch.tensor([0.0, 127.0, 255.0]) / 255
    assert torch.allclose((values - network.mean[0]) / network.std[0], torch.tensor([-127.0, 0, 128]) / 128)


@pytest.mark.parametrize("name", ["resnet18", "densenet201", pytest.param("vgg16", marks=pytest.mark.slow)])
def test_torchvision_weights_from_the_cache(name, tmp_path, monkeypatch):
    """With a file in the cache nothing is downloaded, and vectors are the classifier's pooled features."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    weights = models.get_model_weights(name).IMAGENET1K_V1
    torch.manual_seed(0)
    oracle = models.get_model(name, weights=None).eval()
    state = {
        key.replace("norm1.", "norm.1.").replace("conv2.", "conv.2."): t
        for key, t in oracle.state_dict().items()
    }
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    if name != "densenet201":
        state = dict(oracle.state_dict())
    torch.save(state, tmp_path / "hub" / "checkpoints" / weights.url.rpartition("/")[2])
    network = embedding_network(name)
    crops = torch.randn(1, 3, 64, 64)
    head = {"vgg16": "classifier", "resnet18": "fc", "densenet201": "classifier"}[name]
    setattr(oracle, head, torch.nn.Identity())
    if name == "vgg16":
        oracle.avgpool = torch.nn.AdaptiveAvgPool2d(1)
    with torch.inference_mode():
        assert torch.allclose(network(crops), oracle(crops), atol=1e-5)


def test_foreign_weights_in_the_cache_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    path = tmp_path / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
    path.parent.mkdir(parents=True)
    torch.save({"fc.weight": torch.zeros(2)}, path)
    with pytest.raises(WeightsError, match="weights of resnet18 do not fit"):
        embedding_network("resnet18")
    path.write_bytes(b"damaged")
    with pytest.raises(WeightsError, match=r"resnet18-f37072fd\.pth.*delete it"):
        embedding_network("resnet18")


@pytest.mark.usefixtures("at_once")
def test_without_network_it_says_at_once_what_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    asked = []

    def refuse(*args, **kwargs):
        asked.append(args)
        raise OSError("Network is unreachable")

    monkeypatch.setattr("socket.create_connection", refuse)
    with pytest.raises(WeightsError) as caught:
        embedding_network("densenet201")
    assert len(asked) <= 1, "not again and again"
    for word in ("densenet201-c1103571.pth", str(tmp_path), "TORCH_HOME", "https://", "efficientnet_lite0"):
        assert word in str(caught.value)


def test_unknown_network():
    with pytest.raises(UnknownNameError, match="did you mean 'resnet18'"):
        embedding_network("resnet8")
