"""The analysis of trained meta models on the miniature."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from steps import predict_and_measure, train_linear

from oodretrieval.charts.meta_models import path_figure, rating_figure
from oodretrieval.errors import TableError, UnknownNameError, WeightsError
from oodretrieval.evaluation import r2
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.meta_models import load_meta_model, training_rows
from oodretrieval.stages.evaluate.meta.eval_meta import EvalMetaSettings, eval_meta
from oodretrieval.stores import Workspace, read_segments

IMAGE = "0016E5_00300"


@pytest.fixture(scope="module")
def trained(configuration_in, grown, measured_once):
    """Configuration of a workspace in which meta models of two kinds are trained."""

    def step(run):
        predict_and_measure(run, "images")
        for kind in ("logistic", "boosting"):
            train_linear(run, meta_model_name="", meta_model=kind, repetitions=5)

    return configuration_in(grown(measured_once, step).path.parent)


def analyse(configuration, **options):
    settings = {
        "dataset": "val",
        "dataset_train": "train",
        "model_name": "colour",
        "meta_model_name": "logistic",
    }
    settings |= {"pictures": 0, "permutations": 1, "repetitions": 10, "block": 2}
    return eval_meta(
        from_mapping(EvalMetaSettings, {**settings, **options}),
        Run(configuration, Workspace(configuration.workspace)),
    )


def test_measures_tables_and_pictures(trained, tmp_path):
    result = analyse(trained, others=("boosting",), images=(IMAGE,), save_dir=str(tmp_path))
    workspace = Workspace(trained.workspace)
    table = read_segments(workspace, "colour", "val")
    known = training_rows(table)
    models = {
        "logistic": load_meta_model(workspace.meta_model_path("logistic")),
        "boosting": load_meta_model(workspace.meta_model_path("boosting", ".skops")),
    }
    measures = result["figures"]["known segments"]
    assert list(measures) == ["logistic", "boosting"]
    for name, model in models.items():
        assert measures[name]["r2"] == pytest.approx(r2(known["iou"], model.predict(known)))
        right = (model.predict_positive(known) >= model.quality["threshold"]) == (known["iou"] > 0)
        assert measures[name]["accuracy"] == pytest.approx(right.mean())
    assert measures["boosting"]["r2_gain"] == pytest.approx(
        measures["boosting"]["r2"] - measures["logistic"]["r2"]
    )
    assert measures["logistic"]["r2_gain"] == 0
    for name, values in result["features"].items():
        expected = known[name].corr(known["iou"]) if known[name].std() > 1e-9 else 0.0
        assert values["correlation with IoU"] == pytest.approx(expected, abs=1e-6)
    assert all(values["loss of R² without it"] == 0 for name, values in result["features"].items()
               if name not in models["logistic"].survivors)  # fmt: skip
    content = json.loads((tmp_path / "meta_analysis_logistic_colour_val.json").read_text(encoding="utf-8"))
    assert set(content["pictures"]) == {
        *("correlations", "importance", "lasso path", "roc", "predicted over true", f"rating of {IMAGE}")
    }
    for file in content["pictures"].values():
        picture = np.asarray(Image.open(tmp_path / file).convert("L"))
        assert min(picture.shape) > 150 and picture.std() > 10
    metrics = pd.read_csv(tmp_path / content["tables"]["metrics"], index_col="metric")
    assert len(metrics) == len(result["features"])


@pytest.fixture
def undrawn(monkeypatch):
    """Charts are not painted, which takes seconds."""
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda figure, path, **options: path.touch())


def test_the_first_images_where_none_is_named(trained, tmp_path, undrawn):
    result = analyse(trained, pictures=2, save_dir=str(tmp_path))
    ratings = [Path(file).stem for file in result["files"] if "rating" in file]
    assert [name[-12:] for name in ratings] == ["0016E5_00000", "0016E5_00100"]


def test_a_model_without_classifier_is_evaluated_by_its_predicted_iou(
    trained, tmp_path, make_published, undrawn
):
    configuration = make_published(trained, tmp_path)
    result = analyse(configuration, meta_model_name="published", save_dir=str(tmp_path))
    assert 0 <= result["figures"]["known segments"]["published"]["auroc"] <= 1


@pytest.fixture
def make_published():
    """A configuration in which one meta model comes from a file without a classifier."""
    from safetensors import safe_open
    from safetensors.numpy import save_file

    def make(configuration, folder):
        shutil.copytree(configuration.workspace, folder / "workspace")
        workspace = Workspace(folder / "workspace")
        with safe_open(workspace.meta_model_path("logistic"), "numpy") as file:
            arrays = {k: file.get_tensor(k) for k in file.keys() if not k.startswith("positive")}  # noqa: SIM118
            description = {k: text for k, text in file.metadata().items() if k != "checksum"}
            save_file(arrays, workspace.meta_model_path("published"), description)
        return replace(configuration, workspace=folder / "workspace")

    return make


def test_errors(trained, tmp_path, undrawn):
    with pytest.raises(WeightsError, match="train_meta_nn"):
        analyse(trained, meta_model_name="linear")
    with pytest.raises(UnknownNameError, match=r"unknown meta model 'boostin'; did you mean 'boosting'"):
        analyse(trained, others=("boostin",))
    with pytest.raises(TableError, match="'images' has no truth"):
        analyse(trained, dataset="images")
    with pytest.raises(UnknownNameError, match=r"unknown image of val '0016E5_00301'; did you mean"):
        analyse(trained, images=("0016E5_00301",), save_dir=str(tmp_path))


def test_rating_shows_the_values_of_the_segments():
    prediction = np.array([[0, 0, 1], [0, 1, 1]])
    predicted = np.where(prediction == 0, 0.25, 1.0)
    true = np.where(prediction == 0, 0.0, np.nan)
    mapping = {0: ("road", (128, 0, 0)), 1: ("car", (0, 0, 255))}
    figure = rating_figure(true, predicted, (prediction, mapping), (prediction, mapping), "image 1")
    panels = {axes.get_title(): axes for axes in figure.axes if axes.get_title()}
    assert list(panels) == ["true IoU", "predicted IoU", "truth", "predicted classes"]
    assert np.array_equal(panels["predicted IoU"].images[0].get_array(), predicted)
    assert np.isnan(np.ma.filled(panels["true IoU"].images[0].get_array(), np.nan)).sum() == 3
    assert panels["true IoU"].images[0].get_clim() == (0, 1)
    assert panels["truth"].images[0].get_array()[0, 0].tolist() == [128, 0, 0]
    legend = [text.get_text() for text in panels["predicted classes"].get_legend().get_texts()]
    assert legend == ["road", "car"]
    without = rating_figure(None, predicted, None, (prediction, mapping), "image 1")
    assert {axes.get_title() for axes in without.axes} >= {
        "true IoU: no truth at hand",
        "truth: none at hand",
    }


def test_path_names_what_enters_first_and_counts_what_is_left():
    penalties = np.array([1.0, 0.1, 0.01])
    weights = np.array([[0.0, 0.0, 0.0], [0.0, 0.5, 0.0], [0.1, 0.7, 0.0]])
    figure = path_figure(["E", "D", "S"], penalties, weights, 0.1, "path")
    legend = [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    assert legend == ["D", "E", "S", "chosen by held-out images"]
    above = figure.axes[0].child_axes[0]
    assert [text.get_text() for text in above.get_xticklabels()] == ["0", "1", "2"]


@pytest.mark.slow
def test_of_many_segments_some_are_shuffled_and_all_correlated(trained, tmp_path, monkeypatch):
    whole = analyse(trained, save_dir=str(tmp_path / "whole"), permutations=2)
    for module in ("analysed", "eval_meta"):
        monkeypatch.setattr(f"oodretrieval.stages.evaluate.meta.{module}.IMPORTANCE_SEGMENTS", 20)
    some = analyse(trained, save_dir=str(tmp_path / "some"), permutations=2)
    assert str(some["figures"]) == str(whole["figures"])  # undefined ends are NaN, which equals nothing
    for name, values in whole["features"].items():
        assert some["features"][name]["correlation with IoU"] == values["correlation with IoU"]
    losses = [{name: v["loss of R² without it"] for name, v in r["features"].items()} for r in (whole, some)]
    assert losses[0] != losses[1]
    notes = [
        json.loads(next(tmp_path.glob(f"{name}/*.json")).read_text())["notes"] for name in ("whole", "some")
    ]
    assert [any("is measured on 20 of the" in note for note in those) for those in notes] == [False, True]
