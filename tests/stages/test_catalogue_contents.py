"""A catalogue holds what the rule selects of the images that were asked for: whatever it held before."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from oodretrieval.datasets import open_dataset, subset_by_index
from oodretrieval.errors import (
    PartialFailure,
    SettingsMismatchError,
    StoreError,
    TableError,
    UnknownNameError,
    WeightsError,
)
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.stages.evaluate.eval_retrieval import eval_retrieval
from oodretrieval.stages.evaluate.selection.eval_selection import eval_selection
from oodretrieval.stages.evaluate.selection.settings import SelectionSettings
from oodretrieval.stages.evaluate.settings import RetrievalSettings
from oodretrieval.stages.measure.compute_metrics import compute_metrics
from oodretrieval.stages.measure.settings import MetricsSettings
from oodretrieval.stages.predict.pred_images import pred_images
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stages.select import compute_embeddings as embedding_stage
from oodretrieval.stages.select import embedder
from oodretrieval.stages.select.compute_embeddings import compute_embeddings
from oodretrieval.stages.select.embed_again import embed_again
from oodretrieval.stages.select.settings import EmbedSettings
from oodretrieval.stores import (
    PREDICTED_IOU,
    SELECT_SCORE,
    Catalogue,
    Stored,
    read_prediction,
    write_prediction,
)

CPU = {"gpu": -1}
NAMES = {"model_name": "colour", "meta_model_name": "linear"}


def settings_of(**options):
    settings = {"dataset": ("val",), "min_height": 4, "min_width": 4, "select_by": "entropy", **NAMES}
    native = {"embedded": "crop", "crop_size": 0}  # quickest
    return from_mapping(EmbedSettings, {**settings, **native, **options, **CPU})


def embed(configuration, workspace, **options):
    return compute_embeddings(settings_of(**options), Run(configuration, workspace))


def contents(workspace, name="val"):
    """Segments with their vectors, in an order that does not depend on how they arrived."""
    catalogue = Catalogue.open(workspace.catalogue_folder(name))
    keys = list(zip(catalogue.segments["image_id"], catalogue.segments["segment_id"], strict=True))
    assert len(set(keys)) == len(keys)
    order = sorted(range(len(keys)), key=keys.__getitem__)
    evaluated = catalogue.table(PREDICTED_IOU)
    return [keys[i] for i in order], np.asarray(catalogue.vectors)[order], set(evaluated["image_id"])


def assert_as_if_fresh(configuration, workspace, **options):
    """The catalogue ``val`` equals one that the same settings make from nothing."""
    keys, vectors, evaluated = contents(workspace)
    embed(configuration, workspace, save_file="fresh", **options)
    expected, expected_vectors, expected_evaluated = contents(workspace, "fresh")
    assert keys == expected and evaluated == expected_evaluated
    np.testing.assert_allclose(vectors, expected_vectors, rtol=1e-4, atol=1e-4)


# -- the images asked for ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "rule",
    [
        {"select_number": 8},
        pytest.param({"select_quantile": 0.5, "select_by": "novelty"}, marks=pytest.mark.slow),
    ],
)
def test_a_catalogue_of_the_first_images_grows_to_what_a_fresh_one_holds(configuration, fitted, rule, caplog):
    caplog.set_level("INFO")
    embed(configuration, fitted, limit=2, **rule)
    assert contents(fitted)[2] == {"0016E5_00000", "0016E5_00100"}
    caplog.clear()
    result = embed(configuration, fitted, **rule)
    said = f"{result['segments']} of {result['considered']} segments selected"
    assert said in caplog.text and result["segments"] == len(contents(fitted)[0])
    assert_as_if_fresh(configuration, fitted, **rule)


@pytest.mark.slow
def test_what_stays_has_the_novelty_that_it_has_among_more_segments(configuration, fitted, monkeypatch):
    monkeypatch.setattr("oodretrieval.novelty.model.MIN_PIXELS", 4)
    monkeypatch.setattr("oodretrieval.novelty.likeness.PER_NEIGHBOUR", 2)
    rule = {"select_by": "novelty", "select_number": 30}

    def scores(name):
        catalogue = Catalogue.open(fitted.catalogue_folder(name))
        return catalogue.segments.set_index(["image_id", "segment_id"])[SELECT_SCORE].sort_index()

    embed(configuration, fitted, limit=3, **rule)
    before = scores("val")
    embed(configuration, fitted, **rule)
    assert_as_if_fresh(configuration, fitted, **rule)
    after = scores("val")
    pd.testing.assert_series_equal(after, scores("fresh"))
    both = before.index.intersection(after.index)
    assert len(both) and (before[both] != after[both]).any()


def test_what_stays_selected_is_not_embedded_again(configuration, fitted, monkeypatch):
    embed(configuration, fitted, limit=3, select_number=8)
    before = set(contents(fitted)[0])
    embedded = []
    real = embedder.embed_candidates

    def counting(network, images, views, **options):
        vectors = real(network, images, views, **options)
        embedded.append(len(vectors))
        return vectors

    monkeypatch.setattr(embedder, "embed_candidates", counting)
    embed(configuration, fitted, select_number=8)
    after = set(contents(fitted)[0])
    assert sum(embedded) == len(after - before) and before & after and before - after


def test_a_finished_catalogue_is_not_cut_by_a_limit(configuration, fitted):
    embed(configuration, fitted, select_number=8)
    before = contents(fitted)
    with pytest.raises(
        StoreError, match=r"of 6 images of 'val'.*args.limit=3.*args.save_file.*args.overwrite"
    ):
        embed(configuration, fitted, select_number=8, limit=3)
    after = contents(fitted)
    assert after[0] == before[0] and after[2] == before[2]
    result = embed(configuration, fitted, select_number=8, limit=3, overwrite=True)
    assert result["segments"] == len(contents(fitted)[0]) <= result["considered"]
    assert_as_if_fresh(configuration, fitted, select_number=8, limit=3)


def test_another_number_is_refused_and_the_way_out_is_another_catalogue(configuration, fitted):
    embed(configuration, fitted, select_number=8)
    with pytest.raises(SettingsMismatchError, match="select_number: was 8, now 4.*another args.save_file"):
        embed(configuration, fitted, select_number=4)


def test_images_that_have_gone_take_their_segments_with_them(configuration, fitted, monkeypatch):
    embed(configuration, fitted, select_number=8)
    gone = contents(fitted)[0][0][0]

    def without(*arguments):
        dataset = open_dataset(*arguments)
        return subset_by_index(dataset, [i for i, image in enumerate(dataset.ids) if image != gone])

    monkeypatch.setattr("oodretrieval.experiment.datasets.open_dataset", without)
    embed(configuration, fitted, select_number=8)
    assert gone not in contents(fitted)[2] and len(contents(fitted)[0]) == 8


@pytest.mark.slow
def test_a_run_that_broke_off_is_completed_with_another_limit(configuration, fitted, monkeypatch):
    real = embedder.embed_candidates

    def broken_off(*arguments, **options):
        monkeypatch.setattr(embedder, "embed_candidates", refuse)
        return real(*arguments, **options)

    def refuse(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(embedder, "embed_candidates", broken_off)
    monkeypatch.setattr(embedding_stage, "blocks", lambda count: ((i, range(i, i + 1)) for i in range(count)))
    with pytest.raises(KeyboardInterrupt):
        embed(configuration, fitted, select_number=8, limit=3)
    monkeypatch.setattr(embedder, "embed_candidates", real)
    embed(configuration, fitted, select_number=8)
    assert_as_if_fresh(configuration, fitted, select_number=8)


# -- without what the rule does not need -------------------------------------------------------------------


def test_a_rule_without_predicted_iou_needs_no_meta_model(configuration, fitted, caplog):
    caplog.set_level("INFO")
    for path in (fitted.path / "meta_models").iterdir():
        path.unlink()
    embed(configuration, fitted, select_number=8)
    catalogue = Catalogue.open(fitted.catalogue_folder("val"))
    assert "predicted_iou" not in catalogue.segments and len(catalogue) == 8
    assert catalogue.settings["meta_model"] == ""
    assert "without predicted IoU" in caplog.text
    with pytest.raises(WeightsError, match="train_meta_nn"):
        embed(configuration, fitted, select_by="predicted_iou", save_file="published")
    with pytest.raises(UnknownNameError, match="did you mean 'linear'"):
        embed(configuration, fitted, select_number=8, meta_model_name="liner")


def evaluate(configuration, workspace, **options):
    sizes = {"min_pixels": 40, "min_height": 6, "min_width": 6, "repetitions": 3}
    settings = from_mapping(
        SelectionSettings,
        {"dataset": "val", "select_by": "entropy", "select_number": 8, **NAMES, **sizes, **options, **CPU},
    )
    return eval_selection(settings, Run(configuration, workspace))


def test_a_selection_is_evaluated_without_a_meta_model(configuration, fitted):
    with_it = evaluate(configuration, fitted)
    for path in (fitted.path / "meta_models").iterdir():
        path.unlink()
    without = evaluate(configuration, fitted)
    assert with_it["orders"].pop("predicted IoU")
    assert "predicted IoU" not in without["orders"]
    without.pop("files"), with_it.pop("files")
    assert repr(without) == repr(with_it)  # NaN is not equal to itself


# -- one damaged image -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("damaged", "select_by"),
    [
        *(("image", "novelty"), ("prediction", "entropy")),
        *(
            pytest.param(*both, marks=pytest.mark.slow)
            for both in (("image", "entropy"), ("prediction", "novelty"))
        ),
    ],
)
def test_an_image_that_cannot_be_read_is_left_out_and_the_rest_is_evaluated(
    configuration, fitted, camvid, tmp_path, select_by, damaged
):
    lost = "0016E5_00200"
    shutil.rmtree(fitted.segments_folder(Stored("colour", "val")) / "features", ignore_errors=True)
    root = tmp_path / "copy"
    shutil.copytree(camvid, root)
    common = {"dataset": "val", "model_name": "colour", "root": str(root), "overwrite": True}
    pred_images(from_mapping(PredictSettings, {**common, **CPU}), Run(configuration, fitted))
    compute_metrics(from_mapping(MetricsSettings, {**common}), Run(configuration, fitted))
    path = {
        "image": root / "val" / f"{lost}.png",
        "prediction": fitted.prediction_path(Stored("colour", "val"), lost),
    }[damaged]
    path.write_bytes(path.read_bytes()[:300])
    folder = tmp_path / "figures"
    with pytest.raises(PartialFailure, match=lost) as raised:
        evaluate(configuration, fitted, root=str(root), select_by=select_by, save_dir=str(folder))
    assert list(raised.value.failures) == [lost]
    page = next(folder.glob("*.md")).read_text()
    assert "| images | 5 |" in page or "images: 5" in page


def test_where_no_prediction_can_be_read_each_is_named(configuration, fitted):
    paths = sorted(fitted.prediction_folder(Stored("colour", "val")).glob("*.h5"))
    for path in paths:
        path.write_bytes(path.read_bytes()[:300])
    with pytest.raises((PartialFailure, StoreError)) as raised:
        evaluate(configuration, fitted, select_by="entropy")
    assert "damaged" in str(raised.value)
    assert "min_pixels" not in str(raised.value)


def test_what_has_no_truth_is_distinguished_from_what_lost_it(configuration, fitted, camvid, tmp_path):
    with pytest.raises(TableError, match="'images' has no truth.*report.py"):
        evaluate(configuration, fitted, dataset="images")
    root = tmp_path / "without"
    shutil.copytree(camvid, root)
    predicted = from_mapping(
        PredictSettings, {"dataset": "images", "model_name": "colour", "root": str(root / "val"), **CPU}
    )
    pred_images(predicted, Run(configuration, fitted))
    for path in fitted.prediction_folder(Stored("colour", "val")).glob("*.h5"):
        strip_labels(fitted, path)
    compute_metrics(MetricsSettings(dataset="val", model_name="colour"), Run(configuration, fitted))
    with pytest.raises(TableError, match="'val' holds labels.*had none when they were predicted.*overwrite"):
        evaluate(configuration, fitted)


def strip_labels(workspace, path):
    prediction = read_prediction(workspace, "colour", "val", path.stem)
    write_prediction(path, replace(prediction, labels=None))


# -- names and shapes --------------------------------------------------------------------------------------


def test_a_mistyped_catalogue_gets_a_suggestion(configuration, fitted):
    embed(configuration, fitted, select_number=8)
    with pytest.raises(UnknownNameError, match="unknown catalogue 'vla'; did you mean 'val'"):
        eval_retrieval(RetrievalSettings(embeddings_file="vla"), Run(configuration, fitted))
    with pytest.raises(UnknownNameError, match="did you mean 'val'"):
        embed_again(settings_of(load_file="vla", net="efficientnet_lite1"), Run(configuration, fitted))


@pytest.mark.slow
def test_embedding_again_needs_no_root(configuration, fitted, camvid, tmp_path):
    root = tmp_path / "elsewhere"
    shutil.copytree(camvid, root)
    common = {"dataset": "val", "model_name": "colour", "root": str(root), "overwrite": True}
    pred_images(from_mapping(PredictSettings, {**common, **CPU}), Run(configuration, fitted))
    compute_metrics(from_mapping(MetricsSettings, {**common}), Run(configuration, fitted))
    embed(configuration, fitted, select_number=8, root=str(root))
    again = {"load_file": "val", "net": "efficientnet_lite1", "select_number": 8}
    embed_again(settings_of(**again, save_file="by_root", root=str(root)), Run(configuration, fitted))
    # other images of the same names lie where the entry says
    entry = configuration.datasets["val"]
    strange = tmp_path / "strange"
    shutil.copytree(root, strange)
    for path in (strange / "val").glob("*.png"):
        shutil.copy(next((root / "train").glob("*.png")), path)
    entry.kwargs["root"] = str(strange)
    embed_again(settings_of(**again, save_file="by_path"), Run(configuration, fitted))
    np.testing.assert_array_equal(contents(fitted, "by_path")[1], contents(fitted, "by_root")[1])
    shutil.rmtree(strange)
    shutil.rmtree(fitted.catalogue_folder("by_path"))
    embed_again(settings_of(**again, save_file="by_path"), Run(configuration, fitted))
    np.testing.assert_array_equal(contents(fitted, "by_path")[1], contents(fitted, "by_root")[1])


@pytest.mark.slow
def test_embedding_again_after_a_run_that_broke_off_says_what_to_do(configuration, fitted, monkeypatch):
    embed(configuration, fitted, limit=2, select_number=8)
    monkeypatch.setattr(
        embedding_stage.CatalogueWriter, "commit", lambda self: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    with pytest.raises(KeyboardInterrupt):
        embed(configuration, fitted, select_number=8)
    monkeypatch.undo()
    again = settings_of(load_file="val", net="efficientnet_lite1")
    with pytest.raises(StoreError, match=r"broke off.*compute_embeddings.*args.save_file"):
        embed_again(again, Run(configuration, fitted))
    embed_again(
        settings_of(load_file="val", save_file="copy", net="efficientnet_lite1"), Run(configuration, fitted)
    )
    assert len(Catalogue.open(fitted.catalogue_folder("copy")).vectors) == len(contents(fitted)[0])
    embed(configuration, fitted, select_number=8)
    embed_again(again, Run(configuration, fitted))


@pytest.mark.slow
def test_a_copy_of_a_catalogue_that_has_grown_is_not_taken_for_it(configuration, fitted):
    embed(configuration, fitted, limit=2, select_number=8)
    again = settings_of(load_file="val", save_file="copy", net="efficientnet_lite1")
    embed_again(again, Run(configuration, fitted))
    embed(configuration, fitted, select_number=8)
    with pytest.raises(StoreError, match="holds other segments than.*args.overwrite=True.*args.save_file"):
        embed_again(again, Run(configuration, fitted))
    assert Path(fitted.catalogue_folder("copy")).is_dir()
