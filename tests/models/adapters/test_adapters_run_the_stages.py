"""Every adapter, by its one entry, through the five stages on rendered streets."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_networks import CLASSES, KINDS, entry_of

from oodretrieval.entries import DatasetEntry, MetaModelEntry
from oodretrieval.errors import SettingsMismatchError
from oodretrieval.experiment.configuration import Configuration
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.explorer import Explorer
from oodretrieval.models import weights_hash
from oodretrieval.stages.fit.settings import TrainMetaSettings
from oodretrieval.stages.fit.train_meta_nn import train_meta_nn
from oodretrieval.stages.measure.compute_metrics import compute_metrics
from oodretrieval.stages.measure.settings import MetricsSettings
from oodretrieval.stages.predict.pred_images import pred_images
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stages.select.compute_embeddings import compute_embeddings
from oodretrieval.stages.select.settings import EmbedSettings
from oodretrieval.stores import Catalogue, Workspace, read_prediction, read_segments

CPU = {"gpu": -1, "model_name": "net"}
WIDTH, HEIGHT = 131, 67
"""Odd on purpose."""


@pytest.fixture(scope="module")
def streets(tmp_path_factory):
    """Two small sets of streets with unknown objects in them, rendered once."""
    cache = tmp_path_factory.mktemp("streets")

    def entry(seed):
        arguments = {
            "split": "test",
            "count": 3,
            "seed": seed,
            "size": (WIDTH, HEIGHT),
            "cache": str(cache),
        }
        return DatasetEntry("oodretrieval.datasets.streets", "Streets", arguments)

    return {"known": entry(1), "searched": entry(2)}


@pytest.fixture(params=KINDS)
def kind(request):
    return request.param


@pytest.fixture
def configuration(kind, streets, tmp_path):
    return Configuration(
        path=tmp_path / "configuration.py",
        datasets=streets,
        models={"net": entry_of(kind, tmp_path)},
        meta_models={"linear": MetaModelEntry("oodretrieval.meta_models", "LinearMetaModel")},
        workspace=tmp_path / "workspace",
        defaults={},
    )


QUICK = ("exported",)
"""The others give the stages the same, which the laws of adapters say."""


@pytest.mark.parametrize(
    "kind", [kind if kind in QUICK else pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS]
)
def test_an_entry_runs_the_five_stages(kind, configuration):
    workspace = Workspace(configuration.workspace)
    for dataset in ("known", "searched"):
        pred_images(from_mapping(PredictSettings, {"dataset": dataset, **CPU}), Run(configuration, workspace))
        compute_metrics(MetricsSettings(dataset=dataset, model_name="net"), Run(configuration, workspace))
    meta = from_mapping(
        TrainMetaSettings, {"dataset": "known", "dataset_val": "searched", "meta_model_name": "linear", **CPU}
    )
    train_meta_nn(meta, Run(configuration, workspace))
    embed = from_mapping(
        EmbedSettings,
        {
            "dataset": ("searched",),
            "meta_model_name": "linear",
            "select_by": "predicted_iou",
            "iou_threshold": 2.0,  # a random network is right nowhere: this is not what is tested
            "select_number": 9,
            "min_height": 12,
            "min_width": 12,
            "min_crop_height": 16,
            "min_crop_width": 16,
            **CPU,
        },
    )
    compute_embeddings(embed, Run(configuration, workspace))

    prediction = read_prediction(workspace, "net", "searched", "test_2_0000")
    assert prediction.prediction.shape == (HEIGHT, WIDTH)
    assert prediction.logits.shape[0] == CLASSES
    assert kind == "own class" or prediction.logits[0].size < HEIGHT * WIDTH / 9, "kept small"
    weights = configuration.model("net").weights
    assert prediction.settings["weights"] == ("" if weights is None else weights_hash(weights))
    assert (
        read_segments(workspace, "net", "searched").groupby("image_id")["S"].sum() == HEIGHT * WIDTH
    ).all()
    catalogue = Catalogue.open(workspace.catalogue_folder("searched"))
    assert len(catalogue.segments) == len(catalogue.vectors) > 2
    assert np.isfinite(catalogue.vectors).all()
    if kind == KINDS[0]:  # a catalogue names no network's kind: all look alike to the explorer
        explorer = Explorer(catalogue, method="pca")
        explorer.figure.canvas.draw()
        assert len(explorer.state) == len(catalogue.segments)

    again = pred_images(
        from_mapping(PredictSettings, {"dataset": "searched", **CPU}), Run(configuration, workspace)
    )
    assert (again["predicted"], again["skipped"]) == (0, 3)


def changed(path: Path) -> Path:
    """One byte more in a file, or in the weights of a folder."""
    file = path / "model.safetensors" if path.is_dir() else path
    file.write_bytes(file.read_bytes() + b"\0")
    return path


def test_a_network_whose_file_changed_is_refused(kind, configuration):
    entry = configuration.models["net"]
    if entry.weights is None:
        pytest.skip("its class brings its own weights")
    workspace = Workspace(configuration.workspace)
    pred_images(
        from_mapping(PredictSettings, {"dataset": "known", "limit": 1, **CPU}), Run(configuration, workspace)
    )
    metrics = MetricsSettings(dataset="known", model_name="net")
    changed(entry.weights)
    with pytest.raises(SettingsMismatchError, match="weights: was"):
        compute_metrics(metrics, Run(configuration, workspace))
    other = replace(configuration, models={"net": replace(entry, std=(1, 1, 1))})
    with pytest.raises(SettingsMismatchError, match="model_arguments"):
        compute_metrics(metrics, Run(other, workspace))
