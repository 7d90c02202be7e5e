"""The weights that ship: they are there, small, noted, and fit their entries."""

from pathlib import Path

import numpy as np
import pytest
import torch

from oodretrieval.datasets import CamVid
from oodretrieval.datasets.camvid import LABELS as CAMVID
from oodretrieval.datasets.idd_lite import LABELS as ROADS
from oodretrieval.datasets.streets import LABELS as STREETS
from oodretrieval.datasets.streets import Streets
from oodretrieval.evaluation import ConfusionMatrix
from oodretrieval.experiment.configuration import load_configuration
from oodretrieval.experiment.run import Run
from oodretrieval.files import verify
from oodretrieval.meta_models import load_meta_model, select_features
from oodretrieval.models import load_model, read_metadata
from oodretrieval.stages.fit.compute_logit_statistics import find_logit_statistics
from oodretrieval.stages.predict.segmenter import Segmenter
from oodretrieval.stores import Workspace

ROOT = Path(__file__).resolve().parents[1]
NETWORKS = {
    "deeplabv3plus_streets": STREETS,
    "deeplabv3plus_camvid": CAMVID.with_unknown(("pedestrian", "bicyclist")),
    "deeplabv3plus_roads": ROADS,
}
META_MODELS = {
    f"{kind}_{images}": f"deeplabv3plus_{images}"
    for kind in ("meta_nn", "boosting")
    for images in ("streets", "camvid")
} | {"boosting_roads": "deeplabv3plus_roads"}


@pytest.fixture(scope="module")
def configuration():
    return load_configuration(ROOT / "configuration.py")


def test_every_file_is_small_and_has_its_note():
    notes = (ROOT / "pretrained" / "README.md").read_text(encoding="utf-8")
    files = [path for path in (ROOT / "pretrained").iterdir() if path.suffix != ".md"]
    assert {path.suffix for path in files} == {".safetensors", ".skops"}
    for path in files:
        assert path.stat().st_size <= 20 * 2**20
        assert path.name in notes, f"pretrained/README.md says nothing of {path.name}"


def test_what_is_fitted_carries_its_checksum():
    """Of a network others note the hash of its whole file."""
    files = (path for kind in ("*.safetensors", "*.skops") for path in (ROOT / "pretrained").glob(kind))
    fitted = [path for path in files if path.stem not in NETWORKS]
    assert len(fitted) >= 8
    assert [path.name for path in fitted if not verify(path)] == []


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_loads_and_knows_its_classes(configuration, name):
    entry = configuration.model(name)
    model = load_model(entry)
    noted = read_metadata(entry.weights)
    classes = {int(i): (text, tuple(colour)) for i, (text, colour) in noted["classes"].items()}
    assert classes == dict(NETWORKS[name].pred_mapping)
    assert noted["quality"]["mean_iou"] > 0.65 and noted["recipe"]["epochs"] > 0
    with torch.inference_mode():
        assert model(torch.zeros(1, 3, 33, 65)).shape == (1, len(classes), 33, 65)


@pytest.mark.parametrize("name", NETWORKS)
def test_logit_statistics_are_of_the_weights_that_ship(configuration, name, tmp_path):
    statistics = find_logit_statistics(Run(configuration, Workspace(tmp_path)), name)
    assert statistics is not None
    assert len(statistics.mean) == len(NETWORKS[name].pred_mapping)
    assert (statistics.pixels > 100_000).all() and (statistics.std > 0.5).all()


@pytest.mark.parametrize("name", META_MODELS)
def test_a_meta_model_loads_and_is_of_its_network(configuration, name):
    model = load_meta_model(configuration.meta_model(name).path)
    classes = NETWORKS[META_MODELS[name]].pred_mapping
    assert model.class_names == tuple(text for text, _ in classes.values())
    group = "extended" if name.startswith("boosting") else "published"
    assert list(model.feature_names) == select_features([group], len(classes))
    assert model.classifies and 0 < model.quality["threshold"] < 1
    measures = model.quality["figures"]["known segments"]
    assert measures["all features"]["r2"] > measures["entropy only"]["r2"] > measures["mean"]["r2"]
    assert model.quality["made_by"]["model"] == META_MODELS[name] and model.quality["made_by"]["strict"]


def test_the_boosted_estimate_is_better_than_the_network_that_ships(configuration):
    for images in ("streets", "camvid"):
        boosted, network = (
            load_meta_model(configuration.meta_model(f"{kind}_{images}").path)
            for kind in ("boosting", "meta_nn")
        )
        for what in ("known segments", "all segments"):
            better, usual = (m.quality["figures"][what]["all features"]["r2"] for m in (boosted, network))
            assert better > usual + 0.003


@pytest.mark.parametrize("name", NETWORKS)
def test_a_novelty_model_loads_and_is_of_its_network(configuration, name, tmp_path):
    model = Run(configuration, Workspace(tmp_path)).trained.novelty_model(name)
    assert model.num_classes == len(NETWORKS[name].pred_mapping)
    assert model.made_by["model"] == name and model.made_by["limit"] == 0
    assert len(model.bank.vectors) > 1000 and model.threshold("novelty", 0.95) > model.threshold(
        "novelty", 0.5
    )


def test_the_streets_network_segments_streets(configuration, tmp_path):
    streets = Streets("val", count=2, cache=tmp_path)
    segmenter = Segmenter(configuration.model("deeplabv3plus_streets"), torch.device("cpu"))
    matrix = ConfusionMatrix(streets.label_set.num_classes)
    for index in range(len(streets)):
        prediction = segmenter(streets[index], streets.label_set)
        matrix.update(prediction.prediction, prediction.truth())
    assert matrix.pixel_accuracy() > 0.9


def test_the_camvid_network_segments_camvid(configuration, shared_data):
    images = CamVid(shared_data / "camvid", "val", ("pedestrian", "bicyclist"))
    segmenter = Segmenter(configuration.model("deeplabv3plus_camvid"), torch.device("cpu"))
    matrix = ConfusionMatrix(9)
    for index in (0, 50, 100):
        prediction = segmenter(images[index], images.label_set)
        matrix.update(prediction.prediction, prediction.truth())
    assert matrix.mean_iou() > 0.6
    assert np.isfinite(matrix.iou()).sum() >= 8
