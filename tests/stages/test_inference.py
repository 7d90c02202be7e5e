from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from oodretrieval.datasets import Sample
from oodretrieval.datasets.transforms import image_tensor
from oodretrieval.entries import ModelEntry
from oodretrieval.errors import ConfigurationError, ImageError, SettingsError
from oodretrieval.experiment.device import choose_device
from oodretrieval.experiment.predicted_classes import predicted_classes, require_same_classes
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.labels import LabelSet
from oodretrieval.models import DeepLabV3Plus, save_weights
from oodretrieval.segments import entropy_levels
from oodretrieval.stages.predict.segmenter import Segmenter, batches, network_input
from oodretrieval.stages.predict.settings import InferenceSettings
from oodretrieval.stores import Stored

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


def segmenter(class_name="Plain", module=__name__, settings=None, **kwargs):
    torch.manual_seed(0)
    return Segmenter(ModelEntry(module, class_name, kwargs, mean=MEAN, std=STD), CPU, settings)


def deeplab(**settings):
    return segmenter(
        "DeepLabV3Plus",
        "oodretrieval.models",
        from_mapping(InferenceSettings, {**settings}),
        num_classes=3,
        channels=16,
    )


def street(height=48, width=64, seed=0):
    """Something smooth to look at: noise that changes from pixel to pixel differs too much between scales."""
    rows, columns = np.mgrid[:height, :width] / 9
    image = 128 + 100 * np.sin(np.stack([rows + seed, columns, rows + columns], axis=2))
    return Sample(image.astype(np.uint8), None, f"{seed}.png", str(seed))


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


def outcomes(network, samples):
    inputs = [network_input(one, network.settings) for one in samples]
    return list(network.run(inputs, None))


def test_a_batch_gives_what_its_images_give_alone():
    samples = [street(seed=seed) for seed in range(5)] + [street(32, 32), street(32, 32, 1), street(seed=6)]
    alone = outcomes(deeplab(), samples)
    for size in (2, 3, 8):
        together = outcomes(deeplab(batch_size=size), samples)
        assert [one.image_id for one in together] == [one.image_id for one in alone]
        for one, other in zip(together, alone, strict=True):
            np.testing.assert_allclose(one.logits, other.logits, atol=1e-4, rtol=1e-4)


def test_batches_are_of_neighbours_of_equal_size():
    sizes = [(4, 4), (4, 4), (4, 4), (5, 4), (4, 4), (4, 4)]
    inputs = [network_input(street(*size), InferenceSettings()) for size in sizes]
    assert [len(batch) for batch in batches(inputs, 2)] == [2, 1, 1, 2]
    assert [item for batch in batches(inputs, 2) for item in batch] == inputs
    assert list(batches([], 2)) == []


@pytest.mark.parametrize(("size", "seen"), [((48, 96), (20, 40)), ((96, 32), (40, 13)), ((40, 40), (40, 40))])
def test_large_images_are_shrunk_for_the_network_only(size, seen):
    network = segmenter(settings=InferenceSettings(resize=40))
    one = street(*size)
    found = network(one, None)
    assert found.logits.shape == (3, *seen)
    assert found.prediction.shape == found.entropy.shape == size
    if max(size) <= 40:
        np.testing.assert_array_equal(found.logits, segmenter()(one, None).logits)


@pytest.mark.parametrize("settings", [{"window": "64x64"}, {"window": "512x1024"}, {"scales": (1.0,)}])
def test_settings_that_ask_for_nothing_change_nothing(settings):
    np.testing.assert_array_equal(
        deeplab(**settings)(street(), None).logits, deeplab()(street(), None).logits
    )


def test_every_setting_reaches_the_network():
    one = street(96, 128)
    plain = deeplab()(one, None).logits
    for settings in ({"flip": True}, {"scales": (1.0, 1.5)}, {"window": "64x64"}):
        changed = deeplab(**settings)(one, None).logits
        assert changed.shape == plain.shape
        assert not np.allclose(changed, plain, atol=1e-3)


def test_a_network_that_knows_no_left_is_not_changed_by_flips():
    kwargs = {"colours": [(0, 0, 0), (255, 255, 255), (255, 0, 0)]}
    plain, flipped = (
        segmenter("ColourNetwork", "colour_network", InferenceSettings(flip=flip), **kwargs)
        for flip in (False, True)
    )
    found, other = flipped(street(), None), plain(street(), None)
    np.testing.assert_allclose(found.logits, other.logits, atol=1e-4)
    assert np.mean(found.prediction == other.prediction) > 0.999


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_mixed_precision_comes_close_and_gives_whole_logits(precision):
    plain, half = deeplab()(street(), None), deeplab(mixed_precision=precision)(street(), None)
    assert half.logits.dtype == np.float32
    difference = np.abs(half.logits - plain.logits).max()
    assert 0 < difference < 0.1 * plain.logits.std() + 0.05


