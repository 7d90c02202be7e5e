"""One image or prediction that cannot be read spoils no evaluation, no page and no sheet: it is left out and named."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file
from steps import CPU, META, NETWORK, embed, fit_novelty, train_linear

from oodretrieval.errors import AllFailedError, PartialFailure, StoreError, WeightsError
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.stages.discover.discover_classes import discover_classes
from oodretrieval.stages.discover.find_similar import find_similar
from oodretrieval.stages.discover.search_classes import search_classes
from oodretrieval.stages.discover.settings import DiscoverClassesSettings, SearchSettings, SimilarSettings
from oodretrieval.stages.evaluate.discovery.eval_discovery import eval_discovery
from oodretrieval.stages.evaluate.discovery.settings import DiscoverySettings
from oodretrieval.stages.evaluate.eval_iou import eval_iou
from oodretrieval.stages.evaluate.eval_segmentation import eval_segmentation
from oodretrieval.stages.evaluate.meta.eval_meta import eval_meta
from oodretrieval.stages.evaluate.meta.settings import EvalMetaSettings
from oodretrieval.stages.evaluate.ood.eval_ood import eval_ood
from oodretrieval.stages.evaluate.ood.settings import OodSettings
from oodretrieval.stages.evaluate.settings import IouSettings, SegmentationSettings
from oodretrieval.stages.explain.explain import explain
from oodretrieval.stages.explain.settings import ExplainSettings
from oodretrieval.stages.fit.compute_logit_statistics import compute_logit_statistics
from oodretrieval.stages.fit.settings import LogitStatisticsSettings
from oodretrieval.stages.report.report import report
from oodretrieval.stages.report.settings import ReportSettings
from oodretrieval.stores import Catalogue, Stored, read_failures

VAL = Stored("colour", "val")
FIRST = "0016E5_00000"
EVALUATED = {"dataset": "val", **META, "repetitions": 2}
EVALUATIONS = {
    "eval_segmentation": (
        eval_segmentation,
        SegmentationSettings,
        {**NETWORK, "dataset": "val", "repetitions": 2},
    ),
    "eval_iou": (eval_iou, IouSettings, EVALUATED),
    "eval_ood": (eval_ood, OodSettings, {**EVALUATED, "pictures": 1, "scores": ("energy", "expected_iou")}),
    "eval_meta": (eval_meta, EvalMetaSettings, {**EVALUATED, "pictures": 1, "permutations": 1}),
}


def tensors_of(path):
    """Of a safetensors file, whose metadata have another order each time."""
    return {name: value.tobytes() for name, value in load_file(path).items()}


def cut(path):
    path.write_bytes(path.read_bytes()[:300])


@pytest.fixture
def damaged_image(camvid):
    """The first image cut off, for as long as a test takes."""
    path = camvid / "val" / f"{FIRST}.png"
    away = path.with_suffix(".away")
    path.rename(away)
    path.write_bytes(away.read_bytes()[:300])
    yield path
    away.rename(path)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.slow if name == "eval_meta" else ()) for name in EVALUATIONS],
)
def test_an_evaluation_leaves_out_a_prediction_that_is_damaged(
    configuration, trained, tmp_path, caplog, name
):
    cut(trained.prediction_path(VAL, FIRST))
    stage, kind, options = EVALUATIONS[name]
    settings = from_mapping(kind, {**options, "save_dir": str(tmp_path / "saved")})
    with pytest.raises(PartialFailure, match=rf"(?s)^{name}: 1 image.*{FIRST}: .*is damaged") as caught:
        stage(settings, Run(configuration, trained))
    assert list(caught.value.failures) == [FIRST]
    (file,) = (tmp_path / "saved").glob("*.json")
    saved = json.loads(file.read_text(encoding="utf-8"))
    assert f"Left out, as they could not be read: {FIRST}." in saved["notes"]
    assert sum("is damaged" in record.message for record in caplog.records) == 1, "named once, and at the end"
    if name != "eval_meta":  # which needs predictions for pictures alone
        assert saved["context"]["images"] == 5


@pytest.mark.parametrize("name", [name for name in EVALUATIONS if name != "eval_meta"])
def test_an_evaluation_of_which_nothing_can_be_read_writes_nothing(configuration, trained, tmp_path, name):
    for path in trained.prediction_folder(VAL).glob("*.h5"):
        cut(path)
    stage, kind, options = EVALUATIONS[name]
    settings = from_mapping(kind, {**options, "save_dir": str(tmp_path / "saved")})
    with pytest.raises(
        AllFailedError, match=rf"^{name}: all 6 image\(s\) of dataset 'val' .*predictions/colour/val"
    ):
        stage(settings, Run(configuration, trained))
    assert not (tmp_path / "saved").exists()


def test_a_result_is_saved_where_no_picture_can_be_drawn(configuration, trained, tmp_path, camvid):
    path = camvid / "val" / f"{FIRST}.png"
    away = path.rename(tmp_path / "away")
    path.symlink_to(path)  # to itself: the prediction, made of the image, is still of use
    stage, kind, options = EVALUATIONS["eval_ood"]
    settings = from_mapping(kind, {**options, "limit": 1, "save_dir": str(tmp_path / "saved")})
    try:
        with pytest.raises(PartialFailure, match=rf"1 image\(s\) failed.*\n  {FIRST}: cannot read"):
            stage(settings, Run(configuration, trained))
    finally:
        path.unlink()
        away.rename(path)
    (file,) = (tmp_path / "saved").glob("*.json")
    assert json.loads(file.read_text(encoding="utf-8"))["context"]["images"] == 1


def test_validation_data_that_cannot_be_read_choose_no_threshold(configuration, trained, tmp_path):
    for path in trained.prediction_folder(Stored("colour", "train")).glob("*.h5"):
        cut(path)
    options = {
        **EVALUATED,
        "dataset_val": "train",
        "scores": ("energy",),
        "save_dir": str(tmp_path / "saved"),
    }
    with pytest.raises(AllFailedError, match=r"^eval_ood: all 6 image\(s\) of dataset 'train'"):
        eval_ood(from_mapping(OodSettings, options), Run(configuration, trained))


@pytest.mark.parametrize("candidates", ["segments", "objects"])
def test_a_catalogue_of_images_that_all_fail_lists_them(configuration, fitted, candidates):
    for path in fitted.prediction_folder(VAL).glob("*.h5"):
        cut(path)
    with pytest.raises(AllFailedError, match=r"^compute_embeddings: all 6 image\(s\) of dataset 'val'"):
        embed(Run(configuration, fitted), select_by="novelty", candidates=candidates, iou_threshold=0.5)
    assert len(read_failures(fitted.catalogue_folder("val"))) == 6


def test_labels_and_images_that_can_none_be_read(configuration, workspace, camvid, tmp_path):
    root = tmp_path / "copy"
    shutil.copytree(camvid, root)
    for path in (*sorted(root.glob("val/*.png"))[:2], *sorted(root.glob("valannot/*.png"))[:2]):
        path.write_bytes(path.read_bytes()[:60])
    named = {"dataset": "val", "root": str(root), "limit": 2}
    with pytest.raises(AllFailedError, match=r"^search_classes: all 2 image\(s\) of dataset 'val' failed"):
        search_classes(from_mapping(SearchSettings, named), Run(configuration, workspace))
    with pytest.raises(AllFailedError, match=r"^explain: all 2 image\(s\) of dataset 'val' .*args\.images"):
        explain(
            from_mapping(ExplainSettings, {**named, **NETWORK, **CPU, "number": 2}),
            Run(configuration, workspace),
        )
    assert not list(workspace.path.rglob("*.json"))


@pytest.mark.slow
def test_pages_and_sheets_leave_a_picture_blank(configuration, embedded, damaged_image, caplog):
    run, name = Run(configuration, embedded), next((embedded.path / "catalogues").iterdir()).name
    pictured = [
        (report, ReportSettings, {"dataset": "val", **META, "min_pixels": 30, "segments": 20}),
        (discover_classes, DiscoverClassesSettings, {"embeddings_file": name, "clusters": 2}),
        (find_similar, SimilarSettings, {"embeddings_file": name, "candidates": (20,), "number": 40}),
    ]
    for stage, kind, options in pictured:
        before = {path: path.stat().st_mtime_ns for path in embedded.path.rglob("*") if path.is_file()}
        with pytest.raises(PartialFailure, match=rf"^{stage.__name__}: 1 image") as caught:
            stage(from_mapping(kind, options), run)
        assert all(FIRST in image for image in caught.value.failures)
        assert str(damaged_image) in str(caught.value)
        after = {path: path.stat().st_mtime_ns for path in embedded.path.rglob("*") if path.is_file()}
        written = {path.suffix for path in after if before.get(path) != after[path]}
        assert written & {".html", ".png"}, "what can be shown is shown"


@pytest.mark.slow
def test_discovery_leaves_out_a_prediction_that_is_damaged(configuration, fitted, tmp_path):
    cut(fitted.prediction_path(VAL, FIRST))
    options = {"dataset": ("val",), **NETWORK, **CPU, "repetitions": 2, "seeds": 1, "looks": 12, "sheet": 3}
    settings = from_mapping(DiscoverySettings, {**options, "save_dir": str(tmp_path / "saved")})
    with pytest.raises(PartialFailure, match=rf"(?s)^eval_discovery: 1 image.*{FIRST}: .*is damaged"):
        eval_discovery(settings, Run(configuration, fitted))
    (file,) = (tmp_path / "saved").glob("*.json")
    saved = json.loads(file.read_text(encoding="utf-8"))
    assert saved["context"]["images"] == 5 and any("could not be read" in note for note in saved["notes"])


def test_vectors_that_are_damaged_are_embedded_again(configuration, embedded, caplog):
    run, (folder,) = Run(configuration, embedded), (embedded.path / "catalogues").iterdir()
    before = Catalogue.open(folder)
    rows, vectors = before.segments, np.array(before.vectors)
    (file,) = folder.glob("vectors/*/*.npy")
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(StoreError, match=r"is damaged .*; run scripts/compute_embeddings.py"):
        np.asarray(Catalogue.open(folder).vectors)
    assert embed(run)["segments"] == len(rows) and "made again" in caplog.text
    after = Catalogue.open(folder)
    assert after.segments.equals(rows)
    np.testing.assert_allclose(after.vectors, vectors, rtol=1e-5, atol=1e-5)
    manifest = folder / "manifest.json"
    manifest.write_text(manifest.read_text()[:99])
    settings = {"dataset": "val", **META, "min_pixels": 30, "segments": 2}
    page = report(from_mapping(ReportSettings, settings), run)
    assert any("manifest.json is damaged" in what for what in page["missing"])


def test_what_is_fitted_leaves_out_what_cannot_be_read_and_is_fitted_again_when_it_is_mended(
    configuration, trained, monkeypatch
):
    monkeypatch.setattr("oodretrieval.novelty.neighbours.LEAST_COMPARED", 10)
    run, stored = Run(configuration, trained), Stored("colour", "train")
    count = from_mapping(LogitStatisticsSettings, {"dataset": "train", **NETWORK, **CPU})
    fits = {
        trained.novelty_model_path("colour"): fit_novelty,
        trained.logit_statistics_folder / "colour.logits.safetensors": lambda run, **options: (
            compute_logit_statistics(count, run)
        ),
    }
    path = sorted(trained.prediction_folder(stored).glob("*.h5"))[1]
    whole = path.read_bytes()
    for file, fit in fits.items():
        file.unlink(missing_ok=True)
        cut(path)
        for _ in range(2):
            with pytest.raises(PartialFailure, match=rf"1 image.*\n  {path.stem}: .*damaged"):
                fit(run)
            there = tensors_of(file)
        path.write_bytes(whole)
        fit(run)
        mended = tensors_of(file)
        assert mended != there, "one image more"
        file.unlink()
        fit(run)
        assert tensors_of(file) == mended
        for each in trained.prediction_folder(stored).glob("*.h5"):
            each.with_suffix(".away").write_bytes(each.read_bytes())
            cut(each)
        file.unlink()
        with pytest.raises(StoreError, match=r"all 6 image\(s\) of dataset 'train'|no segments|not there"):
            fit(run)
        assert not file.exists()
        for each in trained.prediction_folder(stored).glob("*.away"):
            each.rename(each.with_suffix(".h5"))


def test_a_stage_whose_own_file_is_damaged_says_what_makes_it_again(configuration, fitted):
    run = Run(configuration, fitted)
    made = {
        fitted.meta_model_path("linear"): train_linear,
        fitted.novelty_model_path("colour"): fit_novelty,
    }
    for path, make in made.items():
        cut(path)
        with pytest.raises(WeightsError, match=r"is damaged .*args\.overwrite=True.*in its place"):
            make(run)
        make(run, overwrite=True)
        make(run)


def test_a_result_that_is_damaged_is_left_out_of_the_page(configuration, trained):
    run = Run(configuration, trained)
    (file,) = eval_segmentation(from_mapping(SegmentationSettings, EVALUATIONS["eval_segmentation"][2]), run)[
        "files"
    ][:1]
    cut(Path(file))
    page = report(
        from_mapping(ReportSettings, {"dataset": "val", **META, "min_pixels": 30, "segments": 2}), run
    )
    assert any("is damaged" in what and what.endswith("measure it again") for what in page["missing"])
