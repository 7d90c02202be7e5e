"""Stage 1 as it runs: at once in several steps, broken off, with broken images, with other settings."""

import os
import shutil
import threading
import time

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from oodretrieval.datasets import CamVid, ImageFolder
from oodretrieval.errors import PartialFailure, SettingsError, SettingsMismatchError, WorkerError
from oodretrieval.experiment.run import Run
from oodretrieval.stages.measure.compute_metrics import MetricsSettings, compute_metrics
from oodretrieval.stages.measure.segment_blocks import image_table
from oodretrieval.stages.predict import pred_images as stage
from oodretrieval.stages.predict.finishing import Finisher
from oodretrieval.stages.predict.pred_images import PredictSettings, pred_images
from oodretrieval.stages.predict.segmenter import Segmenter
from oodretrieval.stores import Workspace, read_prediction, read_segments

NAMES = {"dataset": "val", "model_name": "colour", "gpu": -1}
IDS = [f"0016E5_{100 * number:05d}" for number in range(6)]


@pytest.fixture
def in_small_blocks(monkeypatch):
    monkeypatch.setattr("oodretrieval.experiment.inputs.BLOCK", 4)


@pytest.fixture
def expected(configuration, tmp_path, in_small_blocks):
    """What one image after the other gives, with nothing kept."""
    workspace = Workspace(tmp_path / "expected")
    pred_images(PredictSettings(**NAMES, keep="nothing", num_cores=0), Run(configuration, workspace))
    return workspace


def same(workspace, expected):
    """Tables and predictions equal to the last bit."""
    pd.testing.assert_frame_equal(
        read_segments(workspace, "colour", "val"), read_segments(expected, "colour", "val")
    )
    for image in IDS:
        ours, other = (read_prediction(w, "colour", "val", image) for w in (workspace, expected))
        for name in ("prediction", "labels", "entropy"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(other, name))
        assert ours.settings == other.settings


@pytest.mark.parametrize("num_cores", [1, 2])
def test_threads_and_processes_change_nothing(configuration, workspace, expected, monkeypatch, num_cores):
    monkeypatch.setattr(stage, "WORTH_PROCESSES", 2)
    result = pred_images(
        PredictSettings(**NAMES, keep="nothing", num_cores=num_cores), Run(configuration, workspace)
    )
    assert (result["predicted"], result["skipped"]) == (6, 0)
    same(workspace, expected)


def test_metrics_of_the_same_pass_are_those_of_kept_logits(configuration, workspace, expected):
    pred_images(PredictSettings(**NAMES), Run(configuration, workspace))
    compute_metrics(MetricsSettings(dataset="val", model_name="colour"), Run(configuration, workspace))
    half, ours = (read_segments(w, "colour", "val") for w in (workspace, expected))
    assert half.columns.tolist() == ours.columns.tolist()
    keys = ["image_id", "segment_id", "left", "top", "right", "bottom", "class", "S", "S_bd", "label", "iou"]
    pd.testing.assert_frame_equal(half[keys], ours[keys])
    numbers = ours.select_dtypes("number")
    assert ((half[numbers.columns] - numbers).abs() <= 1e-3 * numbers.abs().clip(lower=1)).all(axis=None)


def test_metrics_of_the_same_pass_are_those_of_the_networks_own_logits(configuration, expected, camvid):
    dataset = CamVid(camvid, "val", ("pedestrian", "bicyclist"))
    network = Segmenter(configuration.model("colour"), stage.choose_device(-1))
    tables = [image_table(network(sample, dataset.label_set)) for sample in dataset]
    pd.testing.assert_frame_equal(
        pd.concat(tables, ignore_index=True),
        read_segments(expected, "colour", "val"),
        check_exact=False,
        rtol=1e-6,
    )


@pytest.mark.parametrize(("keep", "held"), [("logits", False), ("softmax", False), ("nothing", True)])
def test_only_what_cannot_be_computed_again_is_kept(configuration, workspace, keep, held):
    pred_images(PredictSettings(**NAMES, keep=keep, limit=1), Run(configuration, workspace))
    prediction = read_prediction(workspace, "colour", "val", IDS[0])
    assert (prediction.entropy is not None) is held
    sample = CamVid(configuration.datasets["val"].kwargs["root"], "val")[0]
    wanted = Segmenter(configuration.model("colour"), stage.choose_device(-1))(sample, None)
    assert np.abs(prediction.entropy_levels().astype(int) - wanted.entropy).max() <= 1


