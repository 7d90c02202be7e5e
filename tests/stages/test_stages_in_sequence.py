"""The stages in sequence on a miniature, and what happens when one is repeated, broken off or misused."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from steps import CPU, embed, embed_settings, predict_and_measure, train_linear

from oodretrieval.choices import DEFAULT_NET
from oodretrieval.datasets import open_dataset
from oodretrieval.errors import (
    ConfigurationError,
    DatasetError,
    PartialFailure,
    SettingsError,
    SettingsMismatchError,
    StoreError,
    TableError,
    UnknownNameError,
    WeightsError,
)
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.stages.evaluate.eval_iou import eval_iou
from oodretrieval.stages.evaluate.eval_retrieval import eval_retrieval
from oodretrieval.stages.evaluate.ood.eval_ood import eval_ood
from oodretrieval.stages.evaluate.ood.settings import OodSettings
from oodretrieval.stages.evaluate.selection.eval_selection import eval_selection
from oodretrieval.stages.evaluate.selection.settings import SelectionSettings
from oodretrieval.stages.evaluate.settings import IouSettings, RetrievalSettings
from oodretrieval.stages.measure.compute_metrics import compute_metrics
from oodretrieval.stages.measure.settings import MetricsSettings
from oodretrieval.stages.predict.pred_images import pred_images
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stages.select.compute_embeddings import compute_embeddings
from oodretrieval.stages.select.embed_again import embed_again
from oodretrieval.stores import PREDICTED_IOU, Catalogue, Stored, read_prediction, read_segments
from oodretrieval.stores.boxes import crop_boxes


def test_the_pipeline_finds_what_the_network_never_learned(configuration, embedded):
    catalogue = Catalogue.open(embedded.catalogue_folder("val"))
    segments = catalogue.segments
    assert len(segments) == len(catalogue.vectors) > 0
    assert (segments["predicted_iou"] < 0.9).all()
    boxes = crop_boxes(segments)
    assert min(box.height for box in boxes) >= 40 and min(box.width for box in boxes) >= 40
    assert all(box.left >= 0 and box.right <= 96 and box.top >= 0 and box.bottom <= 72 for box in boxes)
    assert (segments["label"] == 9).any(), "no pedestrian among the selected segments"
    assert catalogue.settings["unknown_ids"] == {"val": [9, 10]}
    assert catalogue.settings["label_mapping"]["val"]["9"][0] == "pedestrian"

    settings = from_mapping(
        SelectionSettings,
        {
            "dataset": "val",
            "model_name": "colour",
            "meta_model_name": "linear",
            "min_pixels": 50,
            "min_height": 6,
            "min_width": 6,
            "select_by": "predicted_iou",
        },
    )
    selection = eval_selection(settings, Run(configuration, embedded))
    assert selection["per_class"]["pedestrian"]["objects"] > 0
    assert selection["objects"] >= selection["found"] >= 0
    retrieval = eval_retrieval(RetrievalSettings(embeddings_file="val"), Run(configuration, embedded))
    assert retrieval["embedding"]["mean"] > 0

    evaluated = catalogue.table(PREDICTED_IOU)
    every = read_segments(embedded, "colour", "val")
    assert len(evaluated) == len(every) > len(segments), "also those that were not selected"
    key = ["dataset", "image_id", "segment_id"]
    found = segments[key].merge(evaluated, on=key)["predicted_iou"]
    assert found.tolist() == segments["predicted_iou"].tolist()
    assert all(pd.io.common.file_exists(file) for file in retrieval["files"] + selection["files"])


def test_predictions_hold_what_the_later_stages_need(configuration, measured):
    prediction = read_prediction(measured, "colour", "val", "0016E5_00000")
    assert prediction.prediction.shape == (72, 96) and prediction.logits.shape == (9, 18, 24)
    assert prediction.logits.dtype == np.float32  # float16 in the file
    assert (
        np.array_equal(prediction.prediction, prediction.probabilities().argmax(2))
        or np.mean(prediction.prediction == prediction.probabilities().argmax(2)) > 0.999
    )
    assert set(np.unique(prediction.truth())) <= {0, 1, 3, 8, 255}
    assert prediction.settings["model"] == "colour" and prediction.settings["dataset"] == "val"


def test_segment_tables_are_of_every_image_and_carry_truth(measured):
    table = read_segments(measured, "colour", "val")
    assert table["image_id"].nunique() == 6
    sizes = table.groupby("image_id")["S"].sum()
    assert (sizes == 72 * 96).all(), "segments partition the image"
    assert {"max_logit", "energy_bd", "unknown_fraction"} <= set(table.columns)
    assert (table["unknown_fraction"] > 0.5).any()


def test_a_second_run_skips_and_a_run_broken_off_goes_on(configuration, measured):
    settings = from_mapping(PredictSettings, {"dataset": "val", "model_name": "colour", **CPU})
    again = pred_images(settings, Run(configuration, measured))
    assert (again["predicted"], again["skipped"]) == (0, 6)
    measured.prediction_path(Stored("colour", "val"), "0016E5_00300").unlink()
    gone_on = pred_images(settings, Run(configuration, measured))
    assert (gone_on["predicted"], gone_on["skipped"]) == (1, 5)
    metrics = compute_metrics(
        MetricsSettings(dataset="val", model_name="colour"), Run(configuration, measured)
    )
    assert metrics["images"] == 0 and metrics["skipped"] == 6


def test_a_damaged_prediction_is_predicted_again(configuration, measured):
    path = measured.prediction_path(Stored("colour", "val"), "0016E5_00300")
    path.write_bytes(path.read_bytes()[:200])
    again = pred_images(
        from_mapping(PredictSettings, {"dataset": "val", "model_name": "colour", **CPU}),
        Run(configuration, measured),
    )
    assert (again["predicted"], again["skipped"]) == (1, 5)


def test_other_settings_are_refused_and_overwrite_makes_again(configuration, measured):
    settings = {"dataset": "val", "model_name": "colour", "keep": "softmax", **CPU}
    with pytest.raises(
        SettingsMismatchError, match=r"keep: was 'logits', now 'softmax'.*args.overwrite=True"
    ):
        pred_images(from_mapping(PredictSettings, {**settings}), Run(configuration, measured))
    again = pred_images(
        from_mapping(PredictSettings, {**settings, "overwrite": True}), Run(configuration, measured)
    )
    assert again["predicted"] == 6
    with pytest.raises(SettingsMismatchError, match="keep"):
        compute_metrics(MetricsSettings(dataset="val", model_name="colour"), Run(configuration, measured))
    compute_metrics(
        from_mapping(MetricsSettings, {"dataset": "val", "model_name": "colour", "overwrite": True}),
        Run(configuration, measured),
    )


def test_keep_nothing_computes_the_metrics_in_the_same_pass(configuration, measured, workspace):
    expected = read_segments(measured, "colour", "val")
    settings = from_mapping(
        PredictSettings,
        {"dataset": "val", "model_name": "colour", "keep": "nothing", "overwrite": True, **CPU},
    )
    pred_images(settings, Run(configuration, measured))
    table = read_segments(measured, "colour", "val")
    assert table["segment_id"].tolist() == expected["segment_id"].tolist()
    assert np.allclose(table["E"], expected["E"], atol=2e-3)
    prediction = read_prediction(measured, "colour", "val", "0016E5_00000")
    assert prediction.logits is None and prediction.entropy.dtype == np.uint8
    with pytest.raises(StoreError, match="keeps neither logits nor softmax"):
        compute_metrics(MetricsSettings(dataset="val", model_name="colour"), Run(configuration, measured))
    again = pred_images(
        from_mapping(PredictSettings, {"dataset": "val", "model_name": "colour", "keep": "nothing", **CPU}),
        Run(configuration, measured),
    )
    assert (again["predicted"], again["skipped"]) == (0, 6)


def test_published_files_take_the_place_of_the_network(configuration, measured, tmp_path):
    folder = tmp_path / "published"
    folder.mkdir()
    for name in ("0016E5_00000", "0016E5_00100"):
        np.save(folder / f"{name}.npy", read_prediction(measured, "colour", "val", name).probabilities())
    common = {"dataset": "val", "model_name": "other", "source": str(folder), **CPU}
    with pytest.raises(SettingsError, match="args.keep=softmax or args.keep=nothing"):
        pred_images(from_mapping(PredictSettings, {**common}), Run(configuration, measured))
    with pytest.raises(PartialFailure, match="4 image"):
        pred_images(
            from_mapping(PredictSettings, {**common, "keep": "nothing"}), Run(configuration, measured)
        )
    table = read_segments(measured, "other", "val")
    expected = read_segments(measured, "colour", "val").query("image_id in ('0016E5_00000', '0016E5_00100')")
    assert np.allclose(table["E"], expected["E"], atol=1e-6)
    assert table["label"].tolist() == expected["label"].tolist()


def test_a_foreign_source_is_refused(configuration, workspace, tmp_path):
    np.save(tmp_path / "somewhere.npy", np.full((72, 96, 3), 1 / 3, np.float32))
    settings = from_mapping(
        PredictSettings,
        {"dataset": "val", "model_name": "colour", "source": str(tmp_path), "keep": "nothing", **CPU},
    )
    with pytest.raises(DatasetError, match="none of the predictions"):
        pred_images(settings, Run(configuration, workspace))


def test_a_damaged_image_fails_alone(configuration, workspace, camvid, tmp_path):
    root = tmp_path / "damaged"
    shutil.copytree(camvid, root)
    broken = root / "val" / "0016E5_00200.png"
    broken.write_bytes(broken.read_bytes()[:300])
    settings = from_mapping(
        PredictSettings, {"dataset": "val", "model_name": "colour", "root": str(root), **CPU}
    )
    with pytest.raises(PartialFailure, match="0016E5_00200") as caught:
        pred_images(settings, Run(configuration, workspace))
    assert list(caught.value.failures) == ["0016E5_00200"]
    assert len(list(workspace.prediction_folder(Stored("colour", "val")).glob("*.h5"))) == 5
    metrics = compute_metrics(
        from_mapping(MetricsSettings, {"dataset": "val", "model_name": "colour", "root": str(root)}),
        Run(configuration, workspace),
    )
    assert metrics["images"] == 5


def test_a_folder_of_photographs_without_truth(configuration, measured):
    predict_and_measure(Run(configuration, measured), "images")
    train_linear(Run(configuration, measured))
    table = read_segments(measured, "colour", "images")
    assert (table[["iou", "iou0", "label"]] == -1).all(axis=None)
    embed(Run(configuration, measured), dataset=("images",))
    assert (Catalogue.open(measured.catalogue_folder("images")).segments["label"] == -1).all()
    with pytest.raises(StoreError, match="no truth.*report.py"):
        eval_retrieval(RetrievalSettings(embeddings_file="images"), Run(configuration, measured))
    with pytest.raises(TableError, match="no truth"):
        eval_iou(IouSettings(dataset="images", model_name="colour"), Run(configuration, measured))


@pytest.mark.slow
def test_a_network_brings_its_meta_model_and_many_segments_say_how_to_take_fewer(
    configuration, measured, monkeypatch, caplog, tmp_path
):
    caplog.set_level("INFO")
    train_linear(Run(configuration, measured))
    models = {**configuration.models, "colour": replace(configuration.models["colour"], meta_model="linear")}
    run = Run(replace(configuration, models=models), measured)
    embed(run, meta_model_name="")
    assert Catalogue.open(measured.catalogue_folder("val")).settings["meta_model"] == "linear"
    assert "args.select_number" not in caplog.text
    monkeypatch.setattr("oodretrieval.stages.select.compute_embeddings.MANY", 3)
    embed(run, meta_model_name="", save_file="many")
    assert "args.select_number=100 args.save_file=first takes the 100 highest alone" in caplog.text
    caplog.clear()
    embed(run, meta_model_name="", save_file="few", select_number=5)
    assert "takes the 100 highest" not in caplog.text
    scores = eval_ood(
        from_mapping(
            OodSettings,
            {
                "dataset": "val",
                "model_name": "colour",
                "repetitions": 5,
                "pictures": 0,
                "save_dir": str(tmp_path),
            },
        ),
        run,
    )
    assert "expected_iou" in scores["scores"]


@pytest.mark.slow
def test_several_datasets_in_one_catalogue(configuration, embedded):
    embed(Run(configuration, embedded), dataset=("train", "val"))
    catalogue = Catalogue.open(embedded.catalogue_folder("train+val"))
    assert set(catalogue.segments["dataset"]) == {"train", "val"}


@pytest.mark.slow
def test_the_same_segments_embedded_again(configuration, embedded):
    settings = embed_settings(load_file="val", net="efficientnet_lite1")
    for _ in range(2):  # the second run finds everything done
        embed_again(settings, Run(configuration, embedded))
        catalogue = Catalogue.open(embedded.catalogue_folder("val"))
        assert catalogue.embedding_names == [DEFAULT_NET, "efficientnet_lite1"]
        assert catalogue.default_embedding == "efficientnet_lite1"
        assert len(catalogue.vectors) == len(catalogue.segments)
    embed_again(embed_settings(load_file="val", save_file="copy", crop_size=64), Run(configuration, embedded))
    copy = Catalogue.open(embedded.catalogue_folder("copy"))
    assert copy.segments["segment_id"].tolist() == catalogue.segments["segment_id"].tolist()
    assert copy.default_embedding == f"{DEFAULT_NET}_64"


@pytest.mark.slow
def test_a_catalogue_that_grows_leaves_incomplete_embeddings_out(configuration, measured, caplog):
    train_linear(Run(configuration, measured))
    embed(Run(configuration, measured), limit=2)
    again = embed_settings(load_file="val", net="efficientnet_lite1")
    embed_again(again, Run(configuration, measured))
    embed(Run(configuration, measured))
    assert "lacks the new segments" in caplog.text
    assert Catalogue.open(measured.catalogue_folder("val")).embedding_names == [DEFAULT_NET]
    embed_again(again, Run(configuration, measured))
    catalogue = Catalogue.open(measured.catalogue_folder("val"))
    assert len(catalogue.vectors_of("efficientnet_lite1")) == len(catalogue.segments)


def test_an_image_that_is_gone_when_embedding_again(configuration, embedded, camvid, tmp_path):
    root = tmp_path / "copy"
    shutil.copytree(camvid, root)
    image = Catalogue.open(embedded.catalogue_folder("val")).segments["image_id"].iloc[0]
    for folder in ("val", "valannot"):
        (root / folder / f"{image}.png").unlink()
    settings = embed_settings(load_file="val", net="efficientnet_lite1", root=str(root))
    with pytest.raises(PartialFailure, match=f"val/{image}.*no image"):
        embed_again(settings, Run(configuration, embedded))
    assert Catalogue.open(embedded.catalogue_folder("val")).embedding_names == [DEFAULT_NET]


def test_embedding_again_with_other_settings(configuration, embedded):
    with pytest.raises(SettingsMismatchError, match="iou_threshold"):
        embed(Run(configuration, embedded), iou_threshold=0.8)
    embed(Run(configuration, embedded), iou_threshold=0.8, overwrite=True)
    segments = Catalogue.open(embedded.catalogue_folder("val")).segments
    assert (segments["predicted_iou"] < 0.8).all()


def test_nothing_selected_says_what_to_change(configuration, embedded):
    with pytest.raises(StoreError, match="raise args.iou_threshold"):
        embed(Run(configuration, embedded), iou_threshold=-1.0, save_file="none")


def test_only_chosen_predicted_classes_are_candidates(configuration, embedded, monkeypatch):
    def of_cars(*arguments):
        dataset = open_dataset(*arguments)
        dataset.pred_class_selection = [8]
        return dataset

    monkeypatch.setattr("oodretrieval.experiment.datasets.open_dataset", of_cars)
    embed(Run(configuration, embedded), save_file="cars")
    assert set(Catalogue.open(embedded.catalogue_folder("cars")).segments["class"]) <= {8}


def test_a_meta_model_of_another_network_is_refused(configuration, measured):
    train_linear(Run(configuration, measured))
    pred_images(
        from_mapping(PredictSettings, {"dataset": "val", "model_name": "other", **CPU}),
        Run(configuration, measured),
    )
    compute_metrics(MetricsSettings(dataset="val", model_name="other"), Run(configuration, measured))
    with pytest.raises(TableError, match="trained on segments of 'colour', not of 'other'"):
        embed(Run(configuration, measured), model_name="other")


def test_stages_out_of_order_say_which_comes_first(configuration, workspace):
    with pytest.raises(StoreError, match="pred_images"):
        compute_metrics(MetricsSettings(dataset="val", model_name="colour"), Run(configuration, workspace))
    with pytest.raises(StoreError, match="compute_metrics"):
        train_linear(Run(configuration, workspace))
    predict_and_measure(Run(configuration, workspace), "val")
    with pytest.raises(WeightsError, match="train_meta_nn"):
        embed(Run(configuration, workspace))
    with pytest.raises(StoreError, match="compute_embeddings"):
        eval_retrieval(RetrievalSettings(embeddings_file="val"), Run(configuration, workspace))


def test_unknown_names_list_the_known_ones(configuration, workspace):
    with pytest.raises(UnknownNameError, match=r"unknown dataset 'vall'; did you mean 'val'\?"):
        pred_images(
            from_mapping(PredictSettings, {"dataset": "vall", "model_name": "colour", **CPU}),
            Run(configuration, workspace),
        )
    with pytest.raises(UnknownNameError, match="unknown model"):
        pred_images(
            from_mapping(PredictSettings, {"dataset": "val", "model_name": "color", **CPU}),
            Run(configuration, workspace),
        )


def test_a_network_of_other_classes_than_the_dataset(configuration, workspace):
    entry = configuration.models["colour"]
    entry.kwargs["colours"].append((1, 2, 3))
    try:
        with pytest.raises(
            ConfigurationError, match="the network has 10 classes, the dataset's pred_mapping 9"
        ):
            pred_images(
                from_mapping(PredictSettings, {"dataset": "val", "model_name": "colour", **CPU}),
                Run(configuration, workspace),
            )
    finally:
        entry.kwargs["colours"].pop()


def test_only_images_of_a_class(configuration, workspace, camvid):
    result = pred_images(
        from_mapping(PredictSettings, {"dataset": "val", "model_name": "colour", "classindex": 9, **CPU}),
        Run(configuration, workspace),
    )
    labels = [np.asarray(Image.open(path)) for path in sorted((camvid / "valannot").glob("*.png"))]
    assert result["predicted"] == sum(bool((ids == 9).any()) for ids in labels)


def test_limit_takes_the_first_images_and_the_rest_follow(configuration, workspace):
    settings = {"dataset": "val", "model_name": "colour"}
    pred_images(from_mapping(PredictSettings, {**settings, "limit": 2, **CPU}), Run(configuration, workspace))
    compute_metrics(from_mapping(MetricsSettings, {**settings}), Run(configuration, workspace))
    assert read_segments(workspace, "colour", "val")["image_id"].nunique() == 2
    predict_and_measure(Run(configuration, workspace), "val")
    assert read_segments(workspace, "colour", "val")["image_id"].nunique() == 6


@pytest.mark.slow
def test_metrics_in_two_processes_equal_those_in_one(configuration, measured, monkeypatch):
    expected = read_segments(measured, "colour", "val")
    monkeypatch.setattr("oodretrieval.stores.blocks.BLOCK", 2)
    settings = from_mapping(
        MetricsSettings, {"dataset": "val", "model_name": "colour", "num_cores": 2, "overwrite": True}
    )
    compute_metrics(settings, Run(configuration, measured))
    pd.testing.assert_frame_equal(read_segments(measured, "colour", "val"), expected)


def test_iou_of_the_stored_predictions(configuration, measured):
    measures = eval_iou(IouSettings(dataset="val", model_name="colour"), Run(configuration, measured))
    assert 0.3 < measures["mean_iou"] <= 1
    assert json.loads(Path(measures["file"]).read_text(encoding="utf-8"))["figures"]["images"] == 6


@pytest.mark.parametrize("keep", ["logits", "nothing"])
def test_a_limited_run_takes_nothing_from_a_full_one(configuration, workspace, keep):
    settings = {"dataset": "val", "model_name": "colour"}
    for limit in (0, 2, 3):
        pred_images(
            from_mapping(PredictSettings, {**settings, "keep": keep, "limit": limit, **CPU}),
            Run(configuration, workspace),
        )
        if keep == "logits":
            compute_metrics(
                from_mapping(MetricsSettings, {**settings, "limit": limit}), Run(configuration, workspace)
            )
        assert read_segments(workspace, "colour", "val")["image_id"].nunique() == 6


def test_an_image_that_could_not_be_read_is_embedded_by_the_next_run(
    configuration, measured, camvid, tmp_path
):
    root = tmp_path / "copy"
    shutil.copytree(camvid, root)
    predict_and_measure_at(configuration, measured, root)
    train_linear(Run(configuration, measured), dataset_val="", groups="image")
    broken = root / "val" / "0016E5_00200.png"
    whole = broken.read_bytes()
    broken.write_bytes(whole[:300])
    settings = embed_settings(root=str(root), model_name="colour", save_file="resumed")
    with pytest.raises(PartialFailure, match="0016E5_00200"):
        compute_embeddings(settings, Run(configuration, measured))
    catalogue = measured.catalogue_folder("resumed")
    before = Catalogue.open(catalogue).segments
    assert "0016E5_00200" not in set(before["image_id"])
    broken.write_bytes(whole)
    compute_embeddings(settings, Run(configuration, measured))
    after = Catalogue.open(catalogue).segments
    counts = after["image_id"].value_counts().drop("0016E5_00200")
    assert counts.to_dict() == before["image_id"].value_counts().to_dict()


def predict_and_measure_at(configuration, workspace, root):
    settings = {"dataset": "val", "model_name": "colour", "root": str(root), "overwrite": True}
    pred_images(from_mapping(PredictSettings, {**settings, **CPU}), Run(configuration, workspace))
    compute_metrics(from_mapping(MetricsSettings, {**settings}), Run(configuration, workspace))
