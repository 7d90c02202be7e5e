"""A workspace by an address of fsspec holds what one on a disk holds, after every stage."""

import fsspec
import pytest
from steps import META, NETWORK, embed, fit_novelty, predict_and_measure, train_linear

from oodretrieval.errors import PartialFailure
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.stages.evaluate.eval_iou import eval_iou
from oodretrieval.stages.evaluate.settings import IouSettings
from oodretrieval.stages.predict.pred_images import pred_images
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stores import Catalogue, Workspace


@pytest.fixture
def address(tmp_path, monkeypatch):
    monkeypatch.setenv("OODRETRIEVAL_CACHE", str(tmp_path / "cache"))
    yield f"memory://{tmp_path.name}/work"
    fsspec.filesystem("memory").store.clear()


def files_of(workspace):
    paths = (path for path in workspace.path.rglob("*") if path.is_file())
    return {
        path.relative_to(workspace.path).as_posix(): path.read_bytes()
        for path in paths
        if not path.name.startswith(".lock")
    }


@pytest.mark.slow
def test_the_same_files_by_every_stage(configuration, tmp_path, address, monkeypatch):
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", lambda figure, path, **options: path.touch())
    found = []
    for place in (tmp_path / "work", address):
        run = Run(configuration, Workspace(place))
        predict_and_measure(run, "train", "val")
        train_linear(run, repetitions=2)
        fit_novelty(run)
        for path in [path for path in (tmp_path / "work").glob("*_models/*.safetensors") if found]:
            # what describes tensors lies in any order, so that their hashes, which catalogues note, differ
            (run.workspace.path / path.relative_to(tmp_path / "work")).put(path)
        embed(run, select_by="novelty", iou_threshold=0.5, select_quantile=0.5)
        eval_iou(from_mapping(IouSettings, {"dataset": "val", **META, "repetitions": 2}), run)
        assert len(Catalogue.open(run.workspace.catalogue_folder("val")).vectors)
        found.append(files_of(run.workspace))
    one, other = found
    assert one.keys() == other.keys() and len(one) > 30
    differing = {name for name in one if one[name] != other[name]}
    assert {name for name in differing if not name.endswith(".safetensors")} == set()
    assert not (tmp_path / "memory:").exists()


def test_what_is_done_is_not_done_again_and_a_damaged_object_is(configuration, address):
    settings = from_mapping(PredictSettings, {"dataset": "val", **NETWORK, "gpu": -1})
    run = Run(configuration, Workspace(address))
    assert pred_images(settings, run)["predicted"] == 6
    assert pred_images(settings, run)["predicted"] == 0
    first = next(run.workspace.path.rglob("*.h5"))
    whole = first.read_bytes()
    system, key = first.store
    system.pipe_file(key, whole[:-100])
    try:
        assert pred_images(settings, run)["predicted"] == 1
    except PartialFailure as error:  # pragma: no cover
        pytest.fail(str(error))
    assert first.read_bytes() == whole