@pytest.mark.parametrize("num_cores", [0, 1])
def test_a_broken_image_loses_nothing_and_is_added_when_it_is_mended(
    configuration, workspace, camvid, tmp_path, in_small_blocks, num_cores
):
    root = tmp_path / "copy"
    shutil.copytree(camvid, root)
    broken = root / "val" / f"{IDS[2]}.png"
    whole = broken.read_bytes()
    settings = PredictSettings(**NAMES, keep="nothing", root=str(root), num_cores=num_cores, batch_size=2)
    perfect = Workspace(tmp_path / "perfect")
    pred_images(settings, Run(configuration, perfect))
    broken.write_bytes(whole[:300])
    with pytest.raises(PartialFailure, match=IDS[2]) as caught:
        pred_images(settings, Run(configuration, workspace))
    assert list(caught.value.failures) == [IDS[2]]
    assert read_segments(workspace, "colour", "val")["image_id"].unique().tolist() == IDS[:2] + IDS[3:]
    broken.write_bytes(whole)
    again = pred_images(settings, Run(configuration, workspace))
    assert (again["predicted"], again["skipped"]) == (1, 5)
    same(workspace, perfect)


def test_an_image_whose_metrics_fail_is_reported(configuration, workspace, monkeypatch):
    def refuse(prediction):
        if prediction.image_id == IDS[1]:
            raise ValueError("labels out of order")
        return image_table(prediction)

    monkeypatch.setattr("oodretrieval.stages.predict.finishing.image_table", refuse)
    with pytest.raises(PartialFailure, match=f"{IDS[1]}: labels out of order"):
        pred_images(PredictSettings(**NAMES, keep="nothing"), Run(configuration, workspace))
    assert not workspace.prediction_path("colour", "val", IDS[1]).exists()
    assert read_segments(workspace, "colour", "val")["image_id"].nunique() == 5


@pytest.mark.parametrize("after", [1, 3, 4, 5])
def test_what_was_broken_off_goes_on(configuration, workspace, expected, monkeypatch, after):
    settings = PredictSettings(**NAMES, keep="nothing", num_cores=0)
    finish, calls = Finisher.__call__, []

    def interrupted(self, outcome):
        if len(calls) == after:
            raise KeyboardInterrupt
        calls.append(outcome.image_id)
        return finish(self, outcome)

    with monkeypatch.context() as patch:
        patch.setattr(Finisher, "__call__", interrupted)
        with pytest.raises(KeyboardInterrupt):
            pred_images(settings, Run(configuration, workspace))
    assert read_segments(workspace, "colour", "val")["image_id"].unique().tolist() == IDS[:after]
    rest = pred_images(settings, Run(configuration, workspace))
    assert (rest["predicted"], rest["skipped"]) == (6 - after, after)
    same(workspace, expected)


def test_a_prediction_that_is_gone_is_made_again_with_its_segments(configuration, workspace, expected):
    shutil.copytree(expected.path, workspace.path)
    workspace.prediction_path("colour", "val", IDS[1]).unlink()
    settings = PredictSettings(**NAMES, keep="nothing")
    assert pred_images(settings, Run(configuration, workspace))["predicted"] == 1
    same(workspace, expected)


def test_nothing_to_do_needs_no_network(configuration, expected, monkeypatch):
    monkeypatch.setattr(stage, "Segmenter", lambda *_: pytest.fail("built a network for nothing"))
    again = pred_images(PredictSettings(**NAMES, keep="nothing"), Run(configuration, expected))
    assert (again["predicted"], again["skipped"]) == (0, 6)


def test_a_worker_that_dies_is_told(configuration, workspace, monkeypatch):
    monkeypatch.setattr(stage, "WORTH_PROCESSES", 2)
    monkeypatch.setattr(stage, "load_kernels", os.abort)
    with pytest.raises(WorkerError, match="a worker process died.*Run the same command again"):
        pred_images(PredictSettings(**NAMES, num_cores=2), Run(configuration, workspace))


