"""Selecting by every score, and fitting the novelty model: on the miniature, from predictions to the catalogue."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from torch.backends import cudnn
from torch.backends.cuda import matmul

from oodretrieval.choices import SelectBy
from oodretrieval.errors import (
    PartialFailure,
    SettingsError,
    SettingsMismatchError,
    StoreError,
    TableError,
    WeightsError,
)
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import changed, from_mapping
from oodretrieval.novelty import load_novelty_model, save_novelty_model
from oodretrieval.stages.evaluate.ood.eval_ood import eval_ood
from oodretrieval.stages.evaluate.ood.settings import OodSettings
from oodretrieval.stages.evaluate.selection.eval_selection import eval_selection
from oodretrieval.stages.evaluate.selection.settings import SelectionSettings
from oodretrieval.stages.fit.settings import TrainNoveltySettings
from oodretrieval.stages.fit.train_novelty import train_novelty
from oodretrieval.stages.measure.compute_metrics import compute_metrics
from oodretrieval.stages.measure.segment_features import SegmentFeatures
from oodretrieval.stages.measure.settings import MetricsSettings
from oodretrieval.stages.predict.pred_images import pred_images
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stages.select import scored_segments
from oodretrieval.stages.select.compute_embeddings import compute_embeddings
from oodretrieval.stages.select.selecting import Selector
from oodretrieval.stages.select.settings import EmbedSettings
from oodretrieval.stores import (
    PREDICTED_IOU,
    SELECT_SCORE,
    Catalogue,
    Stored,
    Workspace,
    current_segments,
    read_segments,
    segments,
)
from oodretrieval.stores.segments import read_table_metadata, read_tables, write_table

CPU = {"gpu": -1}
EVALUATED = {"model_name": "colour", "meta_model_name": "linear"}


def fit(configuration, workspace, **options):
    settings = from_mapping(
        TrainNoveltySettings, {"dataset": "train", "model_name": "colour", **options, **CPU}
    )
    return train_novelty(settings, Run(configuration, workspace))


def embed(configuration, workspace, **options):
    settings = {
        "dataset": ("val",),
        "min_height": 4,
        "min_width": 4,
        "overwrite": True,
        "embedded": "crop",
        "crop_size": 0,
        **EVALUATED,
        **options,
    }
    return compute_embeddings(from_mapping(EmbedSettings, {**settings, **CPU}), Run(configuration, workspace))


@pytest.mark.parametrize(
    "options",
    [
        {"select_by": "novelty", "select_quantile": 0.6},
        pytest.param({"select_by": "nearest_neighbour", "select_number": 7}, marks=pytest.mark.slow),
        pytest.param(
            {"select_by": "predicted_iou", "iou_threshold": 0.9, "dataset": ("val", "train")},
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_table_that_is_read_image_by_image_gives_the_same_catalogue(
    configuration, fitted, options, monkeypatch
):
    folder = fitted.catalogue_folder("made")

    def made():
        shutil.rmtree(folder, ignore_errors=True)
        embed(configuration, fitted, save_file="made", **options)
        files = {path.relative_to(folder): path.read_bytes() for path in folder.rglob("part-*")}
        table = files.pop(Path("tables/predicted_iou/part-00000.parquet"))
        return files, table, Catalogue.open(folder).table(PREDICTED_IOU)

    whole = made()
    monkeypatch.setattr(current_segments, "IMAGES_AT_ONCE", 1)
    image_by_image = made()
    assert len(whole[0]) > 2 and image_by_image[:2] == whole[:2]
    monkeypatch.setattr(segments, "ROWS", 5)
    monkeypatch.setattr(scored_segments, "ROWS", 5)
    _, file, table = made()
    assert file != whole[1], "it is in other blocks"
    pd.testing.assert_frame_equal(table, whole[2])


@pytest.mark.parametrize("select_by", [name for name in get_args(SelectBy) if name != "predicted_iou"])
def test_every_score_selects_what_lies_above_its_quantile(configuration, fitted, select_by):
    embed(configuration, fitted, select_by=select_by, select_quantile=0.5)
    catalogue = Catalogue.open(fitted.catalogue_folder("val"))
    evaluated, chosen = catalogue.table(PREDICTED_IOU), catalogue.segments
    limit = load_novelty_model(fitted.novelty_model_path("colour")).threshold(select_by, 0.5)
    assert 0 < len(chosen) < len(evaluated)
    assert (chosen[SELECT_SCORE] > limit).all()
    every = read_segments(fitted, "colour", "val")
    large = (every["bottom"] - every["top"] >= 4) & (every["right"] - every["left"] >= 4)
    assert len(chosen) == (evaluated[SELECT_SCORE].to_numpy() > limit)[large.to_numpy()].sum()
    assert catalogue.settings["select_by"] == select_by


def test_scores_are_higher_on_unknown_things(configuration, fitted):
    table = read_segments(fitted, "colour", "val")
    embed(configuration, fitted, select_by="novelty", select_quantile=0.0)
    evaluated = Catalogue.open(fitted.catalogue_folder("val")).table(PREDICTED_IOU)
    score = evaluated.merge(table, on=["image_id", "segment_id"])
    large = score[score["S"] >= 40]
    unknown = large["unknown_fraction"] > 0.5
    assert large.loc[unknown, SELECT_SCORE].median() > large.loc[~unknown, SELECT_SCORE].median() + 0.5


@pytest.mark.parametrize("select_by", ["novelty", "predicted_iou", "entropy"])
def test_a_number_takes_the_highest(configuration, fitted, select_by):
    embed(configuration, fitted, select_by=select_by, select_number=5)
    catalogue = Catalogue.open(fitted.catalogue_folder("val"))
    evaluated, every = catalogue.table(PREDICTED_IOU), read_segments(fitted, "colour", "val")
    large = (every["bottom"] - every["top"] >= 4) & (every["right"] - every["left"] >= 4)
    highest = np.sort(evaluated[SELECT_SCORE].to_numpy()[large.to_numpy()])[-5:]
    assert np.sort(catalogue.segments[SELECT_SCORE]).tolist() == highest.tolist()


def test_the_published_rule_is_one_argument_away_and_needs_no_novelty_model(configuration, trained):
    embed(configuration, trained, select_by="predicted_iou", iou_threshold=0.9)
    segments = Catalogue.open(trained.catalogue_folder("val")).segments
    assert (segments["predicted_iou"] < 0.9).all()
    assert np.allclose(segments[SELECT_SCORE], 1 - segments["predicted_iou"])
    embed(configuration, trained, select_by="energy", select_number=3)
    for select_by in ("novelty", "energy"):
        with pytest.raises(WeightsError, match="no novelty model.*train_novelty.*select_by=predicted_iou"):
            embed(configuration, trained, select_by=select_by)


def test_without_logits_it_says_what_to_do(configuration, fitted):
    settings = from_mapping(
        PredictSettings,
        {"dataset": "val", "model_name": "colour", "keep": "nothing", "overwrite": True, **CPU},
    )
    pred_images(settings, Run(configuration, fitted))
    path = fitted.segments_folder(Stored("colour", "val"))

    for part in path.glob("part-*.parquet"):  # as tables of softmax files are
        table = read_tables([part])
        columns = [name for name in table.columns if name.startswith(("energy", "max_logit"))]
        metadata = read_table_metadata(part)
        metadata.pop("format_version")
        write_table(part, table.drop(columns=columns), metadata)
    for select_by in ("novelty", "energy", "max_logit"):
        with pytest.raises(TableError, match=f"select_by={select_by}.*keep=logits.*predicted_iou"):
            embed(configuration, fitted, select_by=select_by)
    assert embed(configuration, fitted, select_by="nearest_neighbour", select_number=3)["segments"] == 3
    assert embed(configuration, fitted, select_by="entropy", select_number=3)["segments"] == 3


def test_a_model_of_another_network_or_of_other_weights_is_refused(configuration, fitted):
    path = fitted.novelty_model_path("colour")
    model = load_novelty_model(path)
    save_novelty_model(replace(model, made_by={**model.made_by, "model": "other"}), path)
    with pytest.raises(TableError, match="segments of 'other', not of 'colour'"):
        embed(configuration, fitted)
    save_novelty_model(replace(model, made_by={**model.made_by, "weights": "0123"}), path)
    weights = fitted.path / "weights.safetensors"
    weights.write_bytes(b"weights")
    models = {**configuration.models, "colour": replace(configuration.models["colour"], weights=str(weights))}

    with pytest.raises(TableError, match="other weights of 'colour'.*args.overwrite=True"):
        Run(replace(configuration, models=models), fitted).trained.novelty_model("colour")


def test_the_entry_says_where_its_novelty_model_lies(configuration, trained, tmp_path):
    entry = replace(configuration.models["colour"], novelty="mine/novelty.safetensors")
    named = replace(configuration, models={**configuration.models, "colour": entry})
    assert fit(named, trained)["path"] == str(tmp_path / "mine" / "novelty.safetensors")
    assert embed(named, trained, select_number=2)["segments"] == 2


def test_fitting_again_is_skipped_and_other_settings_are_refused(configuration, fitted, caplog):
    caplog.set_level("INFO")
    fit(configuration, fitted)
    assert "fitted already" in caplog.text
    with pytest.raises(SettingsMismatchError, match="seed: was 0, now 1.*overwrite"):
        fit(configuration, fitted, seed=1)
    fit(configuration, fitted, seed=1, overwrite=True)
    with safe_open(fitted.novelty_model_path("colour"), framework="numpy") as file:
        assert json.loads(file.metadata()["made_by"])["seed"] == 1


def test_the_fit_looks_at_no_unknown_segment(configuration, trained):
    result = fit(configuration, trained)
    table = read_segments(trained, "colour", "train")
    clean = (table["S"] >= 100) & (table["unknown_fraction"] + table["void_fraction"] <= 0.1)
    assert result["segments"] == clean.sum() < (table["S"] >= 100).sum()
    bank = load_novelty_model(trained.novelty_model_path("colour")).bank
    assert np.bincount(bank.classes).tolist() == np.bincount(table["class"][clean]).tolist()


def test_what_cannot_be_learned_from_is_refused(configuration, trained):
    pred_images(
        from_mapping(PredictSettings, {"dataset": "images", "model_name": "colour", **CPU}),
        Run(configuration, trained),
    )
    compute_metrics(MetricsSettings(dataset="images", model_name="colour"), Run(configuration, trained))
    with pytest.raises(TableError, match="'images' has no truth"):
        fit(configuration, trained, dataset="images")
    with pytest.raises(StoreError, match="no segments of 'other'"):
        fit(configuration, trained, model_name="other")
    with pytest.raises(SettingsError, match="tf_efficientnet_lite1.*'resnet50'"):
        fit(configuration, trained, backbone="resnet50")


def test_features_are_computed_once(configuration, fitted, monkeypatch):
    embed(configuration, fitted, select_number=4)
    before = Catalogue.open(fitted.catalogue_folder("val")).segments[SELECT_SCORE].tolist()

    class Refusing(torch.nn.Module):
        channels = (40, 1280)

        def forward(self, batch):
            raise AssertionError("computed again")

    monkeypatch.setattr(SegmentFeatures, "network", Refusing())
    embed(configuration, fitted, select_number=4)
    assert Catalogue.open(fitted.catalogue_folder("val")).segments[SELECT_SCORE].tolist() == before
    kept = next((fitted.segments_folder(Stored("colour", "val")) / "features").rglob("*.safetensors"))
    kept.write_bytes(kept.read_bytes()[:300])
    with pytest.raises(AssertionError, match="computed again"):
        embed(configuration, fitted, select_number=4)


def test_features_name_the_device_and_are_in_whole_float32(configuration, fitted, monkeypatch, tmp_path):
    workspace = Workspace(tmp_path / "w")
    shutil.copytree(fitted.path, workspace.path)
    seen, noted = [], []

    class Watching(torch.nn.Module):
        channels = (2, 4)

        def forward(self, batch):
            seen.append((cudnn.enabled, cudnn.allow_tf32, matmul.allow_tf32))
            return [torch.ones(1, 2, 4, 4), torch.ones(1, 4, 2, 2)]

    monkeypatch.setattr(SegmentFeatures, "network", Watching())
    monkeypatch.setattr(
        "oodretrieval.stages.measure.segment_features.read_features",
        lambda path, rows, made_by: noted.append(made_by["device"]),
    )
    features = SegmentFeatures("tf_efficientnet_lite0", torch.device("cpu"))
    work = Run(configuration, workspace).stored("colour", "val")
    table = work.table()
    vectors, failures = features.of(work, table)
    assert (len(vectors.deep), failures) == (len(table), {})
    assert set(seen) == {(True, False, False)}
    assert set(noted) == {"cpu"}


def test_features_that_cannot_be_kept_are_used(configuration, fitted, monkeypatch, caplog):
    """A workspace that can only be read; the root user's would let the files through."""

    def refuse(*_):
        raise StoreError("cannot write x")

    monkeypatch.setattr("oodretrieval.stages.measure.segment_features.write_features", refuse)
    monkeypatch.setattr("oodretrieval.stages.measure.segment_features.read_features", lambda *_: None)
    features = SegmentFeatures("tf_efficientnet_lite0", torch.device("cpu"))
    work = Run(configuration, fitted).stored("colour", "val")
    table = work.table()
    vectors, failures = features.of(work, table)
    assert (len(vectors.deep), failures) == (len(table), {})
    assert caplog.text.count("features are computed again next time: cannot write x") == 1