def test_what_is_recorded_are_the_settings_that_change_a_figure():
    assert InferenceSettings(batch_size=7).recorded("cpu") == {}
    assert InferenceSettings(resize=0).recorded("cpu", (36, 48)) == {}
    assert InferenceSettings(window="64x64").recorded("cpu", (36, 48)) == {"window": "64x64"}
    assert InferenceSettings().recorded("cpu", (36, 48)) == {"resize": {"longest": 48, "above": 72}}
    assert InferenceSettings(resize=100).recorded("cpu", (36, 48)) == {"resize": 100}
    assert InferenceSettings(mixed_precision="no").recorded("cuda") == {}
    assert InferenceSettings().recorded("cuda") == {"mixed_precision": "fp16"}
    assert InferenceSettings(flip=True, scales=(0.5,)).recorded("cpu") == {"flip": True, "scales": (0.5,)}


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_a_gpu_says_what_the_cpu_says():
    samples = [street(seed=seed) for seed in range(5)]
    torch.manual_seed(0)
    entry = ModelEntry(__name__, "Plain", {}, mean=MEAN, std=STD)
    settings = InferenceSettings(mixed_precision="no", batch_size=2)
    network = Segmenter(entry, torch.device("cuda"), settings)
    found = outcomes(network, samples)
    network.model.to(CPU)
    for one, other in zip(found, samples, strict=True):
        batch = image_tensor(other.image, MEAN, STD)[None]
        with torch.inference_mode():
            np.testing.assert_allclose(one.logits, network.model(batch)[0].numpy(), atol=1e-2)


def test_memory_that_does_not_suffice_says_what_to_change(monkeypatch):
    network = segmenter(settings=InferenceSettings(batch_size=2))

    def full(images):
        raise torch.OutOfMemoryError("out of memory. Tried to allocate 20 GiB\nmore")

    monkeypatch.setattr(network.model, "forward", full)
    with pytest.raises(
        SettingsError, match=r"2 image\(s\) of 64×48 do not fit.*args.batch_size.*args.window"
    ):
        outcomes(network, [street(), street()])


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
    ("classes", "background", "refused"),
    [
        (["road", "thing", "sky"], False, None),
        (["way", "thing", "air"], False, None),  # called otherwise
        (
            ["sky", "thing", "road"],
            False,
            "class 0 of the network 'net' is 'sky', which is number 2 .* 'data'",
        ),
        (["thing", "sky"], True, None),  # an implicit background in front of them
        (["thing", "sky"], False, "class 0 of the network 'net' is 'thing', which is number 1 "),
    ],
)
def test_a_network_whose_classes_have_other_numbers_is_refused(tmp_path, classes, background, refused):
    known = {number: (name, (number, 0, 0)) for number, name in enumerate(["road", "thing", "sky"])}
    path = tmp_path / "w.safetensors"
    save_weights(Plain(), path, {"classes": {str(i): [name, [0, 0, 0]] for i, name in enumerate(classes)}})
    entry = ModelEntry(__name__, "Plain", weights=path, implicit_background=background)
    names = Stored("net", "data")
    dataset = Dataset(replace(LABELS, pred_mapping=known))
    if refused is None:
        require_same_classes(entry, dataset, names)
    else:
        with pytest.raises(ConfigurationError, match=refused):
            require_same_classes(entry, dataset, names)
    require_same_classes(entry, Dataset(), names)  # images without truth


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
    monkeypatch.setattr("oodretrieval.experiment.device.keep_freed_memory", lambda: True)
    with caplog.at_level("INFO"):
        assert choose_device(gpu) == torch.device(device)
    (line,) = caplog.messages
    assert line.startswith(said)


@pytest.mark.parametrize(
    ("size", "seen"),
    [((36, 48), (36, 48)), ((54, 72), (54, 72)), ((54, 73), (36, 48)), ((100, 200), (24, 48)), ((20, 20), (20, 20))],
)  # fmt: skip
def test_images_much_larger_than_those_of_the_training_are_shrunk_to_them(size, seen):
    settings = InferenceSettings()
    assert settings.seen_size(*size, (36, 48)) == seen
    assert settings.seen_size(*size) == size == InferenceSettings(resize=0).seen_size(*size, (36, 48))
    assert InferenceSettings(window="64x64").seen_size(*size, (36, 48)) == size
    shown = network_input(street(*size), settings, (36, 48)).image
    assert shown.shape == (*seen, 3)


def test_a_shrunk_image_is_predicted_at_its_own_size():
    """As with the same size set by hand; boxes and crops are of the image."""
    entry = ModelEntry(
        "oodretrieval.models", "DeepLabV3Plus", {"num_classes": 3, "channels": 16}, mean=MEAN, std=STD
    )
    torch.manual_seed(0)
    automatic = Segmenter(replace(entry, size=(36, 48)), CPU)
    torch.manual_seed(0)
    by_hand = Segmenter(entry, CPU, InferenceSettings(resize=48))
    one, other = (network(street(100, 120), None) for network in (automatic, by_hand))
    assert one.prediction.shape == (100, 120)
    np.testing.assert_array_equal(one.logits, other.logits)
