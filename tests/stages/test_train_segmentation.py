"""Training a network by its entry: what is kept, what is refused, and that nothing is lost."""

import json
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn

import oodretrieval.stages.train.train_segmentation as stage
from oodretrieval.datasets import ExportedLabels
from oodretrieval.datasets.transforms import image_tensor, training_transform
from oodretrieval.entries import LITE_MEAN, LITE_STD, ModelEntry
from oodretrieval.errors import (
    ConfigurationError,
    PartialFailure,
    SettingsError,
    SettingsMismatchError,
    UnknownNameError,
)
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.models import load_model, read_metadata
from oodretrieval.stages.predict.pred_images import pred_images
from oodretrieval.stages.predict.segmenter import Segmenter
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stages.train.settings import TrainSegmentationSettings
from oodretrieval.stages.train.sure_labels import SureLabels
from oodretrieval.stages.train.train_segmentation import train_segmentation
from oodretrieval.stores import FAILURES, read_failures, read_prediction


class Plain(nn.Module):
    """A user's network that knows nothing of pretrained weights."""

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, num_classes, 3, padding=1)

    def forward(self, x):
        return self.layer(x)


@pytest.fixture
def trainable(configuration, tmp_path):
    deeplab = {"num_classes": 9, "channels": 16}
    models = {
        "plain": ModelEntry(__name__, "Plain", {"num_classes": 9}, weights=tmp_path / "plain.safetensors"),
        "wide": ModelEntry(__name__, "Plain", {"num_classes": 19}, weights=tmp_path / "wide.safetensors"),
        "open": ModelEntry(__name__, "Plain", weights=tmp_path / "open.safetensors"),
        "deeplab": ModelEntry(
            "oodretrieval.models", "DeepLabV3Plus", deeplab, tmp_path / "d.safetensors", LITE_MEAN, LITE_STD
        ),
    }
    return replace(configuration, models=models)


def settings(**options):
    defaults = {"dataset": "train", "dataset_val": "val", "model_name": "plain", "gpu": -1, "batch_size": 2}
    sizes = {"crop_height": 32, "crop_width": 48, "epochs": 2, "learning_rate": 0.05}
    return from_mapping(TrainSegmentationSettings, {**defaults, **sizes, **options})


def test_a_training_that_ended_between_its_first_weights_and_their_state_goes_on(
    trainable, workspace, monkeypatch
):
    def until_the_first_epoch(state, path):
        if state["epoch"]:
            raise KeyboardInterrupt
        save(state, path)

    save = torch.save
    monkeypatch.setattr(torch, "save", until_the_first_epoch)
    with pytest.raises(KeyboardInterrupt):
        train_segmentation(settings(), Run(trainable, workspace))
    weights = Path(trainable.models["plain"].weights)
    assert weights.is_file()
    monkeypatch.undo()
    found = train_segmentation(settings(), Run(trainable, workspace))
    there = load_file(weights)
    whole = train_segmentation(settings(overwrite=True), Run(trainable, workspace))
    assert found == whole
    assert all(torch.equal(value, there[name]) for name, value in load_file(weights).items())


def test_images_that_cannot_be_read_are_listed_and_left_out_until_they_are_mended(
    trainable, workspace, camvid, tmp_path
):
    root = tmp_path / "copy"
    shutil.copytree(camvid, root)
    broken = sorted((root / "train").glob("*.png"))[1]
    whole = broken.read_bytes()
    broken.write_bytes(whole[:300])
    run, folder = Run(trainable, workspace), workspace.training_folder / "plain"
    for _ in range(2):  # the second finds the training done, and names the image again
        with pytest.raises(PartialFailure, match=r"^train_segmentation: 1 image\(s\) failed") as caught:
            train_segmentation(settings(root=str(root)), run)
        assert list(caught.value.failures) == [broken.stem]
    assert [(failure.dataset, failure.image_id) for failure in read_failures(folder)] == [
        ("train", broken.stem)
    ]
    without = load_file(trainable.models["plain"].weights)
    broken.write_bytes(whole)
    train_segmentation(settings(root=str(root), overwrite=True), run)
    assert not (folder / FAILURES).exists()
    broken.unlink()
    (root / "trainannot" / broken.name).unlink()
    train_segmentation(settings(root=str(root), overwrite=True), run)
    there = load_file(trainable.models["plain"].weights)
    assert all(torch.equal(value, there[name]) for name, value in without.items()), "as if it were not there"