def test_an_image_that_cannot_be_read_is_named_and_all_others_are_scored(
    configuration, fitted, camvid, tmp_path
):

    root = tmp_path / "gone"
    shutil.copytree(camvid, root)
    workspace = Workspace(tmp_path / "other")
    common = {"dataset": "val", "model_name": "colour", "root": str(root)}
    pred_images(from_mapping(PredictSettings, {**common, **CPU}), Run(configuration, workspace))
    compute_metrics(from_mapping(MetricsSettings, {**common}), Run(configuration, workspace))
    for folder in ("meta_models", "novelty_models"):
        shutil.copytree(fitted.path / folder, workspace.path / folder)
    (root / "val" / "0016E5_00200.png").write_bytes(b"no image")
    with pytest.raises(PartialFailure, match="0016E5_00200"):
        embed(configuration, workspace, root=str(root), select_quantile=0.0)
    evaluated = Catalogue.open(workspace.catalogue_folder("val")).table(PREDICTED_IOU)
    lost = evaluated["image_id"] == "0016E5_00200"
    assert evaluated.loc[lost, SELECT_SCORE].isna().all() and evaluated.loc[~lost, SELECT_SCORE].notna().all()


@pytest.mark.slow
def test_the_evaluation_selects_as_the_catalogue_and_orders_by_every_score(configuration, fitted):
    settings = {
        "dataset": "val",
        "min_pixels": 40,
        "min_height": 6,
        "min_width": 6,
        "repetitions": 3,
        **EVALUATED,
    }
    measures = eval_selection(
        from_mapping(SelectionSettings, {**settings, "select_quantile": 0.6, **CPU}),
        Run(configuration, fitted),
    )
    embed(configuration, fitted, select_quantile=0.6, min_pixels=40, min_height=1, min_width=1)
    assert measures["selected"] == len(Catalogue.open(fitted.catalogue_folder("val")))
    assert {"novelty", "nearest neighbour", "mean energy", "predicted IoU"} <= set(measures["orders"])
    published = from_mapping(
        SelectionSettings, {**settings, "select_by": "predicted_iou", "iou_threshold": 0.9, **CPU}
    )
    fitted.novelty_model_path("colour").unlink()
    without = eval_selection(published, Run(configuration, fitted))
    assert "novelty" not in without["orders"] and without["selected"] > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"select_by": "luck"}, "args.select_by must be one of novelty.*'luck'"),
        ({"select_quantile": 1.5}, r"within 0…1, got 1.5"),
        ({"select_number": -1}, "select_number must be at least 0"),
    ],
)
def test_rules_that_make_no_sense_are_refused(options, message):
    for kind in (EmbedSettings, SelectionSettings):
        with pytest.raises(SettingsError, match=message):
            from_mapping(kind, options)


