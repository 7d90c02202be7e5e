"""Training any meta model, and evaluating it on other images, by folds of images or by folds of clips."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from oodretrieval.clips import clip_names
from oodretrieval.entries import MetaModelEntry
from oodretrieval.errors import SettingsError, SettingsMismatchError, TableError
from oodretrieval.evaluation import r2
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.meta_models import (
    KINDS,
    LinearMetaModel,
    folds_of,
    held_out_rows,
    load_meta_model,
    training_rows,
)
from oodretrieval.results.rules import Resampling
from oodretrieval.stages.fit.chosen_segments import ChosenSegments
from oodretrieval.stages.fit.meta_evaluation import (
    Estimate,
    cross_validated,
    evaluate_estimates,
    resamples_of,
)
from oodretrieval.stages.fit.meta_recipe import Recipe
from oodretrieval.stages.fit.settings import TrainMetaSettings
from oodretrieval.stages.fit.train_meta_nn import train_meta_nn
from oodretrieval.stages.measure.compute_metrics import compute_metrics
from oodretrieval.stages.measure.settings import MetricsSettings
from oodretrieval.stores import Stored, Workspace, locate_segments, read_segments

MODELS = ["all features", "not strict", "entropy only", "size only", "mean"]
SETS = [f"{what} segments{which}" for what in ("known", "all") for which in ("", " with an inside")]


@pytest.fixture
def measured(configuration, measured_once):
    """Configuration of a workspace in which train and val are measured."""
    shutil.copytree(measured_once.path, configuration.workspace)
    return replace(configuration, defaults={"META_MODEL": "linear"})


def train(configuration, **options):
    settings = {
        "dataset": "train",
        "dataset_val": "val",
        "model_name": "colour",
        "repetitions": 20,
        "gpu": -1,
    }
    return train_meta_nn(
        from_mapping(TrainMetaSettings, {**settings, **options}),
        Run(configuration, Workspace(configuration.workspace)),
    )


def test_reports_variants_and_baselines_with_intervals(measured, caplog):
    caplog.set_level("INFO")
    result = train(measured)
    assert list(result["figures"]) == SETS
    for rows in result["figures"].values():
        assert list(rows) == MODELS
        for measures in rows.values():
            assert set(measures["intervals"]) == {"r2", "rmse", "auroc", "auprc", "accuracy"}
            for key, (low, high) in measures["intervals"].items():
                assert np.isnan(low) or low <= measures[key] <= high
                assert np.isnan(measures[key]) or 0 <= measures[key] <= 1 or key == "r2"
    known = result["figures"]["known segments"]
    assert known["all features"]["r2"] > known["mean"]["r2"]
    assert known["all features"]["segments"] < result["figures"]["all segments"]["all features"]["segments"]
    assert Path(result["path"]).name == "linear.safetensors", "META_MODEL of the configuration"
    content = json.loads(Path(result["files"][0]).read_text(encoding="utf-8"))
    assert "void or unknown left out of the training" in content["context"]["void_rule"]
    assert "one block of 20 holds all 6 images" in content["context"]["intervals"]
    assert content["notes"] == ["All images are frames of one clip: the measures are of one scene."]
    assert "entropy only" in caplog.text and "R² 95 %" in caplog.text


def test_the_images_are_those_that_were_evaluated(measured):
    """Six images in the dataset, of which two are measured."""
    workspace = Workspace(measured.workspace)
    shutil.rmtree(workspace.segments_folder(Stored("colour", "val")))
    compute_metrics(
        from_mapping(MetricsSettings, {"dataset": "val", "model_name": "colour", "limit": 2}),
        Run(measured, workspace),
    )
    content = json.loads(Path(train(measured, block=1)["files"][0]).read_text(encoding="utf-8"))
    assert content["context"]["images"] == 2
    content = json.loads(Path(train(measured, block=2)["files"][0]).read_text(encoding="utf-8"))
    assert content["context"]["intervals"].startswith("none, as one block of 2 holds all 2 images")


def test_a_model_is_not_evaluated_on_what_it_learned_from(measured, caplog):
    with pytest.raises(TableError, match=r"args\.dataset_val=train.*very images.*args\.folds=5"):
        train(measured, dataset_val="train")
    result = train(measured, dataset_val="train", limit=4)
    content = json.loads(Path(result["files"][0]).read_text(encoding="utf-8"))
    assert content["context"]["images"] == 2
    assert content["notes"][0].startswith(
        "4 of 6 images are left out: the meta model was fitted on them or on frames"
    )
    table = read_segments(Workspace(measured.workspace), "colour", "train")
    others = table[table["image_id"].isin(table["image_id"].unique()[4:])]
    assert result["figures"]["all segments"]["all features"]["segments"] == (others["iou"] >= 0).sum()
    record = load_meta_model(result["path"]).quality["fitted_on"]
    assert record["dataset"] == "train" and list(record["images"]) == list(table["image_id"].unique()[:4])


def test_measures_are_those_of_the_saved_model(measured):
    result = train(measured, block=1)
    model = load_meta_model(result["path"])
    table = read_segments(Workspace(measured.workspace), "colour", "val")
    known = training_rows(table)
    expected = r2(known["iou"], model.predict(known))
    assert result["figures"]["known segments"]["all features"]["r2"] == pytest.approx(expected, abs=1e-12)
    np.testing.assert_equal(model.quality["figures"], result["figures"])


def test_a_second_run_shows_the_measures_and_other_settings_are_a_conflict(measured, caplog):
    result = train(measured)
    caplog.set_level("INFO")
    caplog.clear()
    again = train(measured)
    np.testing.assert_equal(again, result)
    assert "is trained already" in caplog.text and "entropy only" in caplog.text
    with pytest.raises(SettingsMismatchError, match="strict: was True, now False"):
        train(measured, strict=False)
    with pytest.raises(SettingsMismatchError, match="features: was"):
        train(measured, features=("entropy",))
    changed = train(measured, strict=False, overwrite=True)
    assert list(changed["figures"]["all segments"])[:2] == ["all features", "strict"]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_trains_by_its_name(measured, kind):
    options = {"epochs": 2, "learning_rate": 0.01} if kind == "neural" else {}
    result = train(measured, meta_model=kind, features=("entropy", "S_in"), **options)
    assert Path(result["path"]).name == kind + KINDS[kind].suffix
    workspace = Workspace(measured.workspace)
    model = Run(measured, workspace).trained.meta_model(kind, "colour")
    assert type(model) is KINDS[kind]
    assert model.feature_names[-1] == "S_in" and len(model.feature_names) == 11
    assert 0 <= result["figures"]["all segments"]["all features"]["auroc"] <= 1


def test_a_kind_is_saved_under_any_name_and_found_by_it(measured):
    result = train(measured, meta_model="logistic", meta_model_name="mine")
    assert Path(result["path"]).name == "mine.safetensors"
    assert (
        Run(measured, Workspace(measured.workspace)).trained.meta_model("mine", "colour").kind == "logistic"
    )


def test_name_and_kind_must_not_contradict_each_other(measured):
    with pytest.raises(SettingsError, match="'meta_nn' is a NeuralMetaModel.*asks for a BoostedMetaModel"):
        train(measured, meta_model="boosting", meta_model_name="meta_nn")
    train(measured, meta_model="linear", meta_model_name="linear")
    with pytest.raises(
        SettingsError, match=r"unknown meta model 'lineer'; did you mean 'linear'.*args\.meta_model="
    ):
        train(measured, meta_model_name="lineer")


def test_options_that_a_kind_has_not_are_refused(measured):
    with pytest.raises(SettingsError, match="LinearMetaModel has no epochs"):
        train(measured, epochs=3)
    with pytest.raises(TableError, match=r"lacks the column\(s\) entropi.*did you mean 'entropy'"):
        train(measured, features=("entropi",))


def test_the_options_of_an_entry_are_kept(measured):
    entry = MetaModelEntry(
        "oodretrieval.meta_models", "BoostedMetaModel", {"trees": 3, "features": ("size",)}
    )
    measured = replace(measured, meta_models={**measured.meta_models, "few": entry})
    model = load_meta_model(train(measured, meta_model_name="few")["path"])
    assert model.trees == 3 and len(model.feature_names) == 5


def test_folds_are_evaluated_without_having_been_seen(measured, caplog):
    """By hand: every image is predicted by a model of the images of the other folds."""
    table = read_segments(Workspace(measured.workspace), "colour", "train")
    settings = from_mapping(
        TrainMetaSettings, {"dataset": "train", "model_name": "colour", "meta_model_name": "linear"}
    )
    recipe = Recipe.of(settings.recipe, Run(measured, Workspace(measured.workspace)), "cpu")
    images = table["image_id"].tolist()
    segments = locate_segments(Workspace(measured.workspace), Stored("colour", "train"))
    chosen = ChosenSegments.all_of(segments)
    found = cross_validated(recipe, chosen, folds_of(images, 6, seed=0), strict=True)
    assert list(found) == MODELS
    for image in set(images):
        evaluated = table["image_id"] == image
        model = LinearMetaModel().fit(training_rows(table[~evaluated]))
        assert np.allclose(found["all features"].iou[evaluated], model.predict(table[evaluated]), atol=1e-9)
        variant = LinearMetaModel().fit(training_rows(table[~evaluated], strict=False))
        assert np.allclose(found["not strict"].iou[evaluated], variant.predict(table[evaluated]), atol=1e-9)
        size = LinearMetaModel(features=["size"]).fit(training_rows(table[~evaluated]))
        assert np.allclose(
            found["size only"].positive[evaluated], size.predict_positive(table[evaluated]), atol=1e-9
        )
        assert np.allclose(found["mean"].iou[evaluated], training_rows(table[~evaluated])["iou"].mean())
    caplog.set_level("INFO")
    result = train(measured, folds=3, groups="image")
    assert result["figures"]["all segments"]["all features"]["segments"] == (table["iou"] >= 0).sum()
    assert "3-fold cross-validation over images" in caplog.text
    whole = LinearMetaModel().fit(training_rows(table))
    assert np.allclose(load_meta_model(result["path"]).predict(table), whole.predict(table)), (
        "all images teach"
    )


def test_clips_as_groups(measured):
    with pytest.raises(SettingsError, match=r"args\.folds=2, but 'train' has 1 clips; lower"):
        train(measured, folds=2)
    with pytest.raises(SettingsError, match="folds must be at least 2"):
        train(measured, folds=1)


def test_held_out_images_where_no_other_dataset_is_named(measured):
    with pytest.raises(TableError, match=r"one clip only.*args\.groups=image"):
        train(measured, dataset_val="")
    result = train(measured, dataset_val="", groups="image")
    content = json.loads(Path(result["files"][0]).read_text(encoding="utf-8"))
    assert content["context"]["images"] == 1
    assert content["context"]["intervals"].startswith("none, as there is only one image")
    assert any("others of the same clip are learned from" in note for note in content["notes"])
    for row in result["figures"]["all segments"].values():
        assert all(np.isnan(ends).all() for ends in row["intervals"].values())
    table = read_segments(Workspace(measured.workspace), "colour", "train")
    counts = table[table["iou"] >= 0].groupby("image_id").size()
    assert result["figures"]["all segments"]["all features"]["segments"] in set(counts)


def test_differences_are_of_the_same_draws():
    random = np.random.default_rng(0)
    table = pd.DataFrame({"image_id": np.repeat(np.arange(30).astype(str), 8), "iou": random.random(240)})
    table = table.assign(void_fraction=0.0, unknown_fraction=0.0, S_in=1)
    noise = random.normal(0, 0.3, 240)
    first, second = (
        Estimate(table["iou"].to_numpy() + shift + noise, random.random(240), np.full(240, 0.5))
        for shift in (0.0, 0.01)
    )
    drawn = resamples_of(table, {"a": first, "b": second}, Resampling(5, 100))
    difference = drawn["a"]["rmse"] - drawn["b"]["rmse"]
    assert difference.std() < 0.2 * drawn["a"]["rmse"].std()
    measures = evaluate_estimates(table, {"a": first}, Resampling(5, 100))["known segments"]["a"]
    low, high = measures["intervals"]["rmse"]
    assert low < measures["rmse"] < high
    assert measures["segments"] == 240


def test_a_model_worse_than_the_mean_says_so_and_names_better_kinds(measured, caplog):
    """The published network and its schedule on six images; linear regression does well on the same segments."""
    result = train(measured, meta_model="neural", epochs=1)
    rows = result["figures"]["known segments"]
    assert rows["all features"]["r2"] <= rows["mean"]["r2"], "or the test shows nothing"
    said = next(record.message for record in caplog.records if "worse than the mean" in record.message)
    assert "do not select by it" in said and "linear 0." in said and "choose by args.meta_model=" in said
    content = json.loads(Path(result["files"][0]).read_text(encoding="utf-8"))
    assert said in content["notes"]
    caplog.clear()
    Run(measured, Workspace(measured.workspace)).trained.meta_model("neural", "colour")
    assert said in caplog.text, "whoever uses it gets to know"
    caplog.clear()
    train(measured, meta_model="linear")
    assert "worse than the mean" not in caplog.text


def test_clips_are_held_out_whole(measured):
    table = pd.concat(
        [
            read_segments(Workspace(measured.workspace), "colour", "train").assign(
                image_id=lambda t, c=c: c + t["image_id"]
            )
            for c in "abc"
        ]
    )
    clips = clip_names(table["image_id"].tolist())
    held_out = held_out_rows(table, seed=1, groups=clips)
    assert len({clip for clip, out in zip(clips, held_out, strict=True) if out}) == 1
    assert held_out.sum() == len(table) / 3
