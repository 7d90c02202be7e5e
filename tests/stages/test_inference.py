import numpy as np
import pytest
import torch
from torch import nn

from oodretrieval.datasets import Sample
from oodretrieval.datasets.transforms import image_tensor
from oodretrieval.entries import ModelEntry
from oodretrieval.errors import ConfigurationError, ImageError
from oodretrieval.labels import LabelSet
from oodretrieval.models import DeepLabV3Plus, save_weights
from oodretrieval.segments import entropy_levels
from oodretrieval.stages.device import choose_device
from oodretrieval.stages.inference import Segmenter, predicted_classes

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.3, 0.4)
CPU = torch.device("cpu")
LABELS = LabelSet(
    {
        0: ("a", (1, 1, 1)),
        5: ("b", (2, 2, 2)),
        6: ("c", (3, 3, 3)),
        9: ("cow", (4, 4, 4)),
        10: ("void", (0, 0, 0)),
    },
    {i: (name, (i, i, i)) for i, name in enumerate("abc")},
    {0: 0, 5: 1, 6: 2, 9: 255, 10: 255},
    frozenset({10}),
)


class Plain(nn.Module):
    """Knows nothing of low resolution."""

    def __init__(self, classes=3, poison=1.0):
        super().__init__()
        self.convolution = nn.Conv2d(3, classes, 3, padding=1)
        self.poison = poison

    def forward(self, x):
        return self.convolution(x) * self.poison


def sample(height=18, width=25, labels=True):
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (height, width, 3)).astype(np.uint8)
    truth = random.choice([0, 5, 6, 9, 10], (height, width)).astype(np.uint8) if labels else None
    return Sample(image, truth, "folder/image.png", "image")


def segmenter(class_name="Plain", module=__name__, **kwargs):
    torch.manual_seed(0)
    return Segmenter(ModelEntry(module, class_name, kwargs, mean=MEAN, std=STD), CPU)


@pytest.mark.parametrize(
    ("module", "class_name", "kwargs"),
    [(__name__, "Plain", {}), ("oodretrieval.models", "DeepLabV3Plus", {"num_classes": 3, "channels": 16})],
)
def test_predictions_are_those_of_the_network(module, class_name, kwargs):
    network = segmenter(class_name, module, **kwargs)
    one = sample(33, 47)
    found = network(one, LABELS)
    with torch.inference_mode():
        softmax = network.model(image_tensor(one.image, MEAN, STD)[None])[0].softmax(0)
    softmax = softmax.permute(1, 2, 0).numpy().astype(np.float64)
    best = np.take_along_axis(softmax, found.prediction[..., None].astype(int), -1)[..., 0]
    np.testing.assert_allclose(best, softmax.max(-1), atol=1e-5)
    entropy = -(softmax * np.log(softmax + np.finfo(np.float32).eps)).sum(-1) / np.log(3)
    assert np.abs(found.entropy.astype(int) - entropy * 255).max() <= 0.51
    assert found.prediction.shape == found.entropy.shape == (33, 47)
    assert found.prediction.dtype == found.entropy.dtype == np.uint8


def test_logits_are_kept_at_the_networks_own_stride():
    low = segmenter("DeepLabV3Plus", "oodretrieval.models", num_classes=3, channels=16)(
        sample(33, 47), LABELS
    )
    assert low.logits.shape == (3, 9, 12)
    assert segmenter()(sample(), LABELS).logits.shape == (3, 18, 25)
    assert low.num_classes == 3
    assert low.align_corners is DeepLabV3Plus.align_corners


def test_what_belongs_to_the_image_is_kept():
    one = sample()
    found = segmenter()(one, LABELS)
    assert (found.image_path, found.image_id) == ("folder/image.png", "image")
    np.testing.assert_array_equal(found.labels, one.labels)
    assert found.label_to_pred == LABELS.label_to_pred
    assert found.void_ids == {10}


def test_without_truth_there_are_no_labels():
    found = segmenter()(sample(labels=False), None)
    assert found.labels is None
    assert found.label_to_pred == {}


def test_many_classes_need_a_wider_type():
    assert segmenter(classes=255)(sample(), None).prediction.dtype == np.uint8
    assert segmenter(classes=300)(sample(), None).prediction.dtype == np.uint16


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
def test_output_that_is_not_finite_is_the_images_failure(poison):
    with pytest.raises(ImageError, match=r"folder/image\.png: the network's output is not finite"):
        segmenter(poison=poison)(sample(), LABELS)


def test_another_number_of_classes_is_refused():
    with pytest.raises(ConfigurationError, match="network has 4 classes, the dataset's pred_mapping 3"):
        segmenter(classes=4)(sample(), LABELS)


def test_entropy_runs_from_certain_to_uniform():
    softmax = np.array([[[1, 0, 0, 0], [0.25, 0.25, 0.25, 0.25], [0.5, 0.5, 0, 0]]], np.float32)
    certain, uniform, half = entropy_levels(softmax)[0].tolist()
    assert (certain, uniform) == (0, 255)
    assert half in (127, 128)


class Dataset:
    def __init__(self, label_set=None):
        self.label_set = label_set


def test_names_of_classes_come_from_whoever_knows_them(tmp_path):
    path = tmp_path / "w.safetensors"
    save_weights(Plain(), path, {"classes": {"0": ["x", [1, 2, 3]], "1": ["y", [4, 5, 6]]}})
    noted = ModelEntry(__name__, "Plain", weights=path)
    assert predicted_classes(noted, Dataset(LABELS), 3) == LABELS.pred_mapping
    assert predicted_classes(noted, Dataset(), 2) == {0: ("x", (1, 2, 3)), 1: ("y", (4, 5, 6))}
    greys = predicted_classes(ModelEntry(__name__, "Plain"), Dataset(), 3)
    assert greys == {0: ("class 0", (0, 0, 0)), 1: ("class 1", (127,) * 3), 2: ("class 2", (255,) * 3)}


@pytest.mark.parametrize(
    ("gpu", "count", "device", "said"),
    [
        (-1, 2, "cpu", "running on the CPU (as asked)"),
        (0, 0, "cpu", "running on the CPU (no GPU 0 at hand)"),
        (2, 2, "cpu", "running on the CPU (no GPU 2 at hand)"),
        (1, 2, "cuda:1", "running on GPU 1, Some GPU"),
    ],
)
def test_the_device_is_said_in_one_line(monkeypatch, caplog, gpu, count, device, said):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: "Some GPU")
    monkeypatch.setattr("oodretrieval.stages.device.keep_freed_memory", lambda: True)
    with caplog.at_level("INFO"):
        assert choose_device(gpu) == torch.device(device)
    (line,) = caplog.messages
    assert line.startswith(said)