def test_the_kept_weights_are_of_the_noted_quality(trainable, workspace):
    result = train_segmentation(settings(), Run(trainable, workspace))
    noted = read_metadata(result["path"])
    assert noted["quality"]["mean_iou"] == result["mean_iou"] > 0
    assert noted["recipe"]["epochs"] == 2 and noted["recipe"]["dataset"] == "train"
    assert "save_file" not in noted["recipe"], "no path of this machine travels with the weights"
    assert noted["classes"]["8"][0] == "car"
    written = Path(result["path"]).stat().st_mtime_ns
    again = train_segmentation(settings(), Run(trainable, workspace))
    assert again == result, "a finished training is not trained on"
    assert Path(result["path"]).stat().st_mtime_ns == written, (
        "nor its file written, of which predictions know"
    )
    pred_images(
        from_mapping(PredictSettings, {"dataset": "val", "model_name": "plain", "gpu": -1}),
        Run(trainable, workspace),
    )


def test_other_cameras_and_rotation_reach_the_images(trainable, workspace, monkeypatch):
    asked = {}

    def spy(*sizes, **options):
        asked.update(options)
        return training_transform(*sizes, **options)

    monkeypatch.setattr(stage, "training_transform", spy)
    chosen = settings(photometric=0.5, rotation=8.0, epochs=1, limit=4)
    result = train_segmentation(chosen, Run(trainable, workspace))
    assert (asked["photometric"], asked["rotation"]) == (0.5, 8.0)
    recipe = read_metadata(result["path"])["recipe"]
    assert (recipe["photometric"], recipe["rotation"]) == (0.5, 8.0)
    with pytest.raises(SettingsError, match=r"args\.photometric must be at least 0"):
        settings(photometric=-0.1)


def test_deeplab_starts_from_packaged_weights(trainable, workspace):
    result = train_segmentation(settings(model_name="deeplab", epochs=1, limit=2), Run(trainable, workspace))
    model = load_model(trainable.model("deeplab"))
    assert sum(p.numel() for p in model.encoder.parameters()) > 1e6
    assert result["epoch"] == 1
    Segmenter(trainable.model("deeplab"), torch.device("cpu"))