def test_something_is_shown_where_nothing_lies_above_the_quantile(configuration, fitted, monkeypatch):
    """On new streets the scores of training mean little: one segment an image is shown, the highest."""
    monkeypatch.setattr(Selector, "threshold", lambda _: np.inf)
    embed(configuration, fitted)
    catalogue = Catalogue.open(fitted.catalogue_folder("val"))
    scored, every = catalogue.table(PREDICTED_IOU), read_segments(fitted, "colour", "val")
    large = ((every["bottom"] - every["top"] >= 4) & (every["right"] - every["left"] >= 4)).to_numpy()
    highest = np.sort(scored[SELECT_SCORE].to_numpy()[large])[-every["image_id"].nunique() :]
    assert len(highest) == 6
    assert np.sort(catalogue.segments[SELECT_SCORE]).tolist() == highest.tolist()


def test_nothing_above_the_quantile_says_what_to_change(configuration, fitted):
    with pytest.raises(StoreError, match="novelty above the 1 quantile.*lower args.select_quantile"):
        embed(configuration, fitted, select_quantile=1.0, min_pixels=10**6)
    assert isinstance(read_segments(fitted, "colour", "val"), pd.DataFrame)


@pytest.mark.slow
def test_the_pixel_score_is_evaluated_next_to_the_others(configuration, fitted):
    settings = from_mapping(
        OodSettings, {"dataset": "val", "repetitions": 3, "pictures": 0, **EVALUATED, **CPU}
    )
    scores = eval_ood(settings, Run(configuration, fitted))["scores"]
    assert scores["novelty"]["pixels"]["auroc"] > scores["max_softmax"]["pixels"]["auroc"]
    warm = eval_ood(changed(settings, {"temperature": 2.0}), Run(configuration, fitted))["scores"]
    for figure in ("auroc", "auprc"):
        at_one, at_two = (found["novelty"]["pixels"][figure] for found in (scores, warm))
        assert at_one == at_two, "fitted at temperature 1"
    near_itself = eval_ood(changed(settings, {"dataset_val": "train"}), Run(configuration, fitted))
    page = next(Path(file) for file in near_itself["files"] if file.endswith(".md")).read_text()
    assert "novelty: no threshold from train, whose images the model was fitted on" in page
    with pytest.raises(StoreError, match="score novelty.*very images of 'train'"):
        eval_ood(changed(settings, {"dataset": "train", "scores": ("novelty",)}), Run(configuration, fitted))
    fitted.novelty_model_path("colour").unlink()
    without = eval_ood(settings, Run(configuration, fitted))
    assert "novelty" not in without["scores"] and "train_novelty" in without["left_out"]["novelty"]
    with pytest.raises(StoreError, match="score novelty.*train_novelty"):
        eval_ood(changed(settings, {"scores": ("novelty",)}), Run(configuration, fitted))


