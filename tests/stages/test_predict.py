"""Stage 1 as it runs: at once in several steps, broken off, with broken images, with other settings."""

import os
import shutil
import threading
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from oodretrieval.datasets import CamVid, ImageFolder
from oodretrieval.errors import PartialFailure, SettingsError, SettingsMismatchError, StoreError, WorkerError
from oodretrieval.experiment.device import choose_device
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.stages.measure.compute_metrics import compute_metrics
from oodretrieval.stages.measure.settings import MetricsSettings
from oodretrieval.stages.predict import flow as stage
from oodretrieval.stages.predict.finish import Finisher
from oodretrieval.stages.predict.pred_images import pred_images
from oodretrieval.stages.predict.segmenter import Segmenter
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stores import Prediction, Stored, Workspace, read_prediction, read_segments

NAMES = {"dataset": "val", "model_name": "colour", "gpu": -1}
IDS = [f"0016E5_{100 * number:05d}" for number in range(6)]


@pytest.fixture
def in_small_blocks(monkeypatch):
    monkeypatch.setattr("oodretrieval.stores.blocks.BLOCK", 4)


@pytest.fixture
def expected(configuration, tmp_path, in_small_blocks):
    """What one image after the other gives, with nothing kept."""
    workspace = Workspace(tmp_path / "expected")
    pred_images(
        from_mapping(PredictSettings, {**NAMES, "keep": "nothing", "num_cores": 0}),
        Run(configuration, workspace),
    )
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


