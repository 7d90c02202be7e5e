"""Predictions of others with pixels of no class (255), through every stage that reads them."""

import shutil

import h5py
import numpy as np
import pytest

from oodretrieval.datasets import open_dataset
from oodretrieval.experiment.device import choose_device
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.stages.evaluate.eval_iou import eval_iou
from oodretrieval.stages.evaluate.meta.eval_meta import EvalMetaSettings, eval_meta
from oodretrieval.stages.evaluate.ood.eval_ood import eval_ood
from oodretrieval.stages.evaluate.ood.settings import OodSettings
from oodretrieval.stages.evaluate.selection.eval_selection import eval_selection
from oodretrieval.stages.evaluate.selection.settings import SelectionSettings
from oodretrieval.stages.evaluate.settings import IouSettings
from oodretrieval.stages.fit.settings import TrainMetaSettings, TrainNoveltySettings
from oodretrieval.stages.fit.train_meta_nn import train_meta_nn
from oodretrieval.stages.fit.train_novelty import train_novelty
from oodretrieval.stages.measure.compute_metrics import compute_metrics
from oodretrieval.stages.measure.settings import MetricsSettings
from oodretrieval.stages.predict.pred_images import pred_images
from oodretrieval.stages.predict.segmenter import Segmenter
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stages.select.compute_embeddings import EmbedSettings, compute_embeddings
from oodretrieval.stores import Catalogue, Workspace, read_prediction, read_segments

MASKED = np.s_[56:, 10:80]
"""In the middle of the road, as the bonnet of one's own car."""
CPU = {"gpu": -1}
VAL = {"dataset": "val", "model_name": "colour"}


@pytest.fixture(scope="module")
def made(configuration_in, tmp_path_factory):
    """Configuration and workspace of train and val, both from published files with masked predictions."""
    folder = tmp_path_factory.mktemp("masked")
    configuration = configuration_in(folder)
    workspace, plain = Workspace(configuration.workspace), Workspace(folder / "plain")
    network = Segmenter(configuration.model("colour"), choose_device(-1))
    for name in ("train", "val"):
        source = folder / name
        source.mkdir()
        for number, sample in enumerate(open_dataset(configuration.datasets[name])):
            softmax = network(sample, None).probabilities()
            prediction = softmax.argmax(axis=2)
            prediction[MASKED] = 255
            with h5py.File(source / f"input{number}.hdf5", "w") as file:
                file["probabilities"], file["prediction"] = softmax, prediction
                file["image_path"] = [sample.path.encode()]
        settings = PredictSettings(dataset=name, model_name="colour", source=str(source), keep="softmax")
        pred_images(settings, Run(configuration, workspace))
        compute_metrics(MetricsSettings(dataset=name, model_name="colour"), Run(configuration, workspace))
    settings = {"dataset": "train", "dataset_val": "val", "model_name": "colour", "meta_model_name": "linear"}
    train_meta_nn(from_mapping(TrainMetaSettings, {**settings, **CPU}), Run(configuration, workspace))
    # The features of novelty are of the image alone; its model wants logits, which published files lack.
    pred_images(
        from_mapping(PredictSettings, {"dataset": "train", "model_name": "colour", **CPU}),
        Run(configuration, plain),
    )
    compute_metrics(MetricsSettings(dataset="train", model_name="colour"), Run(configuration, plain))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("oodretrieval.novelty.neighbours.LEAST_COMPARED", 20)  # these six images have 27
        train_novelty(
            from_mapping(TrainNoveltySettings, {"dataset": "train", "model_name": "colour", **CPU}),
            Run(configuration, plain),
        )
    target = workspace.novelty_model_path("colour")
    target.parent.mkdir(exist_ok=True)
    shutil.copy(plain.novelty_model_path("colour"), target)
    return configuration, workspace


def test_a_masked_pixel_counts_as_missed_in_the_iou(made, tmp_path):
    configuration, workspace = made
    settings = from_mapping(
        IouSettings, {**VAL, "meta_model_name": "linear", "repetitions": 20, "save_dir": str(tmp_path)}
    )
    measures = eval_iou(settings, Run(configuration, workspace))
    truths, predictions = [], []
    for image in open_dataset(configuration.datasets["val"]).ids:
        one = read_prediction(workspace, "colour", "val", image)
        truths.append(one.truth())
        predictions.append(one.prediction)
    truth, prediction = np.stack(truths), np.stack(predictions)
    assert ((truth == 3) & (prediction == 255)).sum() > 1000
    for name, k in (("road", 3), ("sky", 0)):
        counted = truth != 255
        hit = ((truth == k) & (prediction == k)).sum()
        union = (((truth == k) | (prediction == k)) & counted).sum()
        assert measures["iou"][name] == pytest.approx(hit / union)
    assert measures["pixel_accuracy"] == pytest.approx((truth == prediction)[truth != 255].mean())
    curves = measures["curves"]
    assert curves["above"][0] == pytest.approx(measures["mean_iou"])  # all pixels are above 0
    assert curves["share_above"][1] < 1  # those of no segment are not


def test_no_segment_of_the_selection_lies_on_masked_pixels(made, tmp_path):
    configuration, workspace = made
    table = read_segments(workspace, "colour", "val")
    settings = from_mapping(SelectionSettings, {
        **VAL, "meta_model_name": "linear", "select_by": "entropy", "select_number": 20, "min_pixels": 4,
        "min_height": 4,
        "min_width": 4, "repetitions": 20, "save_dir": str(tmp_path), **CPU,
    })  # fmt: skip
    measures = eval_selection(settings, Run(configuration, workspace))
    assert measures["selected"] == 20
    assert "nearest neighbour" in measures["orders"]
    for image, rows in table.groupby("image_id"):
        components = read_prediction(workspace, "colour", "val", image).components()
        assert not components[MASKED].any()
        assert np.bincount(components.ravel())[1:].tolist() == rows["S"].tolist()


def test_scores_of_masked_pixels(made, tmp_path):
    settings = from_mapping(
        OodSettings,
        {**VAL, "meta_model_name": "linear", "repetitions": 20, "pictures": 1, "save_dir": str(tmp_path)},
    )
    measures = eval_ood(settings, Run(*made))
    assert {"max_softmax", "entropy", "expected_iou"} == set(measures["scores"])


def test_embedding_by_nearest_neighbour(made):
    configuration, workspace = made
    settings = from_mapping(EmbedSettings, {
        "dataset": ("val",), "model_name": "colour", "meta_model_name": "linear", "select_by": "nearest_neighbour",
        "select_number": 15, "min_height": 4, "min_width": 4, "min_crop_height": 32, "min_crop_width": 32, **CPU,
    })  # fmt: skip
    assert compute_embeddings(settings, Run(configuration, workspace))["segments"] == 15
    segments = Catalogue.open(workspace.catalogue_folder("val")).segments
    assert np.isfinite(segments["select_score"]).all()


@pytest.mark.slow
def test_pictures_of_the_meta_model(made, tmp_path):
    settings = from_mapping(
        EvalMetaSettings,
        {
            **VAL,
            "dataset_train": "train",
            "meta_model_name": "linear",
            "pictures": 1,
            "repetitions": 20,
            "save_dir": str(tmp_path),
        },
    )
    assert list(tmp_path.iterdir()) == []
    eval_meta(settings, Run(*made))
    assert any("rating" in path.name for path in tmp_path.iterdir())
