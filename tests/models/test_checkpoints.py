import io
import os
import pickle
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from oodretrieval.entries import ModelEntry
from oodretrieval.errors import ConfigurationError, WeightsError
from oodretrieval.models import (
    load_model,
    load_weights,
    read_metadata,
    save_weights,
    weights_file,
    weights_hash,
)
from oodretrieval.models.checkpoints import LISTED, read_state


class Net(nn.Module):
    def __init__(self, width=4):
        super().__init__()
        self.convolution = nn.Conv2d(3, width, 3)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x):
        return self.norm(self.convolution(x))


class Other(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(*(nn.Linear(2, 2) for _ in range(10)))


@pytest.fixture
def trained():
    torch.manual_seed(1)
    network = Net()
    network(torch.randn(4, 3, 8, 8) * 3 + 1)
    return network.eval()


def same(first, second, tolerance=0.0):
    for key, value in first.state_dict().items():
        torch.testing.assert_close(second.state_dict()[key], value, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("half", [False, True])
def test_round_trip_through_safetensors(trained, tmp_path, half):
    path = tmp_path / "w.safetensors"
    save_weights(trained, path, {"classes": {"0": ["road", [1, 2, 3]]}}, half)
    loaded = Net()
    load_weights(loaded, path)
    same(trained, loaded, 1e-3 if half else 0)
    assert loaded.convolution.weight.dtype == torch.float32
    assert torch.equal(loaded.norm.running_var, trained.norm.running_var), "statistics keep their precision"
    stored = read_state(path)
    assert stored["convolution.weight"].dtype == (torch.float16 if half else torch.float32)
    assert stored["norm.running_mean"].dtype == torch.float32
    assert stored["norm.num_batches_tracked"].dtype == torch.int64


def test_metadata_comes_back_as_it_was(trained, tmp_path):
    noted = {"mean": [0.5, 0.25], "quality": {"iou": {"road": 0.97}}, "name": "Straße", "none": None, "n": 3}
    save_weights(trained, tmp_path / "w.safetensors", noted)
    assert read_metadata(tmp_path / "w.safetensors") == noted


def test_metadata_of_others_is_kept_as_text(tmp_path):
    save_file({"a": torch.zeros(1)}, tmp_path / "w.safetensors", {"format": "pt"})
    assert read_metadata(tmp_path / "w.safetensors") == {"format": "pt"}
    save_file({"a": torch.zeros(1)}, tmp_path / "v.safetensors")
    assert read_metadata(tmp_path / "v.safetensors") == {}
    assert read_metadata(tmp_path / "w.pth") == {}


def test_metadata_of_a_missing_or_damaged_file(tmp_path):
    with pytest.raises(WeightsError, match="no weights file"):
        read_metadata(tmp_path / "w.safetensors")
    (tmp_path / "w.safetensors").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match=r"w\.safetensors is damaged"):
        read_metadata(tmp_path / "w.safetensors")


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_prefixes_of_multi_gpu_training_are_taken_off(trained, tmp_path, prefix, suffix):
    state = {f"{prefix}{key}": value for key, value in trained.state_dict().items()}
    path = tmp_path / f"w.{suffix}"
    if suffix == "pth":
        torch.save({"state_dict": state, "epoch": 3}, path)
    else:
        save_file(state, path)
    loaded = Net()
    load_weights(loaded, path)
    same(trained, loaded)


def test_a_prefix_of_some_names_belongs_to_the_network(tmp_path):
    network = nn.ModuleDict({"module": nn.Linear(2, 2), "head": nn.Linear(2, 2)})
    torch.save(network.state_dict(), tmp_path / "w.pth")
    load_weights(network, tmp_path / "w.pth")


def test_keys_missing_unexpected_and_misshapen_are_all_named(trained, tmp_path):
    state = trained.state_dict()
    del state["norm.bias"], state["norm.weight"]
    state["head.weight"] = torch.zeros(2)
    state["convolution.bias"] = torch.zeros(7)
    save_file(state, tmp_path / "w.safetensors")
    before = {key: value.clone() for key, value in trained.state_dict().items()}
    with pytest.raises(WeightsError) as caught:
        load_weights(trained, tmp_path / "w.safetensors")
    for part in (
        "does not fit Net",
        "2 key(s) missing: norm.weight, norm.bias",
        "1 key(s) unexpected: head.weight",
        "1 key(s) of another shape: convolution.bias (7,) instead of (4,)",
        "configuration.py",
    ):
        assert part in str(caught.value)
    assert all(torch.equal(before[key], value) for key, value in trained.state_dict().items())


def test_of_many_keys_only_some_are_listed(trained, tmp_path):
    save_weights(trained, tmp_path / "w.safetensors", {})
    with pytest.raises(
        WeightsError, match=rf"20 key\(s\) missing: .*and {20 - LISTED} more; 7 key\(s\) unexpected"
    ):
        load_weights(Other(), tmp_path / "w.safetensors")


class Malicious:
    def __init__(self, witness):
        self.witness = witness

    def __reduce__(self):
        return os.mkdir, (str(self.witness),)


@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize(
    "write", [torch.save, lambda content, path, **k: path.write_bytes(pickle.dumps(content))]
)
def test_code_in_a_file_is_refused_and_not_executed(tmp_path, write, protocol):
    path, witness = tmp_path / "w.pth", tmp_path / "was_here"
    write({"state_dict": {"a": Malicious(witness)}}, path, pickle_protocol=protocol)
    with pytest.raises(WeightsError, match=r"w\.pth (holds more than tensors|is damaged)"):
        load_weights(Net(), path)
    assert not witness.exists()


def test_more_than_tensors_names_what_it_is_and_the_way_out(trained, tmp_path):
    torch.save(trained, tmp_path / "w.pth")
    with pytest.raises(
        WeightsError, match=r"more than tensors \(.*Net\).*convert its state dict to safetensors"
    ):
        load_weights(Net(), tmp_path / "w.pth")


def test_a_pickle_within_a_zip_is_refused_too(tmp_path):
    """What torch.save writes is a zip with a pickle; a forged one must not run either."""
    path, witness = tmp_path / "w.pth", tmp_path / "was_here"
    torch.save({"a": torch.zeros(1)}, path)
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    buffer = io.BytesIO()
    pickle.dump({"a": Malicious(witness)}, buffer, protocol=2)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, buffer.getvalue() if name.endswith("data.pkl") else content)
    with pytest.raises(WeightsError, match="more than tensors"):
        load_weights(Net(), path)
    assert not witness.exists()


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
@pytest.mark.parametrize("damage", ["empty", "text", "half"])
def test_damaged_files_say_so(trained, tmp_path, suffix, damage):
    path = tmp_path / f"w.{suffix}"
    if suffix == "pth":
        torch.save(trained.state_dict(), path)
    else:
        save_weights(trained, path, {})
    content = path.read_bytes()
    path.write_bytes(
        {"empty": b"", "text": b"no weights\n" * 9, "half": content[: len(content) // 2]}[damage]
    )
    with pytest.raises(WeightsError, match=rf"w\.{suffix} is damaged.*fetch or train it again") as caught:
        load_weights(Net(), path)
    assert "arbitrary code" not in str(caught.value), "torch's advice is to load it all the same"
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    "content", [[1, 2], {"a": 3}, {"state_dict": 4}, {3: torch.zeros(1)}, torch.zeros(2)]
)
def test_files_without_named_tensors_say_so(tmp_path, content):
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="holds no named tensors"):
        load_weights(Net(), tmp_path / "w.pth")


