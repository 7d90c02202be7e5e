"""Objects as candidates, from predictions to the catalogue, on the miniature."""

import base64
import io
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from oodretrieval.charts.contact_sheets import tiles
from oodretrieval.errors import PartialFailure, SettingsError, SettingsMismatchError, StoreError
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import CommonSettings, from_mapping
from oodretrieval.images import read_image
from oodretrieval.masks import decode_mask, encode_mask
from oodretrieval.novelty import NoveltyModel, WindowBank, load_novelty_model, save_novelty_model
from oodretrieval.novelty.neighbours import FeatureBank
from oodretrieval.novelty.standardisation import Standardisation
from oodretrieval.regions import ScoreWeights, pool_features
from oodretrieval.stages.discover.class_evidence import class_evidence
from oodretrieval.stages.measure.compute_metrics import compute_metrics
from oodretrieval.stages.measure.settings import MetricsSettings
from oodretrieval.stages.predict.pred_images import pred_images
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stages.report.report_segments import candidate_sheet
from oodretrieval.stages.select.compute_embeddings import compute_embeddings
from oodretrieval.stages.select.embed_again import embed_again
from oodretrieval.stages.select.region_description import SEEN_COMPONENTS, described_regions
from oodretrieval.stages.select.settings import EmbedSettings
from oodretrieval.stores import (
    OWN_SCORE,
    PREDICTED_IOU,
    SELECT_SCORE,
    Catalogue,
    Prediction,
    Stored,
    read_prediction,
    read_segments,
)
from oodretrieval.stores.regions import regions_folder

CPU = {"gpu": -1}
NAMES = ("colour", "val")
BOX = ["left", "top", "right", "bottom"]


def embed(configuration, workspace, **options):
    settings = {
        "dataset": ("val",),
        "model_name": "colour",
        "min_height": 2,
        "min_width": 2,
        "select_quantile": 0.5,
    }
    settings |= {"candidates": "objects", **CPU, **options}
    compute_embeddings(from_mapping(EmbedSettings, settings), Run(configuration, workspace))
    return Catalogue.named(workspace, settings.get("save_file", "val"))


def test_a_row_is_a_region_with_its_mask(configuration, fitted):
    catalogue = embed(configuration, fitted)
    rows, masks = catalogue.segments, catalogue.masks
    assert catalogue.candidates == "objects"
    assert len(rows) == len(masks) == len(catalogue.vectors) > 6
    assert (rows[BOX].to_numpy() == [mask.box for mask in masks]).all()
    assert rows["S"].tolist() == [mask.area for mask in masks]
    for image, places in rows.groupby("image_id").indices.items():
        prediction = read_prediction(fitted, *NAMES, str(image))
        covered = sum(decode_mask(masks[place]).astype(int) for place in places)
        assert covered.max() == 1  # none overlaps another
        for place in places:
            inside = decode_mask(masks[place])
            row = rows.iloc[place]
            assert row["class"] == np.bincount(prediction.prediction[inside]).argmax()
            assert row["label"] == np.bincount(prediction.labels[inside]).argmax()
            assert row["unknown_fraction"] == pytest.approx(
                (prediction.unknown()[inside] == 1).mean(), abs=1e-6
            )


@pytest.mark.slow
def test_all_segments_of_the_images_keep_their_scores_in_the_table(configuration, fitted):
    catalogue = embed(configuration, fitted)
    every = catalogue.table(PREDICTED_IOU)
    assert len(every) == len(read_segments(fitted, *NAMES))


def test_unknown_things_come_first(configuration, fitted):
    rows = embed(configuration, fitted, select_quantile=0.0).segments
    first = rows.sort_values(SELECT_SCORE, ascending=False).head(8)
    assert first["unknown_fraction"].mean() > rows["unknown_fraction"].mean()


def test_objects_of_an_image_whose_prediction_is_gone_stay_as_they_were(
    configuration, fitted, tmp_path, caplog
):
    """Names given to them stay theirs; with the prediction back, all is as before."""
    before = embed(configuration, fitted, select_number=8, save_file="kept")
    rows, vectors, image = before.segments, np.array(before.vectors), before.segments["image_id"].iloc[0]
    (prediction,) = fitted.path.glob(f"predictions/colour/val/**/{image}.h5")
    shutil.move(prediction, tmp_path / "aside.h5")
    try:
        with pytest.raises(PartialFailure, match=image):
            embed(configuration, fitted, select_number=8, save_file="kept")
    finally:
        shutil.move(tmp_path / "aside.h5", prediction)
    assert "candidates of 1 image(s) that cannot be read now stay as they were" in caplog.text
    after = Catalogue.named(fitted, "kept")
    there = (after.segments["image_id"] == image).to_numpy()
    pd.testing.assert_frame_equal(after.segments[there], rows[rows["image_id"] == image], check_like=True)
    assert np.asarray(after.vectors)[there].tobytes() == vectors[rows["image_id"] == image].tobytes()
    again = embed(configuration, fitted, select_number=8, save_file="kept").segments
    same = ["image_id", "segment_id"]
    pd.testing.assert_frame_equal(
        again.sort_values(same, ignore_index=True), rows.sort_values(same, ignore_index=True)
    )


