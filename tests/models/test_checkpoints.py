import io
import os
import pickle
import sys
import zipfile
from dataclasses import replace

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


@pytest.mark.filterwarnings("ignore:Validating sparse tensor")
@pytest.mark.parametrize(
    "change",
    [torch.Tensor.to_sparse, lambda value: value.to("meta"), lambda value: value + 1j],
    ids=["sparse", "meta", "complex"],
)
def test_tensors_that_hold_no_weights_are_named_and_nothing_is_loaded(trained, tmp_path, change):
    state = trained.state_dict()
    torch.save({**state, "convolution.weight": change(state["convolution.weight"])}, tmp_path / "w.pth")
    untouched = Net()
    before = {key: value.clone() for key, value in untouched.state_dict().items()}
    with pytest.raises(WeightsError, match=r"1 key\(s\) sparse.*: convolution\.weight"):
        load_weights(untouched, tmp_path / "w.pth")
    assert all(torch.equal(value, before[key]) for key, value in untouched.state_dict().items())


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
        WeightsError,
        match=r"more than tensors \(.*Net\).*convert its state dict to safetensors.*run_code=True",
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
    with pytest.raises(WeightsError, match=r"make it with scripts/train_segmentation\.py, or set `weights`"):
        load_model(entry(weights=tmp_path / "w.safetensors"))


def test_load_model_wants_a_network():
    with pytest.raises(ConfigurationError, match=r"must build a torch\.nn\.Module, built list"):
        load_model(ModelEntry("builtins", "list"))


def test_weights_of_another_width_are_refused(trained, tmp_path):
    save_weights(trained, tmp_path / "w.safetensors", {})
    wider = ModelEntry(Net.__module__, "Net", {"width": 6}, weights=tmp_path / "w.safetensors")
    with pytest.raises(WeightsError, match=r"convolution\.weight \(4, 3, 3, 3\) instead of \(6, 3, 3, 3\)"):
        load_model(wider)


def published(trained):
    """What a training script leaves: the weights among its optimiser, its measures and its command."""
    optimiser = torch.optim.SGD(trained.parameters(), 0.1, momentum=0.9)
    trained(torch.zeros(2, 3, 8, 8)).sum().backward()
    optimiser.step()
    return {
        "state_dict": {f"module.{key}": value for key, value in trained.state_dict().items()},
        "optimizer": optimiser.state_dict(),
        "epoch": 175,
        "mean_iu": np.float64(0.8145),
        "iu": np.array([0.9, 0.7], np.float32),
        "best": np.int64(3),
        "command": "--arch network.deepv3.DeepWV3Plus",
    }


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("numpy", [b"numpy._core.", b"numpy.core."])
def test_numbers_of_numpy_next_to_the_weights_do_no_harm(trained, tmp_path, zipped, numpy):
    """As torch wrote it before and after 1.6, and numpy before and after 2.0."""
    path = tmp_path / "w.pth"
    torch.save(published(trained), path, _use_new_zipfile_serialization=zipped)
    if zipped:
        with zipfile.ZipFile(path) as archive:
            contents = {name: archive.read(name) for name in archive.namelist()}
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in contents.items():
                archive.writestr(name, content.replace(b"numpy._core.", numpy))
    else:
        path.write_bytes(path.read_bytes().replace(b"numpy._core.", numpy))
    assert numpy in path.read_bytes()
    loaded = Net()
    load_weights(loaded, path)
    same(trained, loaded)


def test_arrays_of_objects_are_refused(tmp_path):
    witness = tmp_path / "was_here"
    torch.save({"a": np.array([Malicious(witness)], object)}, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="more than tensors"):
        load_weights(Net(), tmp_path / "w.pth")
    assert not witness.exists()


@pytest.mark.parametrize("keys", [["model"], ["model", "state_dict"], ["network"], ["model_state_dict"]])
@pytest.mark.parametrize("prefix", ["module.", "model.", "_orig_mod.module.", "module._orig_mod."])
def test_wrappers_of_training_scripts_are_taken_off(trained, tmp_path, keys, prefix):
    content = {f"{prefix}{key}": value for key, value in trained.state_dict().items()}
    for key in reversed(keys):
        content = {key: content, "epoch": 3, "args": {"lr": 0.1}}
    torch.save(content, tmp_path / "w.pt")
    loaded = Net()
    load_weights(loaded, tmp_path / "w.pt")
    same(trained, loaded)


