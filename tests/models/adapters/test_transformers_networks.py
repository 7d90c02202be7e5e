"""Networks of transformers and torchvision: the same numbers as theirs, and where weights come from."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision
from hypothesis import given
from hypothesis import strategies as st
from tiny_networks import (
    ADAPTERS,
    CLASSES,
    TRANSFORMERS,
    mask2former,
    oneformer,
    segformer,
    tokenizer,
    upernet,
    write_torchvision,
    write_transformers,
)

from oodretrieval.entries import ModelEntry
from oodretrieval.errors import ConfigurationError, UnknownNameError, WeightsError
from oodretrieval.experiment.predicted_classes import predicted_classes
from oodretrieval.models import load_model, read_metadata, weights_hash, weights_in_use
from oodretrieval.models.adapters import TorchvisionNetwork, TransformersNetwork, hub
from oodretrieval.models.adapters.mask_classification import mask_log_probabilities

REPOSITORY = "someone/streets"


def load(folder, **arguments):
    return load_model(ModelEntry(ADAPTERS, "TransformersNetwork", arguments, weights=folder))


def images(height=65, width=97, count=1):
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(3))


# ---- numbers


@given(st.integers(1, 3), st.integers(1, 5), st.integers(2, 4), st.integers(0, 2**31))
def test_masks_become_normalised_probabilities(images_, queries, classes, seed):
    random = np.random.default_rng(seed)
    class_logits = random.normal(0, 3, (images_, queries, classes + 1)).astype(np.float32)
    mask_logits = random.normal(0, 3, (images_, queries, 4, 5)).astype(np.float32)
    found = mask_log_probabilities(torch.tensor(class_logits), torch.tensor(mask_logits)).numpy()
    expected = np.zeros((images_, classes, 4, 5))
    for n, q in np.ndindex(images_, queries):
        softmax = np.exp(class_logits[n, q]) / np.exp(class_logits[n, q]).sum()
        for c in range(classes):
            expected[n, c] += softmax[c] / (1 + np.exp(-mask_logits[n, q]))
    expected /= expected.sum(1, keepdims=True)
    np.testing.assert_allclose(np.exp(found), expected, rtol=1e-3, atol=1e-6)
    np.testing.assert_allclose(np.exp(found).sum(1), 1, rtol=1e-4)


def test_pixels_in_no_mask_are_undecided_and_not_infinite():
    found = mask_log_probabilities(torch.tensor([[[9.0, 0, 0]]]), torch.full((1, 1, 2, 2), -1e4))
    assert found.isfinite().all()
    torch.testing.assert_close(found.exp(), torch.full((1, 2, 2, 2), 0.5))


@torch.no_grad()
@pytest.mark.parametrize("build", [segformer, upernet])
def test_logits_are_those_of_the_package(build, tmp_path):
    network = build().eval()
    network.save_pretrained(tmp_path)
    x = images()
    theirs = network(pixel_values=x).logits
    theirs = F.interpolate(theirs, x.shape[-2:], mode="bilinear", align_corners=False)
    torch.testing.assert_close(load(tmp_path)(x), theirs, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_mask_classification_is_that_of_the_package(tmp_path):
    """Its own semantic map, where its detour over 384×384 pixels does not matter."""
    from transformers import Mask2FormerImageProcessor

    network = mask2former().eval()
    network.save_pretrained(tmp_path)
    x = images(96, 96)
    outputs = network(pixel_values=x)
    found = load(tmp_path).low_resolution_logits(x).softmax(1)
    classes = outputs.class_queries_logits.softmax(-1)[..., :-1]
    scores = torch.einsum("nqc,nqhw->nchw", classes, outputs.masks_queries_logits.sigmoid())
    torch.testing.assert_close(found, scores / scores.sum(1, keepdim=True), rtol=1e-4, atol=1e-6)
    (theirs,) = Mask2FormerImageProcessor().post_process_semantic_segmentation(outputs, [(96, 96)])
    ours = F.interpolate(found, (96, 96), mode="bilinear", align_corners=False)[0].argmax(0)
    assert (ours == theirs).float().mean() > 0.95


@torch.no_grad()
def test_oneformer_gets_its_task_as_by_its_processor(tmp_path):
    from transformers import OneFormerImageProcessor, OneFormerProcessor

    network = oneformer().eval()
    write_transformers(tmp_path, "oneformer")
    (tmp_path / "classes.json").write_text('{"0": {"name": "road", "isthing": 0}}')
    processor = OneFormerProcessor(
        OneFormerImageProcessor(repo_path=str(tmp_path), class_info_file="classes.json"),
        tokenizer(),
        task_seq_length=network.config.task_seq_len,
    )
    expected = processor._preprocess_text(["the task is semantic"], network.config.task_seq_len)
    found = load(tmp_path)
    assert torch.equal(found.task, expected) and expected.count_nonzero() > 5
    x = images(64, 96, 2)
    outputs = network(pixel_values=x, task_inputs=expected.expand(2, -1))
    theirs = mask_log_probabilities(outputs.class_queries_logits, outputs.masks_queries_logits)
    torch.testing.assert_close(found.low_resolution_logits(x), theirs, rtol=1e-4, atol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize(
    ("name", "auxiliary"),
    [("lraspp_mobilenet_v3_large", False), ("deeplabv3_mobilenet_v3_large", True)],
)
def test_torchvision_gives_its_own_output(name, auxiliary, tmp_path):
    options = {} if name.startswith("lraspp") else {"aux_loss": auxiliary}
    path = write_torchvision(tmp_path / "net.pth", name, **options)
    network = torchvision.models.get_model(
        name, weights=None, weights_backbone=None, num_classes=CLASSES, **options
    )
    network.load_state_dict(torch.load(path, weights_only=True))
    entry = ModelEntry(ADAPTERS, "TorchvisionNetwork", {"name": name, "num_classes": CLASSES}, weights=path)
    x = images()
    torch.testing.assert_close(load_model(entry)(x), network.eval()(x)["out"], rtol=1e-4, atol=1e-5)


# ---- what is refused


def test_unknown_names_list_the_known_ones():
    with pytest.raises(UnknownNameError, match="did you mean 'fcn_resnet50'"):
        TorchvisionNetwork("fcn_resnet5O")
    with pytest.raises(UnknownNameError, match="Known: COCO_WITH_VOC_LABELS_V1, DEFAULT"):
        TorchvisionNetwork("fcn_resnet50", published="IMAGENET")
    with pytest.raises(ConfigurationError, match="choose one"):
        TorchvisionNetwork("fcn_resnet50", published="DEFAULT", weights_file="w.pth")
    with pytest.raises(ConfigurationError, match="name one of the two"):
        TransformersNetwork()


def test_another_number_of_classes_is_refused(tmp_path):
    path = write_torchvision(tmp_path / "net.pth")
    entry = ModelEntry(ADAPTERS, "TorchvisionNetwork", {"name": "lraspp_mobilenet_v3_large"}, weights=path)
    with pytest.raises(WeightsError, match=r"\(9, 40, 1, 1\) instead of \(21, 40, 1, 1\)"):
        load_model(entry)


def test_a_network_of_another_task_is_refused(tmp_path):
    from transformers import ResNetConfig, ResNetForImageClassification, SegformerForImageClassification

    SegformerForImageClassification(segformer().config).save_pretrained(tmp_path / "a")
    with pytest.raises(WeightsError, match=r"lacks \d+ tensor\(s\).*decode_head.*trained for semantic"):
        load(tmp_path / "a")
    small = ResNetConfig(embedding_size=4, hidden_sizes=[4], depths=[1], layer_type="basic")
    ResNetForImageClassification(small).save_pretrained(tmp_path / "b")
    with pytest.raises(ConfigurationError, match=r"unknown kind of network in .*'resnet'.*segformer"):
        load(tmp_path / "b")


class Malicious:
    def __init__(self, witness):
        self.witness = witness

    def __reduce__(self):
        return os.mkdir, (str(self.witness),)


def test_weights_that_would_run_code_are_refused_and_not_run(tmp_path):
    write_transformers(tmp_path, "segformer")
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(WeightsError, match="has no weights that can be loaded as segformer"):
        load(tmp_path)
    torch.save({"a": Malicious(tmp_path / "was_here")}, tmp_path / "pytorch_model.bin")
    with pytest.raises(WeightsError, match=r"loaded as segformer without running code.*save_pretrained"):
        load(tmp_path)
    assert not (tmp_path / "was_here").exists()


@torch.no_grad()
def test_old_files_of_tensors_are_read(tmp_path):
    write_transformers(tmp_path, "segformer")
    before = load(tmp_path)(images())
    (tmp_path / "model.safetensors").unlink()
    torch.save(segformer().state_dict(), tmp_path / "pytorch_model.bin")
    assert torch.equal(load(tmp_path)(images()), before)


@pytest.mark.parametrize("kind", ["segformer", "strange"])
def test_code_of_a_repository_does_not_run(kind, tmp_path):
    write_transformers(tmp_path, "segformer")
    config = json.loads((tmp_path / "config.json").read_text())
    names = {"AutoConfig": "code.Config", "AutoModelForSemanticSegmentation": "code.Network"}
    config |= {"model_type": kind, "auto_map": names}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "code.py").write_text(f"import os\nos.mkdir({str(tmp_path / 'was_here')!r})\n")
    if kind == "segformer":
        assert load(tmp_path).num_classes == CLASSES, "the package's own class is used"
    else:
        with pytest.raises(
            ConfigurationError, match="no network that transformers knows without running code"
        ):
            load(tmp_path)
    assert not (tmp_path / "was_here").exists()


def test_damaged_folders_say_so(tmp_path):
    write_transformers(tmp_path, "oneformer")
    (tmp_path / "tokenizer.json").write_text("{")
    with pytest.raises(WeightsError, match=r"the tokenizer of .* cannot be read"):
        load(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(WeightsError, match=r"lacks OneFormer's tokenizer.*save the processor"):
        load(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="no weights that can be loaded as oneformer"):
        load(tmp_path)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ConfigurationError, match=r"config\.json describes no network"):
        load(tmp_path)


# ---- the hub


def fill_cache(cache: Path, commit="a" * 40, kind="segformer") -> Path:
    """A repository as the hub's cache lays it out."""
    folder = cache / f"models--{REPOSITORY.replace('/', '--')}"
    write_transformers(folder / "snapshots" / commit, kind)
    (folder / "refs").mkdir(exist_ok=True)
    (folder / "refs" / "main").write_text(commit)
    return folder / "snapshots" / commit