@pytest.mark.parametrize("num_cores", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_threads_and_processes_change_nothing(configuration, workspace, expected, monkeypatch, num_cores):
    monkeypatch.setattr(stage, "WORTH_PROCESSES", 2)
    result = pred_images(
        from_mapping(PredictSettings, {**NAMES, "keep": "nothing", "num_cores": num_cores}),
        Run(configuration, workspace),
    )
    assert (result["predicted"], result["skipped"]) == (6, 0)
    same(workspace, expected)


def test_metrics_of_the_same_pass_are_those_of_kept_logits(configuration, workspace, expected):
    pred_images(from_mapping(PredictSettings, {**NAMES}), Run(configuration, workspace))
    compute_metrics(MetricsSettings(dataset="val", model_name="colour"), Run(configuration, workspace))
    half, ours = (read_segments(w, "colour", "val") for w in (workspace, expected))
    assert half.columns.tolist() == ours.columns.tolist()
    keys = ["image_id", "segment_id", "left", "top", "right", "bottom", "class", "S", "S_bd", "label", "iou"]
    pd.testing.assert_frame_equal(half[keys], ours[keys])
    numbers = ours.select_dtypes("number")
    assert ((half[numbers.columns] - numbers).abs() <= 1e-3 * numbers.abs().clip(lower=1)).all(axis=None)


def test_metrics_of_the_same_pass_are_those_of_the_networks_own_logits(configuration, expected, camvid):
    dataset = CamVid(camvid, "val", ("pedestrian", "bicyclist"))
    network = Segmenter(configuration.model("colour"), choose_device(-1))
    tables = [network(sample, dataset.label_set).segment_table() for sample in dataset]
    pd.testing.assert_frame_equal(
        pd.concat(tables, ignore_index=True),
        read_segments(expected, "colour", "val"),
        check_exact=False,
        rtol=1e-6,
    )


@pytest.mark.parametrize(("keep", "held"), [("logits", False), ("softmax", False), ("nothing", True)])
def test_only_what_cannot_be_computed_again_is_kept(configuration, workspace, keep, held):
    pred_images(
        from_mapping(PredictSettings, {**NAMES, "keep": keep, "limit": 1}), Run(configuration, workspace)
    )
    prediction = read_prediction(workspace, "colour", "val", IDS[0])
    assert (prediction.entropy is not None) is held
    sample = CamVid(configuration.datasets["val"].kwargs["root"], "val")[0]
    wanted = Segmenter(configuration.model("colour"), choose_device(-1))(sample, None)
    assert np.abs(prediction.entropy_levels().astype(int) - wanted.entropy).max() <= 1


@pytest.mark.parametrize("num_cores", [0, 1])
def test_a_broken_image_loses_nothing_and_is_added_when_it_is_mended(
    configuration, workspace, camvid, tmp_path, in_small_blocks, num_cores
):
    root = tmp_path / "copy"
    shutil.copytree(camvid, root)
    broken = root / "val" / f"{IDS[2]}.png"
    whole = broken.read_bytes()
    settings = from_mapping(
        PredictSettings,
        {**NAMES, "keep": "nothing", "root": str(root), "num_cores": num_cores, "batch_size": 2},
    )
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
    real = Prediction.segment_table

    def refuse(prediction):
        if prediction.image_id == IDS[1]:
            raise ValueError("labels out of order")
        return real(prediction)

    monkeypatch.setattr(Prediction, "segment_table", refuse)
    with pytest.raises(PartialFailure, match=f"{IDS[1]}: labels out of order"):
        pred_images(
            from_mapping(PredictSettings, {**NAMES, "keep": "nothing"}), Run(configuration, workspace)
        )
    assert not workspace.prediction_path(Stored("colour", "val"), IDS[1]).exists()
    assert read_segments(workspace, "colour", "val")["image_id"].nunique() == 5


@pytest.mark.parametrize("after", [1, 3, 4, 5])
def test_what_was_broken_off_goes_on(configuration, workspace, expected, monkeypatch, after):
    settings = from_mapping(PredictSettings, {**NAMES, "keep": "nothing", "num_cores": 0})
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
    workspace.prediction_path(Stored("colour", "val"), IDS[1]).unlink()
    settings = from_mapping(PredictSettings, {**NAMES, "keep": "nothing"})
    assert pred_images(settings, Run(configuration, workspace))["predicted"] == 1
    same(workspace, expected)


def test_nothing_to_do_needs_no_network(configuration, expected, monkeypatch):
    monkeypatch.setattr(stage, "Segmenter", lambda *_: pytest.fail("built a network for nothing"))
    again = pred_images(
        from_mapping(PredictSettings, {**NAMES, "keep": "nothing"}), Run(configuration, expected)
    )
    assert (again["predicted"], again["skipped"]) == (0, 6)


def test_a_worker_that_dies_is_reported(configuration, workspace, monkeypatch):
    monkeypatch.setattr(stage, "WORTH_PROCESSES", 2)
    monkeypatch.setattr(stage, "load_kernels", os.abort)
    with pytest.raises(WorkerError, match="a worker process died.*Run the same command again"):
        pred_images(from_mapping(PredictSettings, {**NAMES, "num_cores": 2}), Run(configuration, workspace))


def test_few_images_start_no_process(configuration, workspace, monkeypatch):
    monkeypatch.setattr(stage, "worker_processes", lambda *_: pytest.fail("started processes"))
    assert (
        pred_images(from_mapping(PredictSettings, {**NAMES, "num_cores": 4}), Run(configuration, workspace))[
            "predicted"
        ]
        == 6
    )


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
        end = time.monotonic() + 120
        while num_cores and len(read) - len(finished) <= 3 and len(read) < 40 and time.monotonic() < end:
            time.sleep(0.001)  # what is read ahead meanwhile is bounded, and is more than that
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
    assert (
        pred_images(from_mapping(PredictSettings, {**names}), Run(configuration, workspace))["predicted"]
        == 40
    )
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
    pred_images(from_mapping(PredictSettings, {**NAMES, "limit": 2}), Run(configuration, workspace))
    compute_metrics(
        from_mapping(MetricsSettings, {"dataset": "val", "model_name": "colour", "limit": 2}),
        Run(configuration, workspace),
    )
    changed = from_mapping(PredictSettings, {**NAMES, "limit": 2, **change})
    with pytest.raises(SettingsMismatchError, match=f"{said}.*args.overwrite=True"):
        pred_images(changed, Run(configuration, workspace))
    pred_images(
        from_mapping(PredictSettings, {**NAMES, "limit": 2, "overwrite": True, **change}),
        Run(configuration, workspace),
    )
    assert pred_images(changed, Run(configuration, workspace))["skipped"] == 2
    recorded = read_prediction(workspace, "colour", "val", IDS[0]).settings
    (name,) = change
    assert recorded[name] == (list(change[name]) if name == "scales" else change[name])
    with pytest.raises(SettingsMismatchError, match=name):
        compute_metrics(
            from_mapping(MetricsSettings, {"dataset": "val", "model_name": "colour", "limit": 2}),
            Run(configuration, workspace),
        )


def test_settings_that_change_no_figure_are_no_other_settings(configuration, workspace):
    pred_images(from_mapping(PredictSettings, {**NAMES}), Run(configuration, workspace))
    same = from_mapping(PredictSettings, {**NAMES, "batch_size": 3, "num_cores": 2, "mixed_precision": "no"})
    assert pred_images(same, Run(configuration, workspace))["skipped"] == 6


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"window": "512"}, "HEIGHTxWIDTH, as in 512x1024, got '512'"),
        ({"window": "100x64"}, "multiples of 32, got 100x64"),
        ({"overlap": 1.0}, "overlap must be less than 1"),
        ({"scales": ()}, "scales must be sizes above 0"),
        ({"scales": (1.0, -2.0)}, "scales must be sizes above 0"),
        ({"resize": -2}, "resize must be at least -1"),
    ],
)
def test_impossible_settings_are_refused(setting, message):
    with pytest.raises(SettingsError, match=message):
        from_mapping(PredictSettings, {**setting})


