"""Classes of a user that break the contract get an error that says so: class, file, line, and what was expected."""

from pathlib import Path

import numpy as np
import pytest
import their_classes

from oodretrieval.datasets import open_dataset
from oodretrieval.entries import DatasetEntry, ModelEntry
from oodretrieval.errors import ConfigurationError, PartialFailure, UnpairedFilesError
from oodretrieval.experiment.configuration import Configuration
from oodretrieval.experiment.device import choose_device
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.stages.predict.pred_images import pred_images
from oodretrieval.stages.predict.segmenter import Segmenter
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stores import Workspace, read_prediction

FILE = Path(their_classes.__file__).name


def dataset(name, **arguments):
    return open_dataset(DatasetEntry("their_classes", name, arguments), "mine")


def run_of(tmp_path, implicit_background=False):
    """Every class of the module as an entry of its own name."""
    kinds = {name: kind for name, kind in vars(their_classes).items() if isinstance(kind, type)}
    networks = [name for name, kind in kinds.items() if issubclass(kind, their_classes.Net)]
    configuration = Configuration(
        path=tmp_path / "configuration.py",
        datasets={name: DatasetEntry("their_classes", name) for name in kinds},
        models={
            name: ModelEntry("their_classes", name, implicit_background=implicit_background)
            for name in networks
        },
        meta_models={},
        workspace=tmp_path / "workspace",
        defaults={},
    )
    return Run(configuration, Workspace(configuration.workspace))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("IntegerIds", ["IntegerIds", "ids must be a list of texts", "got 0 (int)", "[path.stem"]),
        ("Raises", ["Raises", "in __getitem__: KeyError: 'image'", "expected `ids`"]),
        ("RaisesInInit", ["RaisesInInit", "in __init__: AttributeError: 'NoneType' object"]),
        ("NoIds", ["NoIds", "in __getitem__: AttributeError: 'NoIds' object has no attribute 'ids'", "expected `ids`"]),
        ("Dict", ["Dict", "expected items (image, labels, path, id)", "got dict"]),
    ],
)  # fmt: skip
def test_a_dataset_that_breaks_the_contract(name, said):
    with pytest.raises(ConfigurationError) as caught:
        dataset(name)
    message = str(caught.value)
    assert FILE in message
    assert [text for text in said if text not in message] == []
    assert "\n" not in message


def test_the_line_is_the_one_that_raised():
    lines = Path(their_classes.__file__).read_text(encoding="utf-8").splitlines()
    wanted = next(i for i, line in enumerate(lines, start=1) if '{}["image"]' in line)
    with pytest.raises(ConfigurationError, match=f"{FILE}:{wanted}, in __getitem__"):
        dataset("Raises")


def test_an_error_of_ours_is_not_blamed_on_the_user(monkeypatch):
    monkeypatch.setattr("oodretrieval.datasets.adapt.check_contract", lambda *_: [][0])
    with pytest.raises(IndexError):
        dataset("Good")


def test_samples_of_one_id_are_both_named():
    with pytest.raises(UnpairedFilesError) as caught:
        dataset("Twice")
    assert "0 (folder 0/a.png) and 2 (folder 2/a.png) have one id, 'a'" in str(caught.value)


def test_an_image_on_which_the_class_fails_fails_alone(tmp_path):
    run = run_of(tmp_path)
    settings = from_mapping(PredictSettings, {"dataset": "RaisesLater", "model_name": "Net", "gpu": -1})
    with pytest.raises(PartialFailure) as caught:
        pred_images(settings, run)
    assert list(caught.value.failures) == ["image 1"]
    assert f"{FILE}:" in str(caught.value) and "RuntimeError: broken in the middle" in str(caught.value)
    assert read_prediction(run.workspace, "Net", "RaisesLater", "image 2").prediction.shape == (24, 32)


@pytest.mark.parametrize("kind", ["int64", "int32", "uint32", "uint8", "bool"])
def test_labels_of_any_integer_type(kind, tmp_path):
    opened = dataset("Integers", kind=kind)
    assert opened.video
    labels = opened[0].labels
    assert labels.dtype == np.uint8
    np.testing.assert_array_equal(labels, their_classes.Integers(kind).labels(0))
    np.testing.assert_array_equal(opened.labels_at(1), labels)


def test_binary_truth_of_int64_fits_a_network_of_any_classes(tmp_path):
    run = run_of(tmp_path)
    pred_images(from_mapping(PredictSettings, {"dataset": "Binary", "model_name": "Net", "gpu": -1}), run)
    unknown = read_prediction(run.workspace, "Net", "Binary", "image 0").unknown()
    np.testing.assert_array_equal(unknown, their_classes.Binary().labels(0))


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Softmax", ["Softmax in", FILE, "returns a softmax", "leave the softmax out"]),
        ("DictNet", ["DictNet in", FILE, "returned a dict of 'out'", "expected logits (N, C, H, W)"]),
        ("Argmax", ["Argmax in", FILE, "returned a tensor (1, 24, 32) of torch.int64 (classes? leave the argmax out)"]),
        ("RaisesInForward", [FILE, "in forward: RuntimeError: Expected 3D", "expected logits"]),
        ("RaisesInItsInit", [FILE, "in __init__: AttributeError: 'RaisesInItsInit' object has no attribute 'nothing'"]),
    ],
)  # fmt: skip
def test_a_network_that_breaks_the_contract(name, said, background, tmp_path):
    run = run_of(tmp_path, background)
    with pytest.raises(ConfigurationError) as caught:
        pred_images(from_mapping(PredictSettings, {"dataset": "Good", "model_name": name, "gpu": -1}), run)
    assert [text for text in said if text not in str(caught.value)] == []
    assert not list(run.workspace.path.rglob("*.h5"))


def test_memory_that_does_not_suffice_is_no_fault_of_the_network(monkeypatch):
    """It goes through the network's code, but has an answer of its own."""
    import torch

    from oodretrieval.models.contract import logits_of

    def forward(self, x):
        raise torch.OutOfMemoryError("all of it")

    monkeypatch.setattr(their_classes.Net, "forward", forward)
    with pytest.raises(torch.OutOfMemoryError):
        logits_of(their_classes.Net(), torch.zeros(1, 3, 4, 4))


def test_logits_that_happen_to_be_positive_are_no_softmax(tmp_path):
    network = Segmenter(ModelEntry("their_classes", "Net"), choose_device(-1))
    network.model.layer.weight.data.zero_()
    network.model.layer.bias.data.fill_(0.5)
    assert (network(dataset("Good")[0], None).prediction == 0).all()