@pytest.mark.slow
def test_rules_of_selection_hold_for_objects(configuration, fitted):
    every = embed(configuration, fitted, select_quantile=0.0, save_file="every").segments
    some = embed(configuration, fitted, select_number=5, save_file="some").segments
    assert len(some) == 5
    highest = every[SELECT_SCORE].sort_values(ascending=False)
    assert sorted(some[SELECT_SCORE]) == sorted(highest[:5])
    fewer = embed(configuration, fitted, select_quantile=0.9, save_file="fewer").segments
    assert len(fewer) < len(every)
    assert fewer[SELECT_SCORE].min() > every[SELECT_SCORE].min()
    large = embed(configuration, fitted, select_quantile=0.0, min_pixels=100, save_file="large").segments
    assert len(large) == (every["S"] >= 100).sum()


def test_above_a_quantile_come_the_first_in_the_order_of_looking(configuration, fitted, monkeypatch):
    every = embed(configuration, fitted, select_quantile=0.8, save_file="every").segments
    images = every["image_id"].nunique()
    assert len(every) > images, "else nothing is left out"
    monkeypatch.setattr("oodretrieval.stages.select.compute_embeddings.OBJECTS_AN_IMAGE", 1)
    first = embed(configuration, fitted, select_quantile=0.8, save_file="first").segments
    assert sorted(first[SELECT_SCORE]) == sorted(every[SELECT_SCORE].nlargest(images))
    numbered = embed(configuration, fitted, select_number=images + 1, save_file="numbered").segments
    assert len(numbered) == images + 1


def test_classes_are_as_novel_as_their_objects_by_themselves(configuration, fitted):
    catalogue = embed(configuration, fitted, select_quantile=0.0)
    own, order = (catalogue.segments[name].to_numpy() for name in (OWN_SCORE, SELECT_SCORE))
    assert (own != order).any()
    evidence = class_evidence(catalogue, Run(configuration, fitted), CommonSettings(gpu=-1))
    np.testing.assert_array_equal(evidence.novelty, own)


@pytest.mark.slow
def test_processes_give_what_one_gives(configuration, fitted):
    one = embed(configuration, fitted, save_file="one")
    shutil.rmtree(fitted.regions_folder(Stored(*NAMES)))
    two = embed(configuration, fitted, num_cores=2, save_file="two")
    assert one.segments.equals(two.segments)
    np.testing.assert_array_equal(one.vectors, two.vectors)


def test_regions_are_described_once_and_again_where_they_are_damaged(configuration, fitted):
    before = embed(configuration, fitted).segments
    files = sorted(regions_folder(fitted, Stored(*NAMES), "regions").rglob("*.h5"))
    times = [file.stat().st_mtime_ns for file in files]
    content = bytearray(files[1].read_bytes())
    content[len(content) // 2] ^= 255
    files[1].write_bytes(content)
    after = embed(configuration, fitted).segments
    assert after.equals(before)
    changed = [file.stat().st_mtime_ns != time for file, time in zip(files, times, strict=True)]
    assert changed == [number == 1 for number in range(len(files))]


@pytest.mark.slow
def test_segments_and_objects_do_not_mix(configuration, fitted):
    embed(configuration, fitted)
    with pytest.raises(SettingsMismatchError, match="candidates"):
        embed(configuration, fitted, candidates="segments")
    assert embed(configuration, fitted, candidates="segments", overwrite=True).candidates == "segments"


def test_a_segments_mask_is_its_component(configuration, fitted):
    catalogue = embed(configuration, fitted, candidates="segments", select_quantile=0.0)
    rows = catalogue.segments
    for place in range(0, len(rows), 3):
        components = read_prediction(fitted, *NAMES, rows["image_id"][place]).components()
        expected = components == rows["segment_id"][place]
        np.testing.assert_array_equal(decode_mask(catalogue.masks[place]), expected)


@pytest.mark.slow
def test_a_copy_with_another_embedding_keeps_the_masks(configuration, fitted):
    source = embed(configuration, fitted, select_number=3)
    settings = {"load_file": "val", "save_file": "copy", "net": "efficientnet_lite0", "crop_size": 32, **CPU}
    embed_again(from_mapping(EmbedSettings, settings), Run(configuration, fitted))
    copy = Catalogue.named(fitted, "copy")
    assert [mask.counts.tolist() for mask in copy.masks] == [mask.counts.tolist() for mask in source.masks]
    assert copy.candidates == "objects"


@pytest.mark.slow
def test_few_images_to_compare_regions_with_are_said(configuration, fitted, caplog):
    embed(configuration, fitted, select_number=3)
    (said,) = [each.getMessage() for each in caplog.records if "compared with those of" in each.getMessage()]
    assert f"of {len(Run(configuration, fitted).dataset('val'))} images only" in said


def test_a_tile_shows_what_is_around_an_object(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(np.zeros((200, 300, 3), np.uint8)).save(path)
    mask = np.zeros((200, 300), bool)
    mask[50:150, 80:200] = True
    row = pd.DataFrame([{"left": 80, "top": 50, "right": 200, "bottom": 150, "image_path": str(path)}])
    (tile,) = tiles(
        row, lambda each: read_image(Path(each)), lambda _: (), by="image_path", masks=[encode_mask(mask)]
    )
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(tile.picture.split(",")[1]))).convert("L"))
    edge = np.concatenate(
        [picture[:3].ravel(), picture[-3:].ravel(), picture[:, :3].ravel(), picture[:, -3:].ravel()]
    )
    assert picture.max() > 150 and edge.max() < 60, "the outline is inside on all sides"


