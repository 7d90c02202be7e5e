"""The law of what failed and was mended: tried again, a stage leaves what an undisturbed run leaves."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from fault_stages import with_trained_network
from steps import CPU, NETWORK, embed_settings
from workspace_contents import contents

from oodretrieval.errors import PartialFailure
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import changed, from_mapping
from oodretrieval.stages.measure.compute_metrics import compute_metrics
from oodretrieval.stages.measure.settings import MetricsSettings
from oodretrieval.stages.predict.pred_images import pred_images
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stages.select.compute_embeddings import compute_embeddings
from oodretrieval.stages.train.settings import TrainSegmentationSettings
from oodretrieval.stages.train.train_segmentation import train_segmentation
from oodretrieval.stores import FAILURES, Stored, Workspace, read_failures

VAL = Stored("colour", "val")
FAILING = ("0016E5_00000", "0016E5_00300")
TRAIN = {"dataset": "train", "dataset_val": "val", "model_name": "trained", **CPU, "batch_size": 2}
TRAIN |= {"crop_height": 32, "crop_width": 48, "epochs": 2, "learning_rate": 0.05}
OBJECTS = {"select_by": "novelty", "iou_threshold": 0.5, "candidates": "objects", "select_quantile": 0.5}
STAGES = {
    "pred_images": (pred_images, from_mapping(PredictSettings, {"dataset": "val", **NETWORK, **CPU})),
    "pred_images keep=nothing": (
        pred_images,
        from_mapping(PredictSettings, {"dataset": "val", **NETWORK, **CPU, "keep": "nothing"}),
    ),
    "compute_metrics": (compute_metrics, from_mapping(MetricsSettings, {"dataset": "val", **NETWORK})),
    "compute_embeddings": (compute_embeddings, embed_settings()),
    "compute_embeddings objects": (
        compute_embeddings,
        embed_settings(**OBJECTS, min_height=2, min_width=2),
    ),
    "train_segmentation": (train_segmentation, from_mapping(TrainSegmentationSettings, TRAIN)),
}


def folder_of(name, workspace):
    """Where a stage leaves its results, and the list of what failed."""
    return {
        "pred_images": workspace.prediction_folder(VAL),
        "compute_metrics": workspace.segments_folder(VAL),
        "compute_embeddings": workspace.catalogue_folder("val"),
        "train_segmentation": workspace.training_folder / "trained",
    }[name.split()[0]]


def left(workspace):
    """What it holds, weights but for the path that they were saved to."""
    return {
        name: content
        for name, content in contents(workspace).items()
        if not name.endswith((".pt", FAILURES)) and "/features/" not in name
    }


def same(one, other):
    assert one.keys() == other.keys()
    for name, content in one.items():
        if name.endswith(": vectors"):  # in other batches
            pairs = (np.frombuffer(values, np.float32) for values in (content, other[name]))
            np.testing.assert_allclose(*pairs, rtol=1e-4, atol=1e-4)
        else:
            assert content == other[name], name


@pytest.fixture
def damage(tmp_path):
    """Cuts files off; what it returns mends them, as the end of the test does."""
    away = {}

    def mend():
        for path, whole in away.items():
            whole.rename(path)
        away.clear()

    def cut(paths):
        for number, path in enumerate(paths):
            away[path] = path.rename(tmp_path / f"away {number}")
            path.write_bytes(away[path].read_bytes()[:300])
        return mend

    yield cut
    mend()


@pytest.mark.slow
@pytest.mark.parametrize("name", STAGES)
def test_what_was_mended_is_as_if_it_had_never_failed(configuration, fitted, camvid, tmp_path, damage, name):
    stage, settings = STAGES[name]
    if name.startswith("pred_images"):
        shutil.rmtree(fitted.path)
        fitted.path.mkdir()
    shutil.rmtree(folder_of(name, fitted), ignore_errors=True)
    other = Workspace(shutil.copytree(fitted.path, tmp_path / "other"))

    def do(workspace, **options):
        entries = with_trained_network(replace(configuration, workspace=workspace.path))
        return stage(changed(settings, options), Run(entries, workspace))

    do(other)
    mend = damage(
        [fitted.prediction_path(VAL, image) for image in FAILING]
        if name == "compute_metrics"
        else sorted((camvid / "train").glob("*.png"))[:2]
        if name == "train_segmentation"
        else [camvid / "val" / f"{image}.png" for image in FAILING]
    )
    for options in ({}, {}, {"retry_failed": True}):
        with pytest.raises(PartialFailure, match=r"2 image\(s\) failed") as caught:
            do(fitted, **options)
        listed = read_failures(folder_of(name, fitted))
        assert [failure.image_id for failure in listed] == list(caught.value.failures)
    mend()
    do(fitted, retry_failed=True, **({"overwrite": True} if name == "train_segmentation" else {}))
    assert not (folder_of(name, fitted) / FAILURES).exists()
    same(left(fitted), left(other))