def trained_at(configuration, size):
    """The same entries, with a network that says at what size of images it was trained."""
    models = dict(configuration.models)
    models["colour"] = replace(models["colour"], size=size)
    return replace(configuration, models=models)


def test_larger_images_are_shrunk_to_what_the_network_knows(configuration, workspace, caplog):
    caplog.set_level("INFO")
    run = Run(trained_at(configuration, (36, 48)), workspace)
    pred_images(from_mapping(PredictSettings, {**NAMES, "limit": 2}), run)
    said = "images of 96×72 are shrunk to 48×36 for colour, which was trained on 48×36; resize=0"
    assert caplog.text.count(said) == 1
    prediction = read_prediction(workspace, "colour", "val", IDS[0])
    assert prediction.prediction.shape == (72, 96)
    assert prediction.logits.shape[1:] == (9, 12)
    assert prediction.settings["resize"] == {"longest": 48, "above": 72}
    with pytest.raises(SettingsMismatchError, match="resize: was {'longest': 48, 'above': 72}, now not set"):
        pred_images(from_mapping(PredictSettings, {**NAMES, "resize": 0}), run)


def test_images_near_the_size_of_the_training_are_left_alone(configuration, workspace, tmp_path, caplog):
    caplog.set_level("INFO")
    pred_images(
        from_mapping(PredictSettings, {**NAMES, "limit": 2}),
        Run(trained_at(configuration, (50, 66)), workspace),
    )
    plain = Workspace(tmp_path / "plain")
    pred_images(from_mapping(PredictSettings, {**NAMES, "limit": 2}), Run(configuration, plain))
    assert "shrunk" not in caplog.text
    for image in IDS[:2]:
        one, other = (read_prediction(w, "colour", "val", image) for w in (workspace, plain))
        np.testing.assert_array_equal(one.logits, other.logits)


def test_the_first_image_says_what_all_take_on_disk(configuration, workspace, caplog):
    caplog.set_level("INFO")
    pred_images(from_mapping(PredictSettings, {**NAMES}), Run(configuration, workspace))
    size = workspace.prediction_path(Stored("colour", "val"), IDS[0]).stat().st_size
    (line,) = (r.getMessage() for r in caplog.records if "the first prediction takes" in r.getMessage())
    sizes = [f"{max(0.1, n * size / 1e6):.1f} MB" for n in (1, 6)]
    assert f"takes {sizes[0]}, 6 of them about {sizes[1]} with args.keep=logits" in line
    assert "low_resolution_logits" not in caplog.text


def test_logits_of_full_size_say_how_they_could_be_smaller(configuration, workspace, caplog, monkeypatch):
    caplog.set_level("INFO")
    colour_network = pytest.importorskip("colour_network")
    monkeypatch.delattr(colour_network.ColourNetwork, "low_resolution_logits")
    monkeypatch.setattr(
        colour_network.ColourNetwork,
        "forward",
        lambda self, x: -30 * (x[:, None] - self.colours[None, :, :, None, None]).square().sum(2),
    )
    pred_images(from_mapping(PredictSettings, {**NAMES, "limit": 2}), Run(configuration, workspace))
    assert caplog.text.count("with a method `low_resolution_logits`") == 1


@pytest.fixture
def folders(tmp_path):
    """Two folders of photographs of other names, and the run's settings for either."""
    rng = np.random.default_rng(0)
    for folder, names in (("one", "ab"), ("other", "cd")):
        (tmp_path / folder).mkdir()
        for name in names:
            image = rng.integers(0, 255, (24, 32, 3), dtype=np.uint8)
            Image.fromarray(image).save(tmp_path / folder / f"{name}.png")
    return lambda root, **options: from_mapping(
        PredictSettings,
        {"dataset": "images", "model_name": "colour", "root": str(tmp_path / root), "gpu": -1, **options},
    )