FAMILIES = {
    "FCN 8s": ("FCN", {"channels": 16}),
    "FCN plain": ("FCN", {"channels": 16, "variant": "plain"}),
    "PSPNet": ("PSPNet", {"channels": 16}),
    "DeepWV3Plus": ("DeepWV3Plus", {"width": 2, "channels": 8, "low_level_channels": 4}),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_trained_by_its_entry_and_predicts(trainable, workspace, tmp_path, family):
    """On batches of one image, where batch norm of what was pooled over the image would have no variance."""
    class_name, options = FAMILIES[family]
    entry = ModelEntry(
        "oodretrieval.models", class_name, {"num_classes": 9, **options}, weights=tmp_path / "w.safetensors"
    )
    configuration = replace(trainable, models={"it": entry})
    result = train_segmentation(
        settings(model_name="it", epochs=1, limit=2, batch_size=1), Run(configuration, workspace)
    )
    assert result["epoch"] == 1
    assert read_metadata(entry.weights)["class_name"] == class_name
    pred_images(
        from_mapping(PredictSettings, {"dataset": "val", "model_name": "it", "gpu": -1, "limit": 1}),
        Run(configuration, workspace),
    )
    (stored,) = (workspace.path / "predictions" / "it" / "val").rglob("*.h5")
    prediction = read_prediction(workspace, "it", "val", stored.stem)
    network = load_model(configuration.model("it"))
    assert prediction.align_corners is network.align_corners
    assert prediction.prediction.shape == (72, 96)
    assert prediction.logits.shape[0] == 9 and prediction.logits.shape[1] < 72


def test_a_trial_on_a_few_images_is_not_taken_for_the_training(trainable, workspace):
    train_segmentation(settings(limit=2), Run(trainable, workspace))
    with pytest.raises(SettingsMismatchError, match=r"limit.*args\.overwrite=True"):
        train_segmentation(settings(), Run(trainable, workspace))


def test_overwrite_with_a_misspelt_name_loses_nothing(trainable, workspace):
    train_segmentation(settings(), Run(trainable, workspace))
    state = workspace.path / "training" / "plain" / "state.pt"
    before = state.read_bytes()
    with pytest.raises(UnknownNameError):
        train_segmentation(settings(dataset="trian", overwrite=True), Run(trainable, workspace))
    assert state.read_bytes() == before


def test_weights_that_others_made_are_not_overwritten(trainable, workspace, tmp_path):
    (tmp_path / "plain.safetensors").write_bytes(b"precious")
    with pytest.raises(SettingsError, match=r"is there already; add args\.overwrite=True"):
        train_segmentation(settings(), Run(trainable, workspace))
    train_segmentation(settings(save_file=str(tmp_path / "mine.safetensors")), Run(trainable, workspace))
    with pytest.raises(SettingsMismatchError, match="save_file"):
        train_segmentation(settings(), Run(trainable, workspace))
    assert (tmp_path / "plain.safetensors").read_bytes() == b"precious"


def test_a_finished_training_whose_weights_are_gone(trainable, workspace, tmp_path):
    train_segmentation(settings(), Run(trainable, workspace))
    (tmp_path / "plain.safetensors").unlink()
    with pytest.raises(SettingsError, match=r"has ended, but its weights .* args\.overwrite=True"):
        train_segmentation(settings(), Run(trainable, workspace))


def test_an_entry_of_other_classes_than_the_dataset(trainable, workspace):
    with pytest.raises(ConfigurationError, match="num_classes=19, the dataset 9 predicted classes"):
        train_segmentation(settings(model_name="wide"), Run(trainable, workspace))
    assert train_segmentation(settings(model_name="open"), Run(trainable, workspace))["epoch"] in (1, 2)


@pytest.mark.parametrize("name", ["batch_size", "epochs", "accumulation", "crop_height"])
def test_settings_out_of_range(name):
    with pytest.raises(SettingsError, match=f"args.{name} must be at least 1, got 0"):
        settings(**{name: 0})


RANK = """
import json, sys
import torch
from PIL import Image
from accelerate import Accelerator
from torch.utils.data import DataLoader, Dataset
from oodretrieval.stages.train.accelerator import accelerator, seed_process

class Noisy(Dataset):
    def __len__(self):
        return 12
    def __getitem__(self, index):
        return index, torch.rand(())

if __name__ == "__main__":
    device = accelerator(-1)
    seed_process(3)
    loader = device.prepare(DataLoader(Noisy(), 2, shuffle=True, num_workers=int(sys.argv[1])))
    batches = [batch for epoch in range(2) for batch in loader]
    indices, noise = (torch.cat(column).tolist() for column in zip(*batches))
    print(json.dumps([indices, noise]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1])
def test_processes_of_a_training_share_the_images_and_not_the_augmentation(tmp_path, workers):
    """Two real ones, as torchrun starts them; each image once an epoch, and every random number another."""
    (tmp_path / "rank.py").write_text(RANK)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    processes = [
        subprocess.Popen(
            [sys.executable, str(tmp_path / "rank.py"), str(workers)],
            env={**os.environ, **common, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    said = [json.loads(process.communicate(timeout=300)[0].splitlines()[-1]) for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    (first, noise), (second, other_noise) = said
    for epoch in (slice(0, 6), slice(6, 12)):
        assert sorted(first[epoch] + second[epoch]) == list(range(12))
    assert not set(noise) & set(other_noise)


def test_an_export_adds_its_classes_and_the_old_weights_stay_where_they_were(trainable, workspace, tmp_path):
    first = train_segmentation(settings(epochs=1), Run(trainable, workspace))
    before = Path(first["path"]).read_bytes()
    export = exported(trainable, tmp_path / "export")
    with pytest.raises(SettingsError, match="another file"):
        train_segmentation(settings(exports=[str(export)]), Run(trainable, workspace))
    target = tmp_path / "further.safetensors"
    chosen = settings(exports=[str(export)], save_file=str(target), epochs=1)
    result = train_segmentation(chosen, Run(trainable, workspace))
    noted = read_metadata(target)
    assert noted["classes"]["9"][0] == "pony" and noted["kwargs"]["num_classes"] == 10
    assert Path(first["path"]).read_bytes() == before
    assert "pony" in result["iou"]
    entry = replace(trainable.model("plain"), kwargs={"num_classes": 10}, weights=target)
    assert load_model(entry)(torch.zeros(1, 3, 8, 8)).shape[1] == 10
    with pytest.raises(SettingsError, match="train it first"):
        train_segmentation(
            settings(model_name="wide", exports=[str(export)], save_file=str(target)),
            Run(trainable, workspace),
        )


def test_what_the_network_is_not_sure_of_teaches_nothing(trainable, workspace, tmp_path):
    train_segmentation(settings(epochs=1), Run(trainable, workspace))
    entry = Run(trainable, workspace).configuration.model("plain")
    whole = ExportedLabels(exported(trainable, tmp_path / "export"))
    network = load_model(entry)
    for least in (0.0, 0.3, 1.0):
        sure = SureLabels(whole, entry, least, torch.device("cpu"))
        assert sure.ids == whole.ids and len(sure) == len(whole) == 6
        for index, sample in enumerate(whole):
            with torch.no_grad():
                image = image_tensor(sample.image, entry.mean, entry.std)
                probabilities = torch.softmax(network(image[None])[0], 0).numpy()
            guessed = (probabilities.max(0) < least) & (probabilities.argmax(0) == sample.labels)
            expected = np.where(guessed, 255, sample.labels)
            np.testing.assert_array_equal(sure[index].labels, expected)
            np.testing.assert_array_equal(sure.labels_at(index), expected)
            assert (expected[2:12, 2:12] == 9).all(), "what was named teaches"
            assert least != 1 or (expected == 255).any()
    with pytest.raises(SettingsError, match="args.sure is a probability"):
        settings(sure=1.5)


def exported(configuration, folder):
    """Six images of the training set in which a square is a pony, as scripts/export.py would write them."""
    dataset = Run(configuration, None).dataset("train")
    (folder / "labels").mkdir(parents=True)
    images = []
    for number in range(6):
        sample = dataset[number % len(dataset)]
        labels = dataset.label_set.to_predicted(sample.labels)
        labels[2:12, 2:12] = 9
        Image.fromarray(sample.image).save(folder / f"{number}.png")
        Image.fromarray(labels).save(folder / "labels" / f"{number}.png")
        images.append(
            {"id": str(number), "image": str(folder / f"{number}.png"), "labels": f"labels/{number}.png"}
        )
    known = {
        str(key): {"name": name, "colour": "#000000", "new": False}
        for key, (name, _) in dataset.label_set.pred_mapping.items()
    }
    classes = known | {"9": {"name": "pony", "colour": "#112233", "new": True}}
    (folder / "classes.json").write_text(json.dumps({"classes": classes, "images": images}))
    return folder
