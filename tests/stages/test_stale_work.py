"""Work that was made of other predictions than there are is refused, or reported, by everything that reads it."""

import shutil

import numpy as np
import pytest
import torch
from steps import predict_and_measure, train_linear

from oodretrieval.errors import SettingsMismatchError, StoreError
from oodretrieval.experiment.device import choose_device
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import CommonSettings, from_mapping
from oodretrieval.stages.evaluate.eval_iou import eval_iou
from oodretrieval.stages.evaluate.eval_segmentation import eval_segmentation
from oodretrieval.stages.evaluate.meta.eval_meta import EvalMetaSettings, eval_meta
from oodretrieval.stages.evaluate.ood.eval_ood import eval_ood
from oodretrieval.stages.evaluate.ood.settings import OodSettings
from oodretrieval.stages.evaluate.selection.eval_selection import eval_selection
from oodretrieval.stages.evaluate.selection.settings import SelectionSettings
from oodretrieval.stages.evaluate.settings import IouSettings, SegmentationSettings
from oodretrieval.stages.fit.compute_logit_statistics import compute_logit_statistics
from oodretrieval.stages.fit.settings import LogitStatisticsSettings, TrainMetaSettings, TrainNoveltySettings
from oodretrieval.stages.fit.train_meta_nn import train_meta_nn
from oodretrieval.stages.fit.train_novelty import train_novelty
from oodretrieval.stages.measure.compute_metrics import compute_metrics
from oodretrieval.stages.measure.segment_features import SegmentFeatures
from oodretrieval.stages.measure.settings import MetricsSettings
from oodretrieval.stages.predict.pred_images import pred_images
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stages.report.report import report
from oodretrieval.stages.report.settings import ReportSettings
from oodretrieval.stages.select.compute_embeddings import compute_embeddings
from oodretrieval.stages.select.settings import EmbedSettings
from oodretrieval.stores import Stored, lock_folder

NET = {"model_name": "colour", "gpu": -1}
VAL = {"dataset": "val", **NET}
META = {**VAL, "meta_model_name": "linear"}
FEW = {"repetitions": 3}
ENTROPY = {"select_by": "entropy", "select_number": 9}

READERS = {
    "eval_selection": (
        eval_selection,
        from_mapping(SelectionSettings, {**META, **FEW, **ENTROPY, "min_pixels": 40}),
    ),
    "eval_meta": (eval_meta, from_mapping(EvalMetaSettings, {**META, **FEW, "pictures": 0})),
    "eval_iou": (eval_iou, from_mapping(IouSettings, {**META, **FEW})),
    "eval_ood": (eval_ood, from_mapping(OodSettings, {**META, **FEW, "pictures": 0})),
    "report": (report, from_mapping(ReportSettings, {**META})),
    "compute_embeddings": (
        compute_embeddings,
        from_mapping(
            EmbedSettings, {**META, "dataset": ("val",), **ENTROPY, "min_height": 4, "min_width": 4}
        ),
    ),
    "train_meta_nn": (
        train_meta_nn,
        from_mapping(TrainMetaSettings, {**META, "folds": 2, "overwrite": True}),
    ),
    "train_novelty": (train_novelty, from_mapping(TrainNoveltySettings, {**VAL, "overwrite": True})),
}
OF_PREDICTIONS = {
    "eval_segmentation": (eval_segmentation, from_mapping(SegmentationSettings, {**VAL})),
    "eval_iou": (eval_iou, from_mapping(IouSettings, {**VAL, **FEW})),
    "eval_ood": (eval_ood, from_mapping(OodSettings, {**VAL, **FEW, "pictures": 0, "scores": ("entropy",)})),
    "compute_logit_statistics": (compute_logit_statistics, from_mapping(LogitStatisticsSettings, {**VAL})),
    "compute_metrics": (compute_metrics, MetricsSettings(dataset="val", model_name="colour")),
}


def predict(configuration, workspace, measure=True, **options):
    pred_images(
        from_mapping(PredictSettings, {**VAL, "num_cores": 0, **options}), Run(configuration, workspace)
    )
    if measure:
        again = {k: v for k, v in options.items() if k in ("overwrite", "limit")}
        compute_metrics(
            from_mapping(MetricsSettings, {"dataset": "val", "model_name": "colour", **again}),
            Run(configuration, workspace),
        )


@pytest.fixture(scope="module")
def once(grown):
    """``val`` predicted and measured, and a meta model fitted on it; not to be written to."""

    def step(run):
        predict_and_measure(run, "val")
        train_linear(run, dataset="val", dataset_val="", groups="image")

    return grown(None, step)


@pytest.fixture
def fitted(once, workspace):
    shutil.copytree(once.path, workspace.path)
    return workspace


@pytest.mark.parametrize("name", READERS)
def test_a_table_of_other_predictions_is_refused(configuration, fitted, name):
    stage, settings = READERS[name]
    predict(configuration, fitted, measure=False, flip=True, scales=(0.5,), overwrite=True)
    with pytest.raises(
        SettingsMismatchError, match=r"flip: was not set, now True; scales.*compute_metrics.py"
    ):
        stage(settings, Run(configuration, fitted))