@pytest.mark.parametrize("keep", ["logits", "nothing"])
def test_a_second_folder_of_other_images_under_one_name_is_refused(configuration, workspace, folders, keep):
    run = Run(configuration, workspace)
    pred_images(folders("one", keep=keep), run)
    with pytest.raises(SettingsMismatchError, match=r"dataset_arguments: was .*one'.*, now .*other'"):
        pred_images(folders("other", keep=keep), run)
    pred_images(folders("other", keep=keep, overwrite=True), run)
    assert sorted(path.stem for path in workspace.path.rglob("*.h5")) == ["c", "d"]
    again = pred_images(folders("other", keep=keep), run)
    assert (again["predicted"], again["skipped"]) == (0, 2)


def test_images_that_left_the_folder_stand_in_nobodys_way(configuration, workspace, folders, tmp_path):
    run = Run(configuration, workspace)
    pred_images(folders("one"), run)
    (tmp_path / "one" / "a.png").unlink()
    again = pred_images(folders("one", overwrite=True), run)
    assert again["predicted"] == 1
    assert pred_images(folders("one"), run)["skipped"] == 1
    assert sorted(path.stem for path in workspace.path.rglob("*.h5")) == ["a", "b"]


@pytest.mark.parametrize("keep", ["logits", "nothing"])
def test_an_image_that_was_replaced_is_reported_and_predicted_again(
    configuration, workspace, folders, tmp_path, caplog, keep
):
    run, path = Run(configuration, workspace), tmp_path / "one" / "a.png"
    pred_images(folders("one", keep=keep), run)
    before = read_prediction(workspace, "colour", "images", "a")
    os.utime(path, ns=(1, 1))  # touched, or copied, but the same
    assert pred_images(folders("one", keep=keep), run)["skipped"] == 2
    image = np.asarray(Image.open(path))
    Image.fromarray(255 - image).save(path)
    with pytest.raises(StoreError, match=r"a\.png was replaced after its prediction"):
        read_prediction(workspace, "colour", "images", "a")
    caplog.clear()
    again = pred_images(folders("one", keep=keep), run)
    assert (again["predicted"], again["skipped"]) == (1, 1)
    assert "was replaced after its prediction" in caplog.text
    after = read_prediction(workspace, "colour", "images", "a")
    assert (before.prediction != after.prediction).any()


def test_metrics_of_an_image_that_was_replaced_are_not_computed(configuration, workspace, folders, tmp_path):
    run, path = Run(configuration, workspace), tmp_path / "one" / "b.png"
    pred_images(folders("one"), run)
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises((PartialFailure, StoreError), match=r"b\.png was replaced after its prediction"):
        compute_metrics(
            from_mapping(
                MetricsSettings, {"dataset": "images", "model_name": "colour", "root": str(path.parent)}
            ),
            run,
        )


def test_features_see_an_image_as_the_segmentation_network_saw_it(
    configuration, workspace, tmp_path, monkeypatch
):
    """And are not taken from what was kept of the image as it is."""
    from oodretrieval.stages.measure.segment_features import SegmentFeatures

    shown = []

    class Watching(torch.nn.Module):
        channels = (4, 8)

        def forward(self, batch):
            shown.append(tuple(batch.shape[2:]))
            return [torch.ones(1, 4, 4, 4), torch.ones(1, 8, 2, 2)]

    monkeypatch.setattr(SegmentFeatures, "network", Watching())
    for size, seen in ((None, (72, 96)), ((36, 48), (36, 48))):
        run = Run(trained_at(configuration, size), Workspace(tmp_path / str(size)))
        pred_images(from_mapping(PredictSettings, {**NAMES, "limit": 1}), run)
        compute_metrics(MetricsSettings(dataset="val", model_name="colour"), run)
        work = run.stored("colour", "val")
        table = read_segments(run.workspace, "colour", "val")
        vectors, failures = SegmentFeatures("tf_efficientnet_lite0", choose_device(-1)).of(work, table)
        assert (shown.pop(), failures, len(vectors.deep)) == (seen, {}, len(table))


def test_a_network_without_weights_is_said_to_be_one(configuration, workspace, caplog):
    pred_images(from_mapping(PredictSettings, {**NAMES, "limit": 1}), Run(configuration, workspace))
    assert "'colour' names no weights: the network is used as its class builds it" in caplog.text