def test_few_images_start_no_process(configuration, workspace, monkeypatch):
    monkeypatch.setattr(stage, "worker_processes", lambda *_: pytest.fail("started processes"))
    assert pred_images(PredictSettings(**NAMES, num_cores=4), Run(configuration, workspace))["predicted"] == 6


@pytest.mark.parametrize(("num_cores", "bound"), [(0, 4), (1, 8), (3, 15)])
def test_steps_run_at_once_but_not_far_ahead(
    configuration, workspace, monkeypatch, tmp_path, num_cores, bound
):
    """However slow finishing is, no more images are in memory than a few."""
    for number in range(40):
        Image.new("RGB", (16, 12), (90, number, 95)).save(tmp_path / f"{number:02d}.png")
    read, finished, most = [], [], []
    lock, finish, get = threading.Lock(), Finisher.__call__, ImageFolder.__getitem__

    def slow(self, outcome):
        time.sleep(0.005)
        result = finish(self, outcome)
        finished.append(threading.get_ident())
        return result

    def counted(self, index):
        with lock:
            read.append(threading.get_ident())
            most.append(len(read) - len(finished))
        return get(self, index)

    monkeypatch.setattr(stage, "WORTH_PROCESSES", 99)
    monkeypatch.setattr(Finisher, "__call__", slow)
    monkeypatch.setattr(ImageFolder, "__getitem__", counted)
    names = NAMES | {"dataset": "images", "root": str(tmp_path), "num_cores": num_cores}
    assert pred_images(PredictSettings(**names), Run(configuration, workspace))["predicted"] == 40
    assert max(most) <= bound
    own = threading.get_ident()
    assert (own in read[-20:], own in finished) == (num_cores == 0, num_cores == 0)
    assert num_cores == 0 or max(most) > 3, "nothing was done at once"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"flip": True}, "flip: was not set, now True"),
        ({"scales": (1.0, 1.5)}, r"scales: was not set, now \[1.0, 1.5\]"),
        ({"window": "32x64"}, "window: was not set, now '32x64'"),
        ({"resize": 48}, "resize: was not set, now 48"),
        ({"mixed_precision": "bf16"}, "mixed_precision: was not set, now 'bf16'"),
    ],
)
def test_work_of_other_inference_settings_is_refused(configuration, workspace, change, said):
    pred_images(PredictSettings(**NAMES, limit=2), Run(configuration, workspace))
    compute_metrics(
        MetricsSettings(dataset="val", model_name="colour", limit=2), Run(configuration, workspace)
    )
    changed = PredictSettings(**NAMES, limit=2, **change)
    with pytest.raises(SettingsMismatchError, match=f"{said}.*args.overwrite=True"):
        pred_images(changed, Run(configuration, workspace))
    pred_images(PredictSettings(**NAMES, limit=2, overwrite=True, **change), Run(configuration, workspace))
    assert pred_images(changed, Run(configuration, workspace))["skipped"] == 2
    recorded = read_prediction(workspace, "colour", "val", IDS[0]).settings
    (name,) = change
    assert recorded[name] == (list(change[name]) if name == "scales" else change[name])
    with pytest.raises(SettingsMismatchError, match=name):
        compute_metrics(
            MetricsSettings(dataset="val", model_name="colour", limit=2), Run(configuration, workspace)
        )


def test_settings_that_change_no_figure_are_no_other_settings(configuration, workspace):
    pred_images(PredictSettings(**NAMES), Run(configuration, workspace))
    same = PredictSettings(**NAMES, batch_size=3, num_cores=2, mixed_precision="no")
    assert pred_images(same, Run(configuration, workspace))["skipped"] == 6


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"window": "512"}, "HEIGHTxWIDTH, as in 512x1024, came '512'"),
        ({"window": "100x64"}, "multiples of 32, came 100x64"),
        ({"overlap": 1.0}, "overlap must be less than 1"),
        ({"scales": ()}, "scales must be sizes above 0"),
        ({"scales": (1.0, -2.0)}, "scales must be sizes above 0"),
        ({"resize": -1}, "resize must be at least 0"),
    ],
)
def test_impossible_settings_are_refused(setting, message):
    with pytest.raises(SettingsError, match=message):
        PredictSettings(**setting)
