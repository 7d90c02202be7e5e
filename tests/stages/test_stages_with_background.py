"""Networks with a background through the stages, and how a segmentation is evaluated there."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from colour_network import ColourNetwork
from miniature import COLOURS, NEVER

from oodretrieval.datasets import open_dataset
from oodretrieval.entries import DatasetEntry, ModelEntry
from oodretrieval.errors import (
    ConfigurationError,
    SettingsError,
    SettingsMismatchError,
    StoreError,
    TableError,
)
from oodretrieval.evaluation import ConfusionMatrix, non_distinctiveness
from oodretrieval.experiment.predicted_classes import predicted_classes
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.models import load_model, read_metadata, save_weights
from oodretrieval.stages.evaluate.eval_segmentation import eval_segmentation
from oodretrieval.stages.evaluate.settings import SegmentationSettings
from oodretrieval.stages.fit.settings import TrainMetaSettings
from oodretrieval.stages.fit.train_meta_nn import train_meta_nn
from oodretrieval.stages.measure.compute_metrics import compute_metrics
from oodretrieval.stages.measure.settings import MetricsSettings
from oodretrieval.stages.predict.pred_images import pred_images
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stages.select.compute_embeddings import compute_embeddings
from oodretrieval.stages.select.settings import EmbedSettings
from oodretrieval.stages.train.settings import TrainSegmentationSettings
from oodretrieval.stages.train.train_segmentation import train_segmentation
from oodretrieval.stores import Catalogue, read_prediction

CLASSES = 9
ON_CPU = {"gpu": -1}


def behind(entry):
    """Pedestrians as background: the miniature has no void."""
    arguments = {"dataset": entry, "void": False, "unknown": True}
    return DatasetEntry("oodretrieval.datasets.background", "with_background", arguments)


@pytest.fixture
def extended(configuration, tmp_path):
    """Datasets with background, and networks with an implicit and with an ordinary one."""
    datasets = {f"{name}_behind": behind(configuration.dataset(name)) for name in ("train", "val")}
    colours = [COLOURS.get(i, NEVER) for i in range(CLASSES)]
    normal = {"mean": (0, 0, 0), "std": (1, 1, 1)}
    deeplab = {"num_classes": CLASSES, "channels": 8, "low_level_channels": 8}

    def network(name, classes, **options):
        arguments = {**deeplab, "num_classes": classes}
        path = tmp_path / f"{name}.safetensors"
        return ModelEntry("oodretrieval.models", "DeepLabV3Plus", arguments, path, **options)

    models = {
        "colour_implicit": ModelEntry(
            "colour_network", "ColourNetwork", {"colours": colours}, **normal, implicit_background=True
        ),
        "implicit": network("implicit", CLASSES, implicit_background=True),
        "ordinary": network("ordinary", CLASSES + 1),
        "too_wide": network("too_wide", CLASSES + 1, implicit_background=True),
        "foreground": network("foreground", CLASSES),
    }
    return replace(
        configuration,
        datasets={**configuration.datasets, **datasets},
        models={**configuration.models, **models},
    )


def training(**options):
    defaults = {"dataset": "train_behind", "dataset_val": "val_behind", "model_name": "implicit"}
    sizes = {"crop_height": 32, "crop_width": 48, "epochs": 1, "batch_size": 2, "limit": 2, **ON_CPU}
    return from_mapping(TrainSegmentationSettings, {**defaults, **sizes, **options})


def evaluated(extended, workspace, name, dataset="val_behind", **options):
    pred_images(
        from_mapping(PredictSettings, {"dataset": dataset, "model_name": name, **ON_CPU, **options}),
        Run(extended, workspace),
    )
    settings = from_mapping(SegmentationSettings, {"dataset": dataset, "model_name": name, "block": 1})
    return eval_segmentation(settings, Run(extended, workspace))  # each of the few frames by itself


@pytest.mark.slow
def test_trained_predicted_and_evaluated_by_the_entry_alone(extended, workspace):
    result = train_segmentation(training(), Run(extended, workspace))
    assert train_segmentation(training(), Run(extended, workspace)) == result, "its state can be gone on with"
    noted = read_metadata(result["path"])
    assert noted["implicit_background"] is True and len(noted["classes"]) == CLASSES + 1
    assert noted["classes"]["0"][0] == "background"
    for key in ("mean_dice", "mean_accuracy", "frequency_weighted_iou", "non_distinctiveness_1"):
        assert noted["quality"][key] == result[key]
    measures = evaluated(extended, workspace, "implicit", limit=2)
    prediction = read_prediction(workspace, "implicit", "val_behind", open_ids(extended)[0])
    assert prediction.num_classes == CLASSES + 1
    settings = from_mapping(
        SegmentationSettings, {"dataset": "val_behind", "model_name": "implicit", "limit": 2}
    )
    again = eval_segmentation(settings, Run(extended, workspace))
    assert again["mean_iou"] == measures["mean_iou"] == pytest.approx(result["mean_iou"], abs=2e-3)
    for mode in (1, 2):
        key = f"non_distinctiveness_{mode}"
        assert again[key] == pytest.approx(result[key], abs=1e-3), "the network and its stored logits agree"


def open_ids(configuration):
    return open_dataset(configuration.dataset("val_behind")).ids


def test_weights_trained_without_a_background_are_extended_by_it(extended, workspace, tmp_path):
    plain = training(dataset="train", dataset_val="val", model_name="foreground")
    path = train_segmentation(plain, Run(extended, workspace))["path"]
    entry = replace(extended.model("foreground"), implicit_background=True)
    assert load_model(entry).network.classifier.out_channels == CLASSES
    images = open_dataset(extended.dataset("images"))
    names = [name for name, _ in predicted_classes(entry, images, 0).values()]
    assert names[0] == "background" and names[-1] == "car" and len(names) == CLASSES + 1
    assert len(predicted_classes(replace(entry, implicit_background=False), images, 0)) == CLASSES
    both = replace(extended, models={**extended.models, "later": entry})
    assert both.model("later").weights.samefile(path)
    assert evaluated(both, workspace, "later")["images"] == 6


def test_weights_trained_with_it_serve_without(extended, workspace):
    train_segmentation(training(), Run(extended, workspace))
    bare = replace(extended.model("implicit"), implicit_background=False)
    assert load_model(bare).classifier.out_channels == CLASSES
    images = open_dataset(extended.dataset("images"))
    assert predicted_classes(bare, images, 0)[0][0] == "sky"


def test_what_disagrees_is_said_before_the_training(extended, workspace):
    with pytest.raises(ConfigurationError, match="num_classes=10, the dataset 9 .* besides the background"):
        train_segmentation(training(model_name="too_wide"), Run(extended, workspace))
    with pytest.raises(ConfigurationError, match="implicit background, but predicted id 0 .* 'sky'"):
        train_segmentation(training(dataset="train", dataset_val="val"), Run(extended, workspace))
    with pytest.raises(ConfigurationError, match="num_classes=9, the dataset 10 predicted classes;"):
        train_segmentation(training(model_name="foreground"), Run(extended, workspace))
    with pytest.raises(ConfigurationError, match=r"10 classes, the dataset's pred_mapping 9; .*background"):
        evaluated(extended, workspace, "colour_implicit", dataset="val")


def test_predictions_made_without_the_background_are_refused(extended, workspace):
    evaluated(extended, workspace, "colour_implicit")
    entry = replace(extended.model("colour_implicit"), implicit_background=False)
    changed = replace(extended, models={**extended.models, "colour_implicit": entry})
    with pytest.raises(SettingsMismatchError, match="implicit_background"):
        pred_images(
            from_mapping(
                PredictSettings, {"dataset": "val_behind", "model_name": "colour_implicit", **ON_CPU}
            ),
            Run(changed, workspace),
        )


@pytest.mark.slow
def test_all_stages_run_with_a_background(extended, workspace):
    for dataset in ("train_behind", "val_behind"):
        names = {"dataset": dataset, "model_name": "colour_implicit"}
        pred_images(from_mapping(PredictSettings, {**names, **ON_CPU}), Run(extended, workspace))
        compute_metrics(from_mapping(MetricsSettings, {**names}), Run(extended, workspace))
    common = {"model_name": "colour_implicit", "meta_model_name": "linear", **ON_CPU}
    train_meta_nn(
        from_mapping(TrainMetaSettings, {"dataset": "train_behind", "dataset_val": "val_behind", **common}),
        Run(extended, workspace),
    )
    sizes = {"min_height": 4, "min_width": 4, "min_crop_height": 40, "min_crop_width": 40}
    done = compute_embeddings(
        from_mapping(
            EmbedSettings,
            {
                "dataset": ("val_behind",),
                "select_by": "predicted_iou",
                "iou_threshold": 0.99,
                **sizes,
                **common,
            },
        ),
        Run(extended, workspace),
    )
    manifest = json.loads((workspace.catalogue_folder("val_behind") / "manifest.json").read_text())
    assert done and "background" in json.dumps(manifest)
    assert len(Catalogue.open(workspace.catalogue_folder("val_behind")).segments)


def test_the_measures_are_those_of_the_stored_predictions(extended, workspace):
    measures = evaluated(extended, workspace, "colour_implicit")
    dataset = open_dataset(extended.dataset("val_behind"))
    matrix, values = ConfusionMatrix(CLASSES + 1), []
    for image in dataset.ids:
        prediction = read_prediction(workspace, "colour_implicit", "val_behind", image)
        matrix.update(prediction.prediction, prediction.truth())
        values.append(non_distinctiveness(prediction.full_logits().transpose(2, 0, 1)[None], 2))
    assert measures["mean_iou"] == matrix.mean_iou() and measures["mean_dice"] == matrix.mean_dice()
    assert measures["non_distinctiveness_2"] == pytest.approx(np.mean(values))
    assert measures["auroc_background"] > 0.9, "pedestrians have a colour that no class has"
    low, high = measures["intervals"]["non_distinctiveness_2"]
    assert low <= measures["non_distinctiveness_2"] <= high
    written = {path.rsplit(".", 1)[-1]: path for path in measures["files"]}
    assert set(written) == {"json", "md", "csv"}
    content = json.loads(Path(written["json"]).read_text(encoding="utf-8"))
    assert content["figures"]["mean_iou"] == measures["mean_iou"]
    page = Path(written["md"]).read_text(encoding="utf-8")
    assert "expected non-distinctiveness, mode 1" in page and "background: pedestrian, bicyclist" in page


def test_softmax_serves_as_well_as_logits(extended, workspace, tmp_path):
    kept = evaluated(extended, workspace, "colour_implicit")
    pred_images(
        from_mapping(
            PredictSettings,
            {
                "dataset": "val_behind",
                "model_name": "colour_implicit",
                "keep": "softmax",
                "overwrite": True,
                **ON_CPU,
            },
        ),
        Run(extended, workspace),
    )
    settings = SegmentationSettings(dataset="val_behind", model_name="colour_implicit")
    softmax = eval_segmentation(settings, Run(extended, workspace))
    for key in ("non_distinctiveness_1", "non_distinctiveness_2", "auroc_background"):
        assert softmax[key] == pytest.approx(kept[key], abs=1e-3)


def test_without_logits_only_classes_are_evaluated(extended, workspace):
    measures = evaluated(extended, workspace, "colour_implicit", keep="nothing")
    assert measures["mean_iou"] > 0 and "non_distinctiveness_1" not in measures


def test_datasets_without_truth_or_predictions_are_refused(extended, workspace):
    with pytest.raises(TableError, match="has no truth"):
        eval_segmentation(
            SegmentationSettings(dataset="images", model_name="colour"), Run(extended, workspace)
        )
    with pytest.raises(StoreError, match="run scripts/pred_images.py"):
        eval_segmentation(SegmentationSettings(dataset="val", model_name="colour"), Run(extended, workspace))


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"attraction": 1.0}, {"repulsion": 1.0}, {"similarity": "correlation"}])
def test_template_losses_are_options_of_the_training(extended, workspace, options):
    plain = {"dataset": "train", "dataset_val": "val", "model_name": "foreground"}
    train_segmentation(training(**plain), Run(extended, workspace))
    first = load_model(extended.model("foreground")).state_dict()
    with pytest.raises(SettingsMismatchError, match=next(iter(options))):
        train_segmentation(training(**plain, **options), Run(extended, workspace))
    train_segmentation(training(**plain, **options, overwrite=True), Run(extended, workspace))
    assert (
        read_metadata(extended.model("foreground").weights)["recipe"] | options
        == read_metadata(extended.model("foreground").weights)["recipe"]
    )
    second = load_model(extended.model("foreground")).state_dict()
    same = all(bool((first[key] == second[key]).all()) for key in first)
    assert same == ("similarity" in options), "the similarity alone changes nothing"


@pytest.mark.parametrize("name", ["attraction", "repulsion"])
def test_weights_of_template_losses_are_not_negative(name):
    with pytest.raises(SettingsError, match=f"args.{name} must be at least 0, got -1"):
        training(**{name: -1.0})


def test_the_colour_network_takes_weights_too(tmp_path):
    network = ColourNetwork([(0, 0, 0)] * CLASSES)
    save_weights(network, tmp_path / "w.safetensors", {})
    entry = ModelEntry(
        "colour_network", "ColourNetwork", {"colours": [(0, 0, 0)] * CLASSES}, tmp_path / "w.safetensors"
    )
    assert list(load_model(replace(entry, implicit_background=True)).state_dict()) == ["colours"]