def test_the_hash_is_that_of_the_content(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert weights_hash(tmp_path / "a") == "ba7816bf8f01cfea"


def entry(**kwargs):
    return ModelEntry(Net.__module__, "Net", **kwargs)


def test_load_model_gives_the_trained_network_in_evaluation_mode(trained, tmp_path):
    save_weights(trained, tmp_path / "w.safetensors", {})
    network = load_model(entry(weights=tmp_path / "w.safetensors"))
    assert not network.training
    same(trained, network)
    assert not load_model(entry()).training, "without weights its class brings its own"


def test_load_model_without_its_weights_names_their_source(tmp_path):
    missing = entry(weights=tmp_path / "w.safetensors", source="fetch it from the moon")
    for function in (load_model, weights_file):
        with pytest.raises(WeightsError, match=r"no weights file '.*w\.safetensors'; fetch it from the moon"):
            function(missing)
    with pytest.raises(WeightsError, match=r"set `weights` of the entry in configuration\.py"):
        load_model(entry(weights=tmp_path / "w.safetensors"))


def test_load_model_wants_a_network():
    with pytest.raises(ConfigurationError, match=r"must build a torch\.nn\.Module, built list"):
        load_model(ModelEntry("builtins", "list"))


def test_weights_of_another_width_are_refused(trained, tmp_path):
    save_weights(trained, tmp_path / "w.safetensors", {})
    wider = ModelEntry(Net.__module__, "Net", {"width": 6}, weights=tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match=r"convolution\.weight \(4, 3, 3, 3\) instead of \(6, 3, 3, 3\)"):
        load_model(wider)


def test_numpy_in_a_file_is_more_than_tensors(tmp_path):
    torch.save({"a": np.zeros(3)}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="more than tensors"):
        load_weights(Net(), tmp_path / "w.pth")