def test_a_threshold_of_the_published_rule_is_not_passed_over():
    with pytest.raises(
        SettingsError, match="iou_threshold=0.7 means nothing to args.select_by=novelty.*predicted_iou"
    ):
        from_mapping(EmbedSettings, {"dataset": ("val",), "iou_threshold": 0.7})
    published = {"dataset": ("val",), "iou_threshold": 0.7, "select_by": "predicted_iou"}
    assert from_mapping(EmbedSettings, published).rule.iou_threshold == 0.7


def test_what_is_evaluated_without_novelty_is_not_sent_to_settings_that_select(configuration, workspace):
    """The evaluations of pixels know no args.select_by."""
    with pytest.raises(WeightsError, match="no novelty model.*train_novelty") as said:
        Run(configuration, workspace).trained.novelty_model("colour")
    assert "select_by" not in str(said.value)


def test_where_no_segment_is_above_the_threshold_the_highest_can_be_taken(configuration, fitted):
    settings = from_mapping(
        EmbedSettings,
        {"dataset": ("val",), "model_name": "colour", "gpu": -1, "select_by": "energy", "min_height": 9999},
    )
    with pytest.raises(
        StoreError, match="none of the .* is selected .*; or take the 100 highest by args.select_n"
    ):
        compute_embeddings(settings, Run(configuration, fitted))