SCRIPT = """
import time
from oodretrieval.entries import ModelEntry
from oodretrieval.errors import WeightsError
from oodretrieval.models import load_model, weights_in_use
from oodretrieval.models.adapters import hub
def wait(seconds):
    raise SystemExit(f"waited for {seconds} s")

time.sleep = wait
name = "oodretrieval.models.adapters"
there = ModelEntry(name, "TransformersNetwork", {"repository": "someone/streets"})
print(load_model(there).num_classes, weights_in_use(there).name)
for entry in (
    ModelEntry(name, "TransformersNetwork", {"repository": "someone/else"}),
    ModelEntry(name, "TransformersNetwork", {"repository": "someone/streets", "revision": "v2"}),
    ModelEntry(name, "TorchvisionNetwork", {"name": "fcn_resnet50", "published": "DEFAULT"}),
):
    try:
        load_model(entry)
    except WeightsError as error:
        print(weights_in_use(entry), error)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "offline", ["TRANSFORMERS_OFFLINE", pytest.param("HF_HUB_OFFLINE", marks=pytest.mark.slow)]
)
def test_the_cache_and_the_offline_switches_are_honoured(offline, tmp_path):
    cache = tmp_path / "home" / "hub"
    fill_cache(cache)
    taken = {"HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_ENDPOINT", "TORCH_HOME"}
    proxies = {key for key in os.environ if key.lower().endswith("_proxy")}
    environment = {key: value for key, value in os.environ.items() if key not in taken | proxies}
    named = {"HF_HOME": str(cache.parent)} if offline == "HF_HUB_OFFLINE" else {"HF_HUB_CACHE": str(cache)}
    environment |= {
        offline: "1",
        "TORCH_HOME": str(tmp_path / "torch"),
        "https_proxy": "http://127.0.0.1:9",
    } | named
    ran = subprocess.run(
        [sys.executable, "-W", "error::ResourceWarning", "-c", SCRIPT],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found, other, revision, torch_cache = ran.stdout.splitlines()
    assert found == f"{CLASSES} {'a' * 40}"
    for line, repository in ((other, "someone/else"), (revision, "someone/streets")):
        assert line.startswith("None") and f"{repository!r} is not in the cache {cache}" in line
        assert "offline mode is on" in line and f"hf download {repository}" in line
    assert str(tmp_path / "torch" / "hub" / "checkpoints") in torch_cache and "TORCH_HOME" in torch_cache
    assert "in place of `published`" in torch_cache


@pytest.mark.usefixtures("at_once")
def test_a_hub_that_does_not_answer_is_an_error_at_once(monkeypatch, tmp_path):
    monkeypatch.setattr(hub, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(hub, "is_offline_mode", lambda: False)
    for key in [key for key in os.environ if key.lower().endswith("_proxy")]:
        monkeypatch.delenv(key)
    with pytest.raises(
        WeightsError, match=r"the hub cannot be reached \(127\.0\.0\.1: .*by `weights` of the entry"
    ):
        hub.repository_folder("someone/nothing-of-this-name")


@pytest.fixture
def online(monkeypatch, tmp_path):
    """A hub that answers: what is asked of it is noted, and what it has is copied into the cache."""
    folder = fill_cache(tmp_path / "cache")
    real, asked, offered = hub.snapshot_download, [], tmp_path / "offered"
    offered.mkdir()

    def snapshot_download(repository, **options):
        if options.get("local_files_only"):
            return real(repository, cache_dir=tmp_path / "cache", **options)
        asked.append(options["allow_patterns"])
        for file in offered.iterdir():
            if any(file.match(pattern) for pattern in options["allow_patterns"]):
                shutil.copy(file, folder)
        return str(folder)

    monkeypatch.setattr(hub, "snapshot_download", snapshot_download)
    monkeypatch.setattr(hub, "is_offline_mode", lambda: False)
    monkeypatch.setattr(hub, "unreachable", lambda url: "")
    return folder, offered, asked


def test_what_is_in_the_cache_is_used_and_what_is_half_there_is_fetched(online):
    folder, offered, asked = online
    assert hub.repository_folder(REPOSITORY) == folder and not asked
    entry = ModelEntry(ADAPTERS, "TransformersNetwork", {"repository": REPOSITORY})
    before = weights_hash(weights_in_use(entry))
    (folder / "model.safetensors").rename(offered / "model.safetensors")
    assert weights_in_use(entry) is None
    assert hub.repository_folder(REPOSITORY) == folder
    assert asked == [["*.json", "*.safetensors", "*.txt"]]
    assert weights_hash(weights_in_use(entry)) == before


def test_a_repository_without_safetensors_gives_its_old_file_and_never_code(online):
    folder, offered, asked = online
    (folder / "model.safetensors").unlink()
    (offered / "code.py").write_text("")
    torch.save(segformer().state_dict(), offered / "pytorch_model.bin")
    entry = ModelEntry(ADAPTERS, "TransformersNetwork", {"repository": REPOSITORY})
    assert load_model(entry).num_classes == CLASSES
    assert len(asked) == 2 and asked[1] == [*asked[0], "pytorch_model*.bin"]
    assert not (folder / "code.py").exists()


def test_a_network_in_several_files_is_whole_when_all_are_there(online):
    folder, _, _ = online
    index = {"weight_map": {"a": "model-1.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert hub.cached_repository(REPOSITORY) is None
    (folder / "model-2.safetensors").touch()
    assert hub.cached_repository(REPOSITORY) == folder


@pytest.mark.parametrize("repository", ["a/b/c", "-x", "../up", "some/where/else.safetensors"])
def test_what_is_no_repository_is_said(repository):
    with pytest.raises(ConfigurationError, match="an id of the hub such as 'owner/name'"):
        TransformersNetwork(repository)


def test_published_weights_are_found_in_torchs_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    arguments = {"name": "lraspp_mobilenet_v3_large", "published": "COCO_WITH_VOC_LABELS_V1"}
    entry = ModelEntry(ADAPTERS, "TorchvisionNetwork", arguments)
    assert weights_in_use(entry) is None
    path = TorchvisionNetwork.cached_weights(**arguments)
    assert path is None
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    written = write_torchvision(folder / "lraspp_mobilenet_v3_large-d234d4ea.pth", num_classes=21)
    assert weights_in_use(entry) == written
    assert load_model(entry).num_classes == 21


@pytest.mark.parametrize("kind", TRANSFORMERS)
def test_a_folder_is_recognised_by_what_the_network_is_made_of(kind, tmp_path):
    write_transformers(tmp_path, kind)
    before = weights_hash(tmp_path)
    (tmp_path / "README.md").write_text("notes")
    assert weights_hash(tmp_path) == before
    config = tmp_path / "config.json"
    config.write_text(config.read_text() + " ")
    assert weights_hash(tmp_path) != before


def test_classes_of_a_folder_are_named(tmp_path):
    network = segformer()
    network.config.id2label = {i: f"thing {i}" for i in range(CLASSES)}
    network.save_pretrained(tmp_path)
    classes = read_metadata(tmp_path)["classes"]
    assert [classes[str(i)][0] for i in range(CLASSES)] == [f"thing {i}" for i in range(CLASSES)]
    assert len({colour for _, colour in classes.values()}) == CLASSES
    entry = ModelEntry(ADAPTERS, "TransformersNetwork", weights=tmp_path)
    named = predicted_classes(entry, SimpleNamespace(label_set=None), CLASSES)
    assert named[3] == ("thing 3", classes["3"][1])
    (tmp_path / "config.json").write_text("{")
    assert read_metadata(tmp_path) == {"classes": {}}