def test_a_prefix_of_all_names_may_belong_to_the_network(trained, tmp_path):
    wrapped = nn.ModuleDict({"module": trained})
    torch.save(wrapped.state_dict(), tmp_path / "w.pth")
    before = trained.convolution.weight.clone()
    nn.init.zeros_(trained.convolution.weight)
    load_weights(wrapped, tmp_path / "w.pth")
    assert torch.equal(trained.convolution.weight, before)


def test_a_file_that_contains_itself_says_so(tmp_path):
    content = {"epoch": 1}
    content["model"] = content
    torch.save(content, tmp_path / "w.pth")
    with pytest.raises(WeightsError, match="holds no named tensors"):
        load_weights(Net(), tmp_path / "w.pth")


def test_counters_of_batch_norm_may_be_missing(trained, tmp_path):
    """PyTorch before 0.4.1 had none."""
    state = trained.state_dict()
    del state["norm.num_batches_tracked"]
    torch.save(state, tmp_path / "w.pth")
    loaded = Net()
    load_weights(loaded, tmp_path / "w.pth")
    assert loaded.norm.num_batches_tracked == 0
    assert torch.equal(loaded.norm.running_mean, trained.norm.running_mean)


def test_code_runs_where_the_user_says_so(trained, tmp_path):
    path, witness = tmp_path / "w.pth", tmp_path / "was_here"
    torch.save({"state_dict": trained.state_dict(), "extra": Malicious(witness)}, path)
    entry = ModelEntry(Net.__module__, "Net", weights=path)
    with pytest.raises(
        WeightsError, match=r"would run code.*run_code=True of its entry in configuration\.py"
    ):
        load_model(entry)
    assert not witness.exists()
    same(trained, load_model(replace(entry, run_code=True)))
    assert witness.exists()


def test_a_pickle_of_a_protocol_that_torch_does_not_read_by_itself(trained, tmp_path):
    torch.save(trained.state_dict(), tmp_path / "w.pth", pickle_protocol=4)
    with pytest.raises(WeightsError, match=r"only running it can read.*run_code=True"):
        load_weights(Net(), tmp_path / "w.pth")
    loaded = Net()
    load_weights(loaded, tmp_path / "w.pth", run_code=True)
    same(trained, loaded)


def test_leave_to_run_code_runs_none_without_need(trained, tmp_path, monkeypatch):
    torch.save(trained.state_dict(), tmp_path / "w.pth")
    load, asked = torch.load, []

    def noted(*args, weights_only, **kwargs):
        asked.append(weights_only)
        return load(*args, weights_only=weights_only, **kwargs)

    monkeypatch.setattr(torch, "load", noted)
    load_weights(Net(), tmp_path / "w.pth", run_code=True)
    assert asked == [True]


def test_a_whole_network_is_taken_apart(trained, tmp_path):
    torch.save({"model": trained}, tmp_path / "w.pth")
    loaded = Net()
    load_weights(loaded, tmp_path / "w.pth", run_code=True)
    same(trained, loaded)


def test_code_that_fails_says_what_it_needs(trained, tmp_path, monkeypatch):
    torch.save(trained, tmp_path / "w.pth")
    monkeypatch.delattr(sys.modules[Net.__module__], "Net")
    with pytest.raises(WeightsError, match=r"although its code may run.*Net.*next to configuration\.py"):
        load_weights(Other(), tmp_path / "w.pth", run_code=True)


@pytest.mark.filterwarnings("ignore:.*torch.jit.*deprecated")
def test_weights_of_a_torchscript_program(trained, tmp_path):
    torch.jit.script(trained).save(str(tmp_path / "w.pt"))
    with pytest.raises(WeightsError, match=r"more than tensors \(TorchScript\).*run_code=True"):
        load_weights(Net(), tmp_path / "w.pt")
    loaded = Net()
    load_weights(loaded, tmp_path / "w.pt", run_code=True)
    same(trained, loaded)
