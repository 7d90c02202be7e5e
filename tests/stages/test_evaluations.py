"""The evaluations on a miniature: their measures against plain computations from the same stored predictions."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy import ndimage
from scipy.special import logsumexp
from sklearn.metrics import average_precision_score, roc_auc_score
from stores.earlier import without_checksum

from oodretrieval.choices import DEFAULT_NET
from oodretrieval.entries import EmbeddingEntry
from oodretrieval.errors import (
    PartialFailure,
    SettingsError,
    SettingsMismatchError,
    StoreError,
    TableError,
    UnknownNameError,
)
from oodretrieval.evaluation import PIXEL_SCORES, component_scores, pool_components
from oodretrieval.experiment.configuration import load_configuration
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.files import verify
from oodretrieval.results.saved_results import read_results
from oodretrieval.segments import label_components
from oodretrieval.stages.discover.search_classes import search_classes
from oodretrieval.stages.discover.settings import SearchSettings
from oodretrieval.stages.evaluate.eval_iou import eval_iou
from oodretrieval.stages.evaluate.eval_retrieval import eval_retrieval
from oodretrieval.stages.evaluate.meta.eval_meta import eval_meta
from oodretrieval.stages.evaluate.meta.settings import EvalMetaSettings
from oodretrieval.stages.evaluate.ood.eval_ood import ORACLE, eval_ood
from oodretrieval.stages.evaluate.ood.ood_measures import ood_tables
from oodretrieval.stages.evaluate.ood.settings import OodSettings
from oodretrieval.stages.evaluate.selection.eval_selection import eval_selection
from oodretrieval.stages.evaluate.selection.settings import SelectionSettings
from oodretrieval.stages.evaluate.settings import IouSettings, RetrievalSettings
from oodretrieval.stages.fit.compute_logit_statistics import compute_logit_statistics, find_logit_statistics
from oodretrieval.stages.fit.settings import LogitStatisticsSettings, TrainMetaSettings
from oodretrieval.stages.fit.train_meta_nn import train_meta_nn
from oodretrieval.stages.measure.compute_metrics import compute_metrics
from oodretrieval.stages.measure.settings import MetricsSettings
from oodretrieval.stages.predict.pred_images import pred_images
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stages.select.compute_embeddings import EmbedSettings, compute_embeddings
from oodretrieval.stores import Stored, Workspace, read_prediction, read_segments

NETWORK = {"dataset": "val", "model_name": "colour"}
EVALUATED = {**NETWORK, "meta_model_name": "linear", "repetitions": 20, "block": 2}
SELECTED = {**EVALUATED, "select_by": "predicted_iou", "min_pixels": 20, "min_height": 6, "min_width": 6}
CPU = {"gpu": -1}


@pytest.fixture(scope="module")
def made(configuration_in, trained_once, tmp_path_factory):
    """Configuration and workspace of train and val: predicted, measured, a meta model trained. To be read only."""
    folder = tmp_path_factory.mktemp("evaluated")
    shutil.copytree(trained_once.path, folder / "workspace")
    return configuration_in(folder), Workspace(folder / "workspace")


@pytest.fixture
def own(made, tmp_path):
    """A copy of all that, to be written to."""
    configuration, workspace = made
    shutil.copytree(workspace.path, tmp_path / "workspace")
    return configuration, Workspace(tmp_path / "workspace")


@pytest.fixture(scope="module")
def evaluated(made, tmp_path_factory):
    """The measures of eval_ood, and where they were saved."""
    folder = tmp_path_factory.mktemp("ood")
    settings = from_mapping(
        OodSettings, {**EVALUATED, "dataset_val": "train", "save_dir": str(folder), "pictures": 2}
    )
    return eval_ood(settings, Run(*made)), folder


def plain_scores(made):
    """Every score and the truth of all images, one array each, by the words of the definitions."""
    configuration, workspace = made
    table = read_segments(workspace, "colour", "val")
    table["iou_estimate"] = (
        Run(configuration, workspace).trained.meta_model("linear", "colour").predict(table)
    )
    statistics = find_logit_statistics(Run(configuration, workspace), "colour")
    scores, truths = {name: [] for name in PIXEL_SCORES}, []
    for image_id, rows in table.groupby("image_id", sort=False):
        prediction = read_prediction(workspace, "colour", "val", image_id)
        z, p = prediction.full_logits().astype(float), prediction.probabilities().astype(float)
        best = z.argmax(axis=2)
        estimate = dict(zip(rows["segment_id"], rows["iou_estimate"], strict=True))
        ids = label_components(prediction.prediction)
        maps = {
            "max_softmax": 1 - p.max(axis=2),
            "entropy": -(p * np.log(p + np.finfo(np.float32).eps)).sum(axis=2) / np.log(9),
            "energy": -logsumexp(z, axis=2),
            "max_logit": -z.max(axis=2),
            "standardised_max_logit": -(z.max(axis=2) - statistics.mean[best]) / statistics.std[best],
            "expected_iou": 1 - np.vectorize(estimate.get)(ids),
        }
        maps["smoothed_energy"] = ndimage.gaussian_filter(
            maps["energy"], 0.02 * np.sqrt(72 * 96), mode="nearest"
        )
        for name, values in maps.items():
            scores[name].append(values)
        truths.append(np.select([prediction.labels == 11, prediction.labels >= 9], [255, 1], 0))
    return {name: np.array(values) for name, values in scores.items()}, np.array(truths)


def test_measures_of_pixels_are_those_of_scikit_learn(made, evaluated):
    scores, truth = plain_scores(made)
    kept = truth != 255
    assert tuple(evaluated[0]["scores"]) == PIXEL_SCORES
    for name, measures in evaluated[0]["scores"].items():
        pixels = measures["pixels"]
        assert pixels["auroc"] == pytest.approx(roc_auc_score(truth[kept], scores[name][kept]), abs=2e-4), (
            name
        )
        expected = average_precision_score(truth[kept], scores[name][kept])
        assert pixels["auprc"] == pytest.approx(expected, abs=1e-3), name
        assert pixels["exact"] and pixels["auroc_error"] == 0
        assert pixels["prevalence"] == (truth[kept] == 1).mean()
        low, high = pixels["intervals"]["auroc"]
        assert low <= high and low >= 0 and high <= 1


def test_measures_of_components_are_those_of_thresholding_each_image(made, evaluated):
    scores, truth = plain_scores(made)
    for where in ("train", ORACLE):
        found = evaluated[0]["scores"]["entropy"]["components"][where]
        area = 72 * 96 / (1280 * 720)
        images = [
            component_scores(
                np.float32(values) >= np.float32(found["threshold"]),
                labels,
                min_predicted=round(500 * area),
                min_true=round(100 * area),
            )
            for values, labels in zip(scores["entropy"], truth, strict=True)
        ]
        pooled = pool_components(images)
        assert found["mean_siou"] == pytest.approx(pooled.mean_siou, abs=0.02)
        assert found["mean_f1"] == pytest.approx(pooled.mean_f1, abs=0.02)
        assert found["objects"] == len(pooled.siou)


def test_the_oracle_is_chosen_on_the_evaluated_images_and_the_other_is_not(made, evaluated, tmp_path):
    components = evaluated[0]["scores"]["energy"]["components"]
    assert components["train"]["threshold"] != components[ORACLE]["threshold"]
    settings = from_mapping(
        OodSettings, {**EVALUATED, "scores": ("energy",), "save_dir": str(tmp_path), "pictures": 0}
    )
    alone = eval_ood(settings, Run(*made))["scores"]["energy"]["components"]
    assert alone == {ORACLE: components[ORACLE]}


def test_results_are_saved_with_their_rules_tables_and_pictures(evaluated):
    (saved,) = read_results(evaluated[1])
    assert saved.stem == "ood_colour_val"
    assert saved.context["void_rule"].endswith("unknown: pedestrian, bicyclist")
    assert "F1 of pixels on train; oracle" in saved.context["threshold"]
    assert "moving blocks of 2 images" in saved.context["intervals"]
    assert any("expected_iou: no threshold from train, whose images" in note for note in saved.notes)
    assert "train" not in evaluated[0]["scores"]["expected_iou"]["components"]
    assert any("one clip" in note for note in saved.notes)
    scores = evaluated[0]["scores"]
    best = max((n for n in scores if n != "smoothed_energy"), key=lambda n: scores[n]["pixels"]["auprc"])
    assert scores[best]["pixels"]["differences"]["auroc"][0] == 0
    assert list(saved.tables) == [
        "pixels",
        f"pixels, difference to {best}",
        "components, threshold from train",
        f"components, threshold from {ORACLE}",
    ]
    assert [row[0] for row in saved.tables["pixels"][1:]] == list(PIXEL_SCORES)
    assert len(saved.pictures) == 3 and all(path.stat().st_size > 10_000 for path in saved.pictures.values())


def test_no_evaluation_measures_a_model_on_what_it_was_fitted_on(made, tmp_path):
    """The meta model learned from train; of its first three images only a part is left elsewhere."""
    own = {**EVALUATED, "dataset": "train", "save_dir": str(tmp_path)}
    for evaluate in (
        lambda: eval_iou(from_mapping(IouSettings, {**own}), Run(*made)),
        lambda: eval_selection(from_mapping(SelectionSettings, {**SELECTED, **own}), Run(*made)),
        lambda: eval_meta(from_mapping(EvalMetaSettings, {**own}), Run(*made)),
        lambda: eval_meta(from_mapping(EvalMetaSettings, {**own, "others": ("linear",)}), Run(*made)),
    ):
        with pytest.raises(TableError, match="meta model 'linear' was fitted on the very images of 'train'"):
            evaluate()
    with pytest.raises(StoreError, match="score expected_iou.*very images of 'train'"):
        eval_ood(from_mapping(OodSettings, {**own, "scores": ("expected_iou",)}), Run(*made))
    found = eval_ood(from_mapping(OodSettings, {**own, "pictures": 0}), Run(*made))
    assert "very images" in found["left_out"]["expected_iou"] and "energy" in found["scores"]
    without = eval_iou(from_mapping(IouSettings, {**own, "meta_model_name": ""}), Run(*made))
    assert without["images"] == 6, "the IoU alone is not the meta model's"


@pytest.mark.slow
def test_images_that_were_learned_from_are_left_out_and_it_is_said(own, tmp_path):
    run = Run(*own)
    settings = {"dataset": "val", "dataset_val": "train", "model_name": "colour", "meta_model": "linear"}
    train_meta_nn(
        from_mapping(TrainMetaSettings, {**settings, "meta_model_name": "few", "limit": 2, **CPU}), run
    )
    there = {**EVALUATED, "meta_model_name": "few", "save_dir": str(tmp_path)}
    for result in (
        eval_iou(from_mapping(IouSettings, {**there}), run),
        eval_ood(from_mapping(OodSettings, {**there, "pictures": 0}), run),
        eval_selection(from_mapping(SelectionSettings, {**SELECTED, **there}), run),
        eval_meta(from_mapping(EvalMetaSettings, {**there, "pictures": 0, "permutations": 1}), run),
    ):
        content = json.loads(Path(result["files"][0]).read_text(encoding="utf-8"))
        assert content["context"]["images"] == 4
        assert any(
            note.startswith("2 of 6 images are left out: meta model 'few'") for note in content["notes"]
        )


def test_scores_in_bins_say_how_far_they_may_be_off(made, evaluated, tmp_path):
    settings = from_mapping(
        OodSettings, {**EVALUATED, "exact_pixels": 0, "save_dir": str(tmp_path), "pictures": 0}
    )
    for name, measures in eval_ood(settings, Run(*made))["scores"].items():
        pixels, exact = measures["pixels"], evaluated[0]["scores"][name]["pixels"]
        assert not pixels["exact"]
        for key in ("auroc", "auprc", "fpr95"):
            assert abs(pixels[key] - exact[key]) <= pixels[f"{key}_error"] + 1e-12
    assert "is off by more than" in (tmp_path / "ood_colour_val.md").read_text(encoding="utf-8")


def test_a_threshold_without_anything_unknown_to_choose_it_by(own, tmp_path):
    configuration, workspace = own
    root = tmp_path / "known"
    shutil.copytree(configuration.datasets["train"].kwargs["root"], root)
    for path in (root / "trainannot").glob("*.png"):
        labels = np.asarray(Image.open(path))
        Image.fromarray(np.where(labels == 9, 11, labels).astype(np.uint8)).save(path)
    entry = configuration.datasets["train"]
    known = replace(entry, kwargs={**entry.kwargs, "root": str(root)})
    configuration = replace(configuration, datasets={**configuration.datasets, "known": known})
    pred_images(
        from_mapping(PredictSettings, {"dataset": "known", "model_name": "colour", **CPU}),
        Run(configuration, workspace),
    )
    options = {**EVALUATED, "meta_model_name": "", "dataset_val": "known", "pictures": 0}
    with pytest.raises(TableError, match="nothing unknown.*args.threshold_rule=fpr"):
        eval_ood(from_mapping(OodSettings, {**options}), Run(configuration, workspace))
    settings = from_mapping(OodSettings, {**options, "threshold_rule": "fpr", "false_positive_rate": 0.1})
    measures = eval_ood(settings, Run(configuration, workspace))["scores"]["energy"]
    energy = []
    for path in (root / "trainannot").glob("*.png"):
        prediction = read_prediction(workspace, "colour", "known", path.stem)
        energy.append(-logsumexp(prediction.full_logits(), axis=2)[prediction.unknown() == 0])
    above = np.concatenate(energy) >= measures["components"]["known"]["threshold"]
    assert 0.09 < above.mean() <= 0.1
    with pytest.raises(TableError, match="no pixel of 'known' is unknown"):
        eval_ood(
            from_mapping(OodSettings, {**options, "dataset": "known", "dataset_val": ""}),
            Run(configuration, workspace),
        )


@pytest.mark.slow
def test_predictions_that_kept_less_allow_fewer_scores(own, caplog):
    configuration, workspace = own
    for keep, scores in (("softmax", ["max_softmax", "entropy"]), ("nothing", ["entropy"])):
        settings = from_mapping(PredictSettings, {**NETWORK, "keep": keep, "overwrite": True, **CPU})
        pred_images(settings, Run(configuration, workspace))
        compute = from_mapping(MetricsSettings, {**NETWORK, "overwrite": True})
        if keep == "softmax":
            compute_metrics(compute, Run(configuration, workspace))
        found = eval_ood(
            from_mapping(OodSettings, {**EVALUATED, "pictures": 1}), Run(configuration, workspace)
        )
        assert list(found["scores"]) == [*scores, "expected_iou"]
        assert "energy is left out: no logits were kept; predict with args.keep=logits" in caplog.text
        with pytest.raises(
            StoreError, match=r"score energy of colour on val: no logits were kept.*args.keep=logits"
        ):
            eval_ood(
                from_mapping(OodSettings, {**EVALUATED, "scores": ("energy",)}), Run(configuration, workspace)
            )


def test_regions_without_labels_are_void(own, tmp_path):
    """As in Lost and Found: outside of road and obstacles nothing is labelled, and nothing is evaluated."""
    configuration, workspace = own
    settings = from_mapping(
        OodSettings, {**EVALUATED, "pictures": 0, "scores": ("energy",), "save_dir": str(tmp_path / "a")}
    )
    before = eval_ood(settings, Run(configuration, workspace))["scores"]["energy"]["pixels"]
    for path in workspace.prediction_folder(Stored("colour", "val")).glob("*.h5"):
        with h5py.File(path, "r+") as file:
            labels = file["labels"][...]
            labels[:36] = 11
            file["labels"][...] = labels
        without_checksum(path)
    after = eval_ood(settings, Run(configuration, workspace))["scores"]["energy"]["pixels"]
    assert before["positives"] + before["negatives"] == 6 * 72 * 96
    assert after["positives"] + after["negatives"] == 6 * 36 * 96


def test_settings_of_eval_ood_that_cannot_be_used(made):
    with pytest.raises(UnknownNameError, match="did you mean 'entropy'"):
        from_mapping(OodSettings, {**EVALUATED, "scores": ("entropie",)})
    with pytest.raises(SettingsError, match="oracle"):
        from_mapping(OodSettings, {**EVALUATED, "dataset_val": "val"})
    with pytest.raises(SettingsError, match="temperature"):
        from_mapping(OodSettings, {**EVALUATED, "temperature": 0})
    with pytest.raises(TableError, match="no truth"):
        eval_ood(from_mapping(OodSettings, {**EVALUATED, "dataset": "images"}), Run(*made))


def test_logit_statistics_are_of_known_pixels_and_of_these_weights(own, caplog):
    configuration, workspace = own
    largest = {c: [] for c in range(9)}
    for path in sorted(workspace.prediction_folder(Stored("colour", "train")).glob("*.h5")):
        prediction = read_prediction(workspace, "colour", "train", path.stem)
        known = prediction.labels < 9
        z = prediction.full_logits()[known].astype(float)
        for c in range(9):
            largest[c].append(z.max(axis=1)[z.argmax(axis=1) == c])
    settings = LogitStatisticsSettings(dataset="train", model_name="colour")
    caplog.set_level("INFO")
    found = compute_logit_statistics(settings, Run(configuration, workspace))
    assert "is there already" in caplog.text
    assert verify(Path(found["path"])), "with a checksum"
    values = np.concatenate(largest[3])
    assert found["pixels"]["road"] == len(values)
    assert found["mean"]["road"] == pytest.approx(values.mean(), rel=1e-5)
    assert found["std"]["road"] == pytest.approx(values.std(), rel=1e-4)
    with pytest.raises(SettingsMismatchError, match="limit: was 0, now 2"):
        compute_logit_statistics(
            from_mapping(LogitStatisticsSettings, {"dataset": "train", "model_name": "colour", "limit": 2}),
            Run(configuration, workspace),
        )
    Path(found["path"]).write_bytes(b"nothing")
    with pytest.raises(StoreError, match="is damaged.*compute_logit_statistics"):
        find_logit_statistics(Run(configuration, workspace), "colour")
    Path(found["path"]).unlink()
    assert find_logit_statistics(Run(configuration, workspace), "colour") is None


def test_iou_on_both_sides_of_a_threshold(made, tmp_path):
    configuration, workspace = made
    settings = from_mapping(IouSettings, {**EVALUATED, "save_dir": str(tmp_path)})
    measures = eval_iou(settings, Run(configuration, workspace))
    curves = measures["curves"]
    assert curves["above"][0] == pytest.approx(measures["mean_iou"])
    assert curves["share_above"][0] == 1
    assert all(a >= b for a, b in zip(curves["share_above"], curves["share_above"][1:], strict=False))
    low, high = measures["intervals"]["mean_iou"]
    assert low <= measures["mean_iou"] <= high + 0.05
    saved = json.loads((tmp_path / "iou_colour_val.json").read_text(encoding="utf-8"))
    assert saved["pictures"] and saved["context"]["meta_model"] == "linear"
    plain = eval_iou(
        from_mapping(IouSettings, {**NETWORK, "save_dir": str(tmp_path), "repetitions": 5}),
        Run(configuration, workspace),
    )
    assert "curves" not in plain and plain["mean_iou"] == measures["mean_iou"]


def test_orders_of_inspection_against_plain(made, tmp_path):
    configuration, workspace = made
    options = {**SELECTED, "save_dir": str(tmp_path)}
    measures = eval_selection(
        from_mapping(SelectionSettings, {**options, "orders": ("-S",)}), Run(configuration, workspace)
    )
    table = read_segments(workspace, "colour", "val")
    table = table[table["S"] >= 20]
    table["predicted_iou"] = (
        Run(configuration, workspace).trained.meta_model("linear", "colour").predict(table)
    )
    unknown = table["label"].isin((9, 10))
    assert set(measures["orders"]) >= {"predicted IoU", "mean entropy", "mean energy", "random order", "-S"}
    for name, scores in (("mean entropy", table["E"]), ("mean energy", -table["energy"]), ("-S", table["S"])):
        order = measures["orders"][name]
        assert order["auroc"] == pytest.approx(roc_auc_score(unknown, scores), abs=1e-6)
        assert order["auprc"] == pytest.approx(average_precision_score(unknown, scores), abs=1e-6)
        first = table.assign(score=scores).sort_values("score", ascending=False, kind="stable").index[:50]
        seen = table.loc[first]
        assert order["found"]["all"]["50"] == found_in_boxes(workspace, seen, options)
        first = table.assign(score=scores).sort_values("score", ascending=False, kind="stable").index[:100]
        assert order["unknown_among_first"] == unknown[first].sum()
    by_class = measures["orders"]["predicted IoU"]["found"]
    assert by_class["all"]["500"] == sum(v["500"] for k, v in by_class.items() if k != "all")
    assert by_class["all"]["500"] == found_in_boxes(workspace, table, options)
    assert measures["orders"]["random order"]["found"]["all"]["500"] == by_class["all"]["500"]
    assert sum(measures["majorities"].values()) == measures["selected"]
    (saved,) = read_results(tmp_path)
    assert len(saved.pictures) == 3 and "orders of inspection" in saved.tables
    assert len(table) < 50 and "objects found by class" not in saved.tables
    assert any("what 50, 100 and 500 looks find is left out" in note for note in saved.notes)


def found_in_boxes(workspace, segments, options):
    """Objects of which half lies in the boxes of these segments, pixel by pixel."""
    found = 0
    for path in workspace.prediction_folder(Stored("colour", "val")).glob("*.h5"):
        prediction = read_prediction(workspace, "colour", "val", path.stem)
        covered = np.zeros(prediction.labels.shape, bool)
        for row in segments[segments["image_id"] == path.stem].itertuples():
            covered[row.top : row.bottom, row.left : row.right] = True
        for label in (9, 10):
            parts, count = ndimage.label(prediction.labels == label, np.ones((3, 3)))
            for part in range(1, count + 1):
                rows, columns = np.nonzero(parts == part)
                if min(np.ptp(rows), np.ptp(columns)) + 1 >= options["min_height"]:
                    found += covered[rows, columns].mean() >= 0.5
    return found


def test_intervals_of_the_selection_hold_its_measures(made, tmp_path):
    options = {**SELECTED, "iou_threshold": 0.8}
    options |= {"repetitions": 200, "block": 1}
    measures = eval_selection(
        from_mapping(SelectionSettings, {**options, "save_dir": str(tmp_path)}), Run(*made)
    )
    printed = {name: ends for name, ends in measures["intervals"].items() if not np.isnan(ends[0])}
    assert len(printed) >= 3, "all but those that are the same in every resample"
    for name, (low, high) in printed.items():
        assert low - 1e-9 <= measures[name] <= high + 1e-9, name
    with pytest.raises(TableError, match="no column of numbers 'entropy'"):
        eval_selection(from_mapping(SelectionSettings, {**options, "orders": ("entropy",)}), Run(*made))


def test_published_counts_are_said_to_be_such(made, tmp_path):
    options = {**SELECTED, "iou_threshold": 0.9}
    settings = from_mapping(SelectionSettings, {**options, "published": True, "save_dir": str(tmp_path)})
    eval_selection(settings, Run(*made))
    (saved,) = read_results(tmp_path)
    assert any("as the published code does" in note for note in saved.notes)


def test_retrieval_states_its_rules_and_intervals(own, tmp_path, monkeypatch):
    configuration, workspace = own
    settings = from_mapping(EmbedSettings, {
        "dataset": ("val",), "model_name": "colour", "meta_model_name": "linear", "select_by": "predicted_iou",
        "iou_threshold": 0.95,
        "min_height": 4, "min_width": 4, "min_crop_height": 40, "min_crop_width": 40, **CPU,
        "embedded": "crop", "crop_size": 0,
    })  # fmt: skip
    compute_embeddings(settings, Run(configuration, workspace))
    options = {"embeddings_file": "val", "repetitions": 30, "block": 1, "save_dir": str(tmp_path)}
    measures = eval_retrieval(from_mapping(RetrievalSettings, {**options}), Run(configuration, workspace))
    low, high = measures["embedding"]["intervals"]["weighted"]
    assert 0 <= low <= high <= 1
    (saved,) = read_results(tmp_path)
    assert saved.context["model"] == "colour" and saved.context["meta_model"] == "linear"
    assert saved.context["threshold"] == "segments that the catalogue selected: predicted IoU < 0.95"
    assert list(saved.tables) == ["by class", "together", "embedding spaces"]
    spaces = saved.tables["embedding spaces"]
    assert [row["embedding, reduction, metric"] for row in measures["spaces"]["embedding spaces"]] == [
        "random", *(f"{DEFAULT_NET}, {how}" for how in (
            "none, euclidean", "none, cosine", "centred, cosine", "pca32, euclidean", "pca32, cosine",
            "expanded, cosine",
        ))
    ]  # fmt: skip
    assert len(spaces) == 1 + 7
    assert not any("taught" in note for note in saved.notes)
    taught = load_configuration().embedding("efficientnet_lite0_taught")
    assert isinstance(taught, EmbeddingEntry)
    again = Run(replace(configuration, embeddings={DEFAULT_NET: taught}), workspace)
    eval_retrieval(from_mapping(RetrievalSettings, options), again)
    (saved,) = read_results(tmp_path)
    assert any(
        "Labels of camvid_0001tp_12, camvid_0006r0, camvid_0016e5 taught" in note for note in saved.notes
    )
    assert saved.stem == "retrieval_embedding_expanded_cosine_none"
    monkeypatch.setattr("oodretrieval.search.index.EXPANDED_UP_TO", 1)
    eval_retrieval(from_mapping(RetrievalSettings, options), Run(configuration, workspace))
    stems = {result.stem for result in read_results(tmp_path)}
    assert "retrieval_embedding_centred_cosine_none" in stems, "it says what it measured by"


def test_classes_are_found_where_the_labels_show_them(made, tmp_path):
    configuration, workspace = made
    settings = SearchSettings(dataset="val", classes=("pedestrian", 8), save_dir=str(tmp_path), min_pixels=5)
    measures = search_classes(settings, Run(configuration, workspace))
    listing = pd.read_csv(tmp_path / "classes_val_images.csv")
    root = Path(configuration.datasets["val"].kwargs["root"])
    for index, path in enumerate(sorted((root / "valannot").glob("*.png"))):
        labels = np.asarray(Image.open(path))
        rows = listing[listing["image"] == path.stem].set_index("class")
        for label, name in ((9, "pedestrian"), (8, "car")):
            pixels = int((labels == label).sum())
            assert (name in rows.index) == (pixels >= 5)
            if pixels >= 5:
                objects = ndimage.label(labels == label, np.ones((3, 3)))[1]
                assert rows.loc[name, ["index", "label id", "pixels", "objects"]].tolist() == [
                    index, label, pixels, objects,
                ]  # fmt: skip
    summary = {row["class"]: row for row in measures["classes"]}
    assert summary["pedestrian"]["images"] == (listing["class"] == "pedestrian").sum()
    assert summary["pedestrian"]["is"] == "unknown" and summary["car"]["is"] == "known"
    chosen = pred_images(
        from_mapping(PredictSettings, {**NETWORK, "classindex": summary["pedestrian"]["label id"], **CPU}),
        Run(configuration, Workspace(tmp_path / "chosen")),
    )
    everywhere = SearchSettings(dataset="val", classes=(9,), save_dir=str(tmp_path))
    (row,) = search_classes(everywhere, Run(configuration, workspace))["classes"]
    assert chosen["predicted"] == row["images"]


def test_searching_what_is_not_there(made, tmp_path):
    configuration, workspace = made
    with pytest.raises(UnknownNameError, match="pedestrian"):
        search_classes(SearchSettings(dataset="val", classes=("pedestrain",)), Run(configuration, workspace))
    with pytest.raises(TableError, match="no truth"):
        search_classes(SearchSettings(dataset="images"), Run(configuration, workspace))
    root = tmp_path / "damaged"
    shutil.copytree(configuration.datasets["val"].kwargs["root"], root)
    (root / "valannot" / "0016E5_00200.png").write_bytes(b"nothing")
    settings = from_mapping(
        SearchSettings, {"dataset": "val", "root": str(root), "save_dir": str(tmp_path / "found")}
    )
    with pytest.raises(PartialFailure, match="0016E5_00200"):
        search_classes(settings, Run(configuration, workspace))
    listing = pd.read_csv(tmp_path / "found" / "classes_val_images.csv")
    assert listing["image"].nunique() == 5


def test_predictions_without_labels_cannot_be_evaluated(own):
    configuration, workspace = own
    for path in (workspace.path / "predictions" / "colour" / "val").rglob("*.h5"):
        with h5py.File(path, "r+") as file:
            del file["labels"]
        without_checksum(path)
    with pytest.raises(TableError, match="holds labels"):
        eval_iou(from_mapping(IouSettings, {**NETWORK}), Run(configuration, workspace))
    with pytest.raises(TableError, match="holds labels"):
        eval_selection(from_mapping(SelectionSettings, {**SELECTED, **CPU}), Run(configuration, workspace))


def test_a_difference_that_is_undefined_is_not_printed():
    nothing = (float("nan"),) * 3
    measures = {"auroc": float("nan"), "auprc": 1.0, "fpr95": float("nan"), "compared_with": "entropy"}
    measures["intervals"] = dict.fromkeys(("auroc", "auprc", "fpr95"), nothing[1:])
    measures["differences"] = {"auroc": nothing, "auprc": (0.0, -0.1, 0.1), "fpr95": nothing}
    measures = {name: {"pixels": measures, "components": {}} for name in ("entropy", "energy")}
    row = ood_tables(measures)["pixels, difference to entropy"].loc["energy"]
    assert row[["AUROC", "AUROC, interval", "FPR at 95 % TPR"]].tolist() == ["–", "–", "–"]
    assert row[["AUPRC", "AUPRC, interval"]].tolist() == ["+0.000", "-0.100…0.100"]
