"""Stages read tables of any length some images at a time, and say what they say of the whole table."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from steps import fit_novelty

from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import CommonSettings, from_mapping
from oodretrieval.novelty import load_novelty_model
from oodretrieval.stages.evaluate.eval_iou import eval_iou
from oodretrieval.stages.evaluate.meta.eval_meta import eval_meta
from oodretrieval.stages.evaluate.meta.settings import EvalMetaSettings
from oodretrieval.stages.evaluate.ood.eval_ood import eval_ood
from oodretrieval.stages.evaluate.ood.settings import OodSettings
from oodretrieval.stages.evaluate.seen_images import seen_by
from oodretrieval.stages.evaluate.selection.eval_selection import eval_selection
from oodretrieval.stages.evaluate.selection.settings import SelectionSettings
from oodretrieval.stages.evaluate.settings import IouSettings
from oodretrieval.stages.fit import train_novelty
from oodretrieval.stages.fit.settings import TrainMetaSettings
from oodretrieval.stages.fit.train_meta_nn import train_meta_nn
from oodretrieval.stages.measure.segment_features import SegmentFeatures
from oodretrieval.stages.report.report import report
from oodretrieval.stages.report.settings import ReportSettings
from oodretrieval.stores import Stored, current_segments, joined, locate_segments, read_segments

OWN = {"dataset": "val", "model_name": "colour", "meta_model_name": "linear"}
SMALL = {"min_pixels": 20, "min_height": 4, "min_width": 4}
STAGES = {
    "eval_iou": (eval_iou, IouSettings, OWN),
    "eval_meta": (eval_meta, EvalMetaSettings, {**OWN, "pictures": 0, "permutations": 1}),
    "eval_selection": (eval_selection, SelectionSettings, {**OWN, **SMALL, "select_number": 5}),
    "eval_ood": (
        eval_ood,
        OodSettings,
        {**OWN, "pictures": 0, "scores": ("novelty", "expected_iou"), "min_predicted": 1},
    ),
    "train_meta_nn": (train_meta_nn, TrainMetaSettings, {**OWN, "dataset": "train", "dataset_val": "val"}),
    "cross-validation": (train_meta_nn, TrainMetaSettings, {**OWN, "groups": "image", "folds": 3}),
}


@pytest.fixture
def read_at_once(monkeypatch):
    """Images whose rows are read with one call, call by call."""
    counts = []
    read = current_segments.CurrentSegments.read

    def counting(segments, columns=None):
        counts.append(len(segments.places))
        return read(segments, columns)

    monkeypatch.setattr(current_segments.CurrentSegments, "read", counting)
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda figure, path, **options: path.touch())
    return counts


QUICK = ("eval_iou", "eval_meta", "train_meta_nn")
"""The others read by the same functions."""


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in STAGES]
)
def test_a_table_read_two_images_at_a_time_gives_the_same_measures(
    configuration, fitted, read_at_once, monkeypatch, tmp_path, name
):
    stage, kind, options = STAGES[name]

    def measures(folder):
        given = {"repetitions": 5, "block": 1, "save_dir": str(tmp_path / folder), "overwrite": True}
        stage(from_mapping(kind, {**options, **given}), Run(configuration, fitted))
        (file,) = (tmp_path / folder).glob("*.json")
        return json.loads(file.read_text(encoding="utf-8"))["figures"]

    whole = measures("whole")
    assert max(read_at_once) == 6, "or the test shows nothing"
    read_at_once.clear()
    monkeypatch.setattr(current_segments, "IMAGES_AT_ONCE", 2)
    same(measures("parts"), whole)
    assert len(read_at_once) >= 3 and max(read_at_once) == 2


def learned(run):
    """Every value of a novelty model that is fitted again."""
    path = fit_novelty(run, overwrite=True)["path"]
    with safe_open(path, framework="numpy") as content:
        metadata = {key: text for key, text in content.metadata().items() if "checksum" not in key}
        return metadata, {name: content.get_tensor(name).tobytes() for name in sorted(content.keys())}


def page(run):
    """A report."""
    settings = {**OWN, "min_pixels": 30, "segments": 3}
    return Path(report(from_mapping(ReportSettings, settings), run)["file"]).read_bytes()


@pytest.mark.parametrize("made", [learned, page])
def test_models_and_reports_are_the_same_to_the_last_bit(
    configuration, fitted, read_at_once, monkeypatch, made
):
    run = Run(configuration, fitted)
    whole = made(run)
    assert max(read_at_once) == 6, "or the test shows nothing"
    read_at_once.clear()
    monkeypatch.setattr(current_segments, "IMAGES_AT_ONCE", 2)
    assert made(run) == whole
    assert len(read_at_once) >= 3 and max(read_at_once) == 2


def test_a_novelty_model_of_a_long_table_is_fitted_on_some_of_its_images(
    configuration, fitted, read_at_once, monkeypatch, caplog
):
    run, seen = Run(configuration, fitted), []
    of = SegmentFeatures.of
    monkeypatch.setattr(
        SegmentFeatures, "of", lambda self, work, table: seen.append(table) or of(self, work, table)
    )
    everything = fit_novelty(run, overwrite=True)["segments"]
    monkeypatch.setattr("oodretrieval.novelty.neighbours.LEAST_COMPARED", 10)
    monkeypatch.setattr(train_novelty, "MOST_SEGMENTS", len(seen[0]) - 1)
    caplog.set_level("INFO")
    some = fit_novelty(run, overwrite=True)["segments"]
    assert 0 < some < everything and "a sample of 5 of 6 images is learned from" in caplog.text
    images = seen[1]["image_id"].unique()
    whole = seen[0][seen[0]["image_id"].isin(images)].reset_index(drop=True)
    assert len(images) == 5 and seen[1].equals(whole), "whole images, in order"
    carried = load_novelty_model(fitted.novelty_model_path("colour")).made_by
    assert carried["sample"] == {
        "segments": len(whole), "of_segments": len(seen[0]), "images": 5, "of_images": 6
    }  # fmt: skip
    assert list(carried["fitted_on"]["images"]) == images.tolist(), "the other is a test of it"
    said = f"a sample of {len(whole)} of {len(seen[0])} segments, of 5 of 6 images"
    assert f"of train, {said}; saved" in caplog.text
    caplog.clear()
    fit_novelty(run)
    assert f"is fitted already, {said};" in caplog.text
    seen_images = seen_by(run, run.stored("colour", "val", CommonSettings()), novelty=True)
    assert seen_images.notes == (f"the novelty model of 'colour' learned from {said}.",)


def same(one, other):
    """Compare measures: numbers as sums in another order leave them."""
    if isinstance(one, dict):
        assert list(one) == list(other)
        for key in one:
            same(one[key], other[key])
    elif isinstance(one, list):
        assert len(one) == len(other)
        for first, second in zip(one, other, strict=True):
            same(first, second)
    elif isinstance(one, float):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)
    else:
        assert one == other


def test_rows_and_images_can_be_chosen(fitted, monkeypatch):
    monkeypatch.setattr(current_segments, "IMAGES_AT_ONCE", 2)
    segments, table = locate_segments(fitted, Stored("colour", "val")), read_segments(fitted, "colour", "val")
    chosen = np.random.default_rng(0).random(len(table)) < 0.2
    assert segments.rows(chosen).equals(table[chosen].reset_index(drop=True))
    images = list(table["image_id"].unique())[1:4]
    some = joined(segments.only(set(images)).tables(["image_id", "S"]))
    expected = table[table["image_id"].isin(images)]
    assert some["image_id"].tolist() == expected["image_id"].tolist()
    assert some["S"].tolist() == expected["S"].tolist() and list(some["image_id"].cat.categories) == images


@pytest.mark.parametrize("change", [-1, 1])
def test_a_table_that_changed_meanwhile_is_refused(fitted, change):
    segments = locate_segments(fitted, Stored("colour", "val"))
    with pytest.raises(Exception, match="changed while it was being read; run again"):
        segments.rows(np.ones(len(segments.read(["image_id"])) + change, bool))
