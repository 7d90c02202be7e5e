"""Labels that only distinguish known from unknown things, through the stages, by a network of any classes."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from oodretrieval.datasets import open_dataset
from oodretrieval.entries import DatasetEntry
from oodretrieval.errors import DatasetError, TableError
from oodretrieval.experiment.predicted_classes import predicted_classes
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.stages.evaluate.eval_iou import eval_iou
from oodretrieval.stages.evaluate.eval_segmentation import eval_segmentation
from oodretrieval.stages.evaluate.meta.eval_meta import EvalMetaSettings, eval_meta
from oodretrieval.stages.evaluate.ood.eval_ood import eval_ood
from oodretrieval.stages.evaluate.ood.settings import OodSettings
from oodretrieval.stages.evaluate.selection.eval_selection import eval_selection
from oodretrieval.stages.evaluate.selection.settings import SelectionSettings
from oodretrieval.stages.evaluate.settings import IouSettings, SegmentationSettings
from oodretrieval.stages.fit.compute_logit_statistics import compute_logit_statistics
from oodretrieval.stages.fit.settings import LogitStatisticsSettings, TrainMetaSettings
from oodretrieval.stages.fit.train_meta_nn import train_meta_nn
from oodretrieval.stages.measure.compute_metrics import compute_metrics
from oodretrieval.stages.measure.settings import MetricsSettings
from oodretrieval.stages.predict.pred_images import pred_images
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stages.train.settings import TrainSegmentationSettings
from oodretrieval.stages.train.train_segmentation import train_segmentation
from oodretrieval.stores import read_segments

PEDESTRIAN = 9
NAMES = {"model_name": "colour"}
CPU = {"gpu": -1, "num_cores": 0}


@pytest.fixture
def run(configuration, workspace, camvid, tmp_path):
    """The validation images once more: their pedestrians unknown, all else known."""
    root = tmp_path / "anomalies"
    (root / "labels").mkdir(parents=True)
    (root / "images").symlink_to(camvid / "val")
    for path in (camvid / "valannot").glob("*.png"):
        labels = np.array(Image.open(path)) == PEDESTRIAN
        Image.fromarray(labels.astype(np.uint8)).save(root / "labels" / path.name)
    entry = DatasetEntry("oodretrieval.datasets.anomalies", "AnomalySet", {"root": str(root)})
    return Run(replace(configuration, datasets={**configuration.datasets, "binary": entry}), workspace)


@pytest.mark.slow
def test_unknown_things_are_found_as_with_labels_of_classes(run):
    train_on = {"dataset": "train", **NAMES, **CPU}
    for name in ("train", "val", "binary"):
        pred_images(from_mapping(PredictSettings, {"dataset": name, **NAMES, **CPU}), run)
        compute_metrics(from_mapping(MetricsSettings, {"dataset": name, **NAMES, **CPU}), run)
    train_meta_nn(
        from_mapping(TrainMetaSettings, {**train_on, "dataset_val": "val", "meta_model_name": "linear"}), run
    )
    tables = {name: read_segments(run.workspace, "colour", name) for name in ("val", "binary")}
    same = ["segment_id", "class", "E", "unknown_fraction", "void_fraction"]
    assert tables["binary"][same].equals(tables["val"][same])
    assert (tables["binary"]["iou"] == -1).all() and (tables["val"]["iou"] >= 0).all()
    assert (tables["binary"]["label"] == (tables["val"]["label"] == PEDESTRIAN)).all()
    found, pixels = {}, {}
    for name in tables:
        rule = {
            "select_by": "predicted_iou",
            "min_pixels": 20,
            "min_height": 8,
            "min_width": 8,
            "repetitions": 5,
            "block": 1,
        }
        settings = from_mapping(
            SelectionSettings, {"dataset": name, **NAMES, **CPU, "meta_model_name": "linear", **rule}
        )
        found[name] = eval_selection(settings, run)
        settings = from_mapping(
            OodSettings,
            {
                "dataset": name,
                **NAMES,
                **CPU,
                "scores": ("entropy",),
                "pictures": 0,
                "repetitions": 5,
                "block": 1,
            },
        )
        pixels[name] = eval_ood(settings, run)["scores"]
    assert found["binary"]["objects"] == found["val"]["objects"] > 0
    assert (
        found["binary"]["orders"]["predicted IoU"]["auprc"]
        == found["val"]["orders"]["predicted IoU"]["auprc"]
    )
    # as text, where an interval that is not a number equals itself
    assert json.dumps(pixels["binary"]) == json.dumps(pixels["val"])


def test_the_network_says_what_its_classes_are(run):
    dataset = open_dataset(run.configuration.dataset("binary"))
    classes = predicted_classes(run.configuration.model("colour"), dataset, 9)
    assert [classes[i][0] for i in range(9)] == [f"class {i}" for i in range(9)]


@pytest.mark.parametrize(
    ("stage", "settings"),
    [
        (eval_iou, IouSettings),
        (eval_segmentation, SegmentationSettings),
        (compute_logit_statistics, LogitStatisticsSettings),
        (eval_meta, EvalMetaSettings),
    ],
)
def test_what_needs_classes_is_refused(stage, settings, run):
    with pytest.raises(TableError, match="'binary' has no truth of classes"):
        stage(settings(dataset="binary", **NAMES), run)


def test_nothing_is_trained_on_it(run, tmp_path):
    pred_images(from_mapping(PredictSettings, {"dataset": "binary", **NAMES, **CPU}), run)
    compute_metrics(from_mapping(MetricsSettings, {"dataset": "binary", **NAMES, **CPU}), run)
    with pytest.raises(TableError, match="truth"):
        train_meta_nn(
            from_mapping(TrainMetaSettings, {"dataset": "binary", **NAMES, "meta_model_name": "linear"}), run
        )
    settings = from_mapping(
        TrainSegmentationSettings,
        {
            "dataset": "binary",
            "dataset_val": "binary",
            **NAMES,
            **CPU,
            "save_file": str(tmp_path / "net.safetensors"),
        },
    )
    with pytest.raises(DatasetError, match="teach no classes"):
        train_segmentation(settings, run)