@pytest.mark.parametrize("name", OF_PREDICTIONS)
def test_predictions_of_two_kinds_are_not_put_together(configuration, fitted, name):
    stage, settings = OF_PREDICTIONS[name]
    predict(configuration, fitted, measure=False, flip=True, limit=2, overwrite=True)
    with pytest.raises(
        StoreError, match="were not made alike: .* differ in flip: True and not set.*pred_images"
    ):
        stage(settings, Run(configuration, fitted))


def test_a_model_fitted_on_other_inference_is_reported(configuration, fitted, caplog):
    stage, settings = READERS["eval_selection"]
    stage(settings, Run(configuration, fitted))
    assert "may be off" not in caplog.text
    predict(configuration, fitted, flip=True, overwrite=True)
    stage(settings, Run(configuration, fitted))
    assert "the meta model was fitted on" in caplog.text
    assert "(flip: not set, here True); what it says of them may be off" in caplog.text


@pytest.mark.parametrize("change", ["images", "inference"])
def test_trained_already_means_on_these_images(configuration, workspace, camvid, tmp_path, change, caplog):
    caplog.set_level("INFO")
    root = tmp_path / "copy"
    shutil.copytree(camvid, root)
    away = [root / folder / "0016E5_00500.png" for folder in ("val", "valannot")]
    for path in away:
        path.rename(tmp_path / path.parent.name)
    at = {"root": str(root)}
    learn = from_mapping(TrainMetaSettings, {**META, **at, "dataset_val": "", "groups": "image"})
    statistics = from_mapping(LogitStatisticsSettings, {**VAL, **at})
    fits = (train_meta_nn, learn), (compute_logit_statistics, statistics)

    def measure(**options):
        pred_images(
            from_mapping(PredictSettings, {**VAL, **at, "num_cores": 0, **options}),
            Run(configuration, workspace),
        )
        settings = from_mapping(
            MetricsSettings, {"dataset": "val", "model_name": "colour", **at, "overwrite": True}
        )
        compute_metrics(settings, Run(configuration, workspace))

    measure()
    for stage, settings in fits:
        stage(settings, Run(configuration, workspace))
        stage(settings, Run(configuration, workspace))
    assert "trained already" in caplog.text and "there already" in caplog.text
    if change == "images":
        for path in away:
            (tmp_path / path.parent.name).rename(path)
        measure()
        said = r"images: was '5 images, predictions \w+', now '6 images.*overwrite=True"
    else:
        measure(flip=True, overwrite=True)
        said = r"inference: was \{\}, now \{'flip': True\}.*overwrite=True"
    for stage, settings in fits:
        with pytest.raises(SettingsMismatchError, match=said):
            stage(settings, Run(configuration, workspace))


def test_features_are_written_in_peace(configuration, fitted):
    """Whoever locks the table leaves alone what another process writes below it."""
    train_novelty(from_mapping(TrainNoveltySettings, {**VAL}), Run(configuration, fitted))
    folder = fitted.segments_folder(Stored("colour", "val"))
    features = folder / "features" / "tf_efficientnet_lite0"
    assert len(list(features.glob("*.safetensors"))) == 6
    half = features / ".tmp-0123456789ab.safetensors"
    with lock_folder(features):
        half.write_bytes(b"half")
        with lock_folder(folder):
            assert half.exists()
    with lock_folder(features):
        assert not half.exists()


def test_only_features_of_what_was_predicted_again_are_computed(configuration, fitted, monkeypatch):
    seen = []

    class Watching(torch.nn.Module):
        channels = (3, 3)

        def forward(self, batch):
            seen.append(1)
            return [batch, torch.nn.functional.avg_pool2d(batch, 8)]

    monkeypatch.setattr(SegmentFeatures, "network", Watching())

    def features(**options):
        settings = from_mapping(CommonSettings, {**options})
        work = Run(configuration, fitted).stored("colour", "val", settings)
        table = work.table()
        vectors, failures = SegmentFeatures("tf_efficientnet_lite0", choose_device(-1)).of(work, table)
        assert not failures and len(vectors.deep) == len(table)
        return np.concatenate(vectors, axis=1)

    first = features(limit=4)
    assert len(seen) == 4
    every = features()
    assert len(seen) == 6
    np.testing.assert_array_equal(every[: len(first)], first)
    predict(configuration, fitted, flip=True, overwrite=True)
    features()
    assert len(seen) == 12


def test_features_that_cannot_be_kept_are_used_all_the_same(configuration, fitted, caplog, monkeypatch):
    def refuse(*_):
        raise StoreError("read-only")

    monkeypatch.setattr("oodretrieval.stages.measure.segment_features.write_features", refuse)
    train_novelty(from_mapping(TrainNoveltySettings, {**VAL}), Run(configuration, fitted))
    assert caplog.text.count("features are computed again next time: read-only") == 1


def test_measuring_and_predicting_do_not_write_a_table_at_once(configuration, workspace):
    folder = workspace.segments_folder(Stored("colour", "val"))
    with lock_folder(folder), pytest.raises(StoreError, match="segments/colour/val is in use by another run"):
        pred_images(from_mapping(PredictSettings, {**VAL, "keep": "nothing"}), Run(configuration, workspace))
