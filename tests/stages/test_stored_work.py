"""What a stage reads of the work before it: each prediction once, checked, and one way to say that truth is missing."""

import logging
import os
import shlex
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from oodretrieval.entries import DatasetEntry, ModelEntry
from oodretrieval.errors import SettingsMismatchError, StoreError, TableError
from oodretrieval.experiment import provenance
from oodretrieval.experiment.configuration import Configuration
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import CommonSettings
from oodretrieval.stores import Prediction, Stored, Workspace, write_prediction

IDS = ["a", "b", "c"]


@pytest.fixture
def run(tmp_path):
    (tmp_path / "photos").mkdir()
    for image in IDS:
        Image.fromarray(np.zeros((4, 6, 3), np.uint8)).save(tmp_path / "photos" / f"{image}.png")
    (tmp_path / "w.pth").write_bytes(b"abc")
    return Run(
        Configuration(
            path=tmp_path / "configuration.py",
            datasets={
                "photos": DatasetEntry(
                    "oodretrieval.datasets", "ImageFolder", {"root": str(tmp_path / "photos")}
                )
            },
            models={"net": ModelEntry("torch.nn", "Identity", weights=str(tmp_path / "w.pth"))},
            meta_models={},
            workspace=tmp_path,
            defaults={},
        ),
        Workspace(tmp_path / "workspace"),
    )


def test_a_proposed_command_finds_the_same_folder_and_workspace_as_typed(run):
    common = CommonSettings(root="my photos", workspace="w s", gpu=-1)
    with pytest.raises(StoreError) as refused:
        run.stored(
            "net", "photos", replace(common, root=str(run.configuration.path.parent / "photos"))
        ).predicted()
    assert f"args.root={run.configuration.path.parent / 'photos'} 'args.workspace=w s' first" in str(
        refused.value
    )
    names = run.stored("net", "photos", common).names
    assert shlex.split(names.arguments) == [
        "args.dataset=photos", "args.model_name=net", "args.root=my photos", "args.workspace=w s",
    ]  # fmt: skip
    assert names == Stored("net", "photos"), "the same work"
    assert Stored("net", "photos").arguments == "args.dataset=photos args.model_name=net"


def predicted(run, labels=True, **settings):
    """Predictions of all images, with labels or without, noted as made by what is configured now."""
    work = run.stored("net", "photos")
    for image in IDS:
        prediction = Prediction(
            np.zeros((4, 6), np.uint8),
            labels=np.zeros((4, 6), np.uint8) if labels else None,
            logits=np.zeros((2, 4, 6), np.float32),
            image_id=image,
            num_classes=2,
            settings={**work.provenance, **settings},
        )
        write_prediction(run.workspace.prediction_path(work.names, image), prediction)
    return work


def test_predictions_come_in_order_each_read_once(run, monkeypatch):
    work, read = predicted(run), []
    from oodretrieval.experiment import stored_work

    real = stored_work.stored_prediction
    monkeypatch.setattr(
        stored_work, "stored_prediction", lambda *args: (read.append(args[2]), real(*args))[1]
    )
    found = [prediction.image_id for prediction in work.predictions(["c", "a"], "reading")]
    assert found == read == ["c", "a"]


def test_a_damaged_prediction_is_named_and_left_out_or_refused(run):
    work = predicted(run)
    path = run.workspace.prediction_path(work.names, "b")
    path.write_bytes(path.read_bytes()[:-100])
    failures = {}
    found = [p.image_id for p in work.predictions(IDS, "reading", failures=failures)]
    assert found == ["a", "c"] and list(failures) == ["b"] and str(path) in failures["b"]
    with pytest.raises(StoreError, match=r"b\.h5"):
        list(work.predictions(IDS, "reading"))


def test_truth_that_is_needed_and_not_there_is_one_error(run):
    work = predicted(run, labels=False)
    assert len(list(work.predictions(IDS, "reading"))) == 3
    with pytest.raises(TableError, match="no prediction on 'photos' holds labels"):
        list(work.predictions(IDS, "reading", with_truth=True))
    for require in (work.require_truth, work.require_classes):
        with pytest.raises(TableError, match="'photos' has no truth.*args.dataset"):
            require()


def test_images_whose_prediction_has_no_labels_are_left_out_where_truth_is_needed(run):
    work = predicted(run)
    path = run.workspace.prediction_path(work.names, "b")
    bare = Prediction(
        np.zeros((4, 6), np.uint8), logits=np.zeros((2, 4, 6)), num_classes=2, settings=work.provenance
    )
    write_prediction(path, replace(bare, image_id="b"))
    found = [p.image_id for p in work.predictions(IDS, "reading", with_truth=True)]
    assert found == ["a", "c"]


def test_predictions_of_other_weights_are_refused(run):
    work = predicted(run, weights="other")
    with pytest.raises(SettingsMismatchError, match="weights: was 'other'"):
        next(work.predictions(IDS, "reading"))
    with pytest.raises(SettingsMismatchError, match="weights: was 'other'"):
        work.records(IDS)


def test_images_without_a_prediction_are_counted(run, caplog):
    work = predicted(run)
    run.workspace.prediction_path(work.names, "a").unlink()
    with caplog.at_level(logging.WARNING):
        assert work.predicted() == ["b", "c"]
    assert "1 of 3 images have no prediction" in caplog.text
    empty = Run(run.configuration, Workspace(run.workspace.path / "empty")).stored("net", "photos")
    with pytest.raises(StoreError, match=r"pred_images\.py with args\.dataset=photos args\.model_name=net"):
        empty.predicted()


def test_a_limit_narrows_the_dataset_down(run):
    assert list(run.stored("net", "photos", CommonSettings(limit=2)).dataset.ids) == IDS[:2]
    assert run.stored("net", "photos").names == Stored("net", "photos")


def test_weights_are_hashed_again_only_when_their_file_is_another(run, monkeypatch, tmp_path):
    hashed, real = [], provenance.weights_hash
    monkeypatch.setattr(provenance, "weights_hash", lambda path: (hashed.append(path), real(path))[1])
    first = run.weights_hash("net")
    assert [run.weights_hash("net"), run.stored("net", "photos").provenance["weights"]] == [first, first]
    assert len(hashed) <= 1
    path = tmp_path / "w.pth"
    path.write_bytes(b"abd")
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 10**9))
    assert run.weights_hash("net") != first
    assert len(hashed) <= 2