def test_the_report_outlines_masks(configuration, fitted):
    catalogue = embed(configuration, fitted, select_number=4)
    sheet = candidate_sheet(catalogue, 4)
    rows = catalogue.segments.sort_values(SELECT_SCORE, ascending=False, kind="stable")
    plain = tiles(rows, lambda path: read_image(Path(path)), lambda row: (), by="image_path")
    assert 0 < len(sheet.tiles) <= 4
    assert not {tile.picture for tile in sheet.tiles} & {tile.picture for tile in plain}


def test_settings_that_make_no_sense_are_refused():
    for options, said in (
        ({"candidates": "objects", "select_by": "predicted_iou"}, "score of predicted segments"),
        ({"proposals": "sam", "proposals_weights": "folder"}, "args.candidates=objects"),
        ({"candidates": "objects", "proposals": "sam"}, "args.proposals_weights"),
        ({"candidates": "objects", "proposals_weights": "folder"}, "args.proposals_weights"),
        ({"candidates": "things"}, "segments, objects"),
    ):
        with pytest.raises(SettingsError, match=said):
            from_mapping(EmbedSettings, {"dataset": ("val",), **options})


def test_a_model_that_knows_no_windows_is_refused_with_the_way_out(configuration, fitted):
    path = Run(configuration, fitted).novelty_model_path("colour")
    model = load_novelty_model(path)
    assert model.windows is not None
    save_novelty_model(replace(model, windows=None), path)
    with pytest.raises(SettingsError, match="knows no windows.*train_novelty.*overwrite=True"):
        embed(configuration, fitted)


def test_without_logits_there_are_no_objects(configuration, fitted):
    run = Run(configuration, fitted)
    settings = {"dataset": "val", "model_name": "colour", "keep": "softmax", "overwrite": True, **CPU}
    pred_images(from_mapping(PredictSettings, settings), run)
    compute_metrics(
        MetricsSettings(dataset="val", model_name="colour", common=CommonSettings(overwrite=True)), run
    )
    with pytest.raises(StoreError, match="args.keep=logits"):
        embed(configuration, fitted, select_by="entropy")


def test_an_image_of_one_colour_has_no_regions():
    image, labels = np.full((40, 60, 3), 90, np.uint8), np.zeros((40, 60), np.uint8)
    prediction = Prediction(prediction=labels, labels=labels, logits=np.zeros((3, 10, 15)), num_classes=3)
    bank = FeatureBank.of(np.eye(4), np.zeros(4, int), np.arange(4))
    usual = Standardisation.of(np.arange(9.0))
    known = NoveltyModel(bank, usual, usual, usual, {}, 3, windows=WindowBank.of(np.eye(4)))
    found = described_regions(
        image, prediction, np.ones((4, 3, 4)), known, window_features=np.ones((4, 3, 4), np.float32)
    )
    assert set(ScoreWeights().evidence) <= set(found.columns)
    assert len(found.tree) == 0
    assert {len(values) for values in found.columns.values()} == {0}


def test_what_is_kept_of_superpixels_gives_the_classes_and_features_of_regions():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 40, (40, 60, 3)).astype(np.uint8)
    image[10:25, 20:40] += 150
    predicted, windows = rng.integers(0, 3, (40, 60)).astype(np.uint8), rng.normal(size=(20, 3, 4))
    prediction = Prediction(prediction=predicted, logits=rng.normal(size=(3, 10, 15)), num_classes=3)
    bank = FeatureBank.of(np.eye(4), np.zeros(4, int), np.arange(4))
    usual = Standardisation.of(np.arange(9.0))
    known = NoveltyModel(bank, usual, usual, usual, {}, 3, windows=WindowBank.of(rng.normal(size=(50, 20))))
    found = described_regions(image, prediction, rng.normal(size=(4, 3, 4)), known, window_features=windows)
    shares = found.tree.means(found.classes)
    for region, mask in enumerate(found.tree.masks):
        expected = np.bincount(predicted[decode_mask(mask)], minlength=3) / mask.area
        np.testing.assert_allclose(shares[region], expected)
    pooled = pool_features(found.tree, known.windows.turned(windows))[:, :SEEN_COMPONENTS]
    np.testing.assert_allclose(found.tree.means(found.features), pooled)


def test_an_image_of_another_size_than_its_prediction_is_refused():
    prediction = Prediction(
        prediction=np.zeros((40, 60), np.uint8), logits=np.zeros((3, 10, 15)), num_classes=3
    )
    with pytest.raises(StoreError, match="predict again"):
        described_regions(np.zeros((41, 60, 3), np.uint8), prediction, np.ones((4, 3, 4)), None)
