"""The evaluation of discovery on the miniature: against the definitions, counted one by one."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage
from steps import fit_novelty

from oodretrieval.errors import SettingsError, TableError
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.masks import decode_mask
from oodretrieval.results.saved_results import read_results
from oodretrieval.stages.evaluate.discovery.eval_discovery import eval_discovery
from oodretrieval.stages.evaluate.discovery.measures import WayMeasures, key, reported_looks
from oodretrieval.stages.evaluate.discovery.settings import DiscoverySettings
from oodretrieval.stages.evaluate.discovery.tables import looks_table
from oodretrieval.stages.measure.compute_metrics import compute_metrics
from oodretrieval.stages.measure.settings import MetricsSettings
from oodretrieval.stages.predict.pred_images import pred_images
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stages.select.compute_embeddings import compute_embeddings
from oodretrieval.stages.select.settings import EmbedSettings
from oodretrieval.stores import SELECT_SCORE, Catalogue, Workspace, read_prediction, read_segments

CPU = {"gpu": -1}
PEDESTRIAN = 9


def evaluate(configuration, workspace, **options):
    settings = {
        "dataset": ("val",),
        "model_name": "colour",
        "repetitions": 20,
        "block": 1,
        "looks": 24,
        "seeds": 2,
        **CPU,
    }
    return eval_discovery(
        from_mapping(DiscoverySettings, {**settings, **options}), Run(configuration, workspace)
    )


def test_more_looks_than_candidates_have_no_share():
    values = {key("found", looks, per_image=each): 0.25 for looks, each in reported_looks()}
    table = looks_table({"objects": WayMeasures(values, {}, 120), "mean": WayMeasures(values, {})}, "found")
    assert table.loc["objects", ["50 in all", "100 in all"]].tolist() == [0.25, 0.25]
    assert table.loc["objects", ["200 in all", "500 in all"]].isna().all()
    assert (table.loc["mean", [name for name in table if "interval" not in name]] == 0.25).all()


@pytest.fixture(scope="module")
def once(grown, measured_once):
    """A workspace with a novelty model, and one evaluation; not to be written to."""
    found = []

    def step(run):
        fit_novelty(run)
        found.append(evaluate(run.configuration, run.workspace))

    return grown(measured_once, step), found[0]


@pytest.fixture
def measured(once, workspace):
    shutil.copytree(once[0].path, workspace.path)
    return workspace


def plain_shares(candidates, objects, looks):
    """Touched, found and outlined after some looks: candidates as (score, image, mask), objects as (image, mask)."""
    shown = sorted(candidates, key=lambda candidate: -candidate[0])[:looks]
    hits = {"touched": set(), "found": set(), "outlined": set()}
    for _, image, mask in shown:
        for number, (where, thing) in enumerate(objects):
            if where == image:
                shared = (mask & thing).sum()
                iou = shared / (mask | thing).sum()
                hits["touched"] |= {number} if shared > mask.sum() / 2 else set()
                hits["found"] |= {number} if iou >= 0.25 else set()
                hits["outlined"] |= {number} if iou >= 0.5 else set()
    return {name: len(found) / len(objects) for name, found in hits.items()}


def true_objects(workspace):
    objects = []
    for image in read_segments(workspace, "colour", "val")["image_id"].unique():
        labels = read_prediction(workspace, "colour", "val", image).labels
        components, number = ndimage.label(labels == PEDESTRIAN, np.ones((3, 3)))
        things = [components == i for i in range(1, number + 1)]
        objects += [(image, thing) for thing in things if thing.sum() >= labels.size / 1000]
    return objects


@pytest.mark.parametrize("looks", [1, *(pytest.param(number, marks=pytest.mark.slow) for number in (2, 5))])
def test_objects_are_counted_by_the_definitions(configuration, once, tmp_path, looks):
    workspace, measures = once
    copy = Workspace(tmp_path / "copy")
    shutil.copytree(workspace.path, copy.path)
    settings = {"dataset": ("val",), "model_name": "colour", "candidates": "objects", "select_quantile": 0.0}
    settings |= {"min_height": 1, "min_width": 1, **CPU}
    compute_embeddings(from_mapping(EmbedSettings, settings), Run(configuration, copy))
    catalogue = Catalogue.named(copy, "val")
    rows = catalogue.segments
    candidates = [
        (score, image, decode_mask(mask))
        for score, image, mask in zip(rows[SELECT_SCORE], rows["image_id"], catalogue.masks, strict=True)
    ]
    expected = plain_shares(candidates, true_objects(copy), looks * 6)
    values = measures["val"]["ways"]["objects"]["values"]
    at = f"after {looks} look{'s' if looks > 1 else ''} an image"
    assert {name: values[f"{name} {at}"] for name in expected} == pytest.approx(expected)


def test_segments_are_counted_by_the_definitions(once):
    workspace, measures = once
    values = measures["val"]["ways"]["predicted segments"]["values"]
    candidates = []
    table = read_segments(workspace, "colour", "val")
    for image, rows in table.groupby("image_id"):
        components = read_prediction(workspace, "colour", "val", image).components()
        large = rows[rows["S"] >= 0.002 * components.size]
        candidates += [(0.0, image, components == number) for number in large["segment_id"]]
    expected = plain_shares(candidates, true_objects(workspace), len(candidates))
    last = {name: values[f"{name} after 500 looks"] for name in expected}
    assert last == pytest.approx(expected)


def test_the_oracle_bounds_every_order(once):
    measures = once[1]["val"]
    for name, way in measures["ways"].items():
        held = measures["oracle"][
            "all regions proposed" if "objects" in name else "predicted segments inspected, all"
        ]
        for share in ("found", "outlined"):
            assert way["values"][f"{share} after 500 looks"] <= held[share] + 1e-12


def test_intervals_hold_the_measures(once):
    way = once[1]["val"]["ways"]["objects"]
    defined = {name: ends for name, ends in way["intervals"].items() if not np.isnan(ends[0])}
    assert "area" in defined
    for name, (low, high) in defined.items():
        assert low - 1e-9 <= way["values"][name] <= high + 1e-9


def test_answers_lead_to_no_more_than_there_is(once):
    measures = once[1]["val"]
    answers = measures["answers"]["objects"]
    assert set(answers) == {"none", "yes or no", "yes or no, 10% wrong", "kinds"}
    last = measures["ways"]["objects"]["values"]["found after 500 looks"]
    for found in answers.values():
        assert 0 < found["unknown after 50 looks"] <= 24
        assert found["found after 50 looks"] <= last + 1e-12


def test_tables_and_pictures_are_left_behind(once):
    workspace, measures = once
    [result] = read_results(workspace.path / "evaluation")
    assert result.stem == "discovery_colour_val"
    assert {"objects touched", "objects found", "objects outlined", "area"} <= set(result.tables)
    assert len(result.pictures) == 3
    assert {path.name for path in result.pictures.values()} <= {
        path.rsplit("/", 1)[-1] for path in measures["files"]
    }


@pytest.mark.slow
def test_several_datasets_are_scenes_of_the_same_weight(configuration, measured):
    both = replace(
        configuration, datasets={**configuration.datasets, "again": configuration.datasets["train"]}
    )
    run = Run(both, measured)
    pred_images(from_mapping(PredictSettings, {"dataset": "again", "model_name": "colour", **CPU}), run)
    compute_metrics(MetricsSettings(dataset="again", model_name="colour"), run)
    found = evaluate(both, measured, dataset=("val", "again"), looks=0, select_by="energy")
    name = "found after 5 looks an image"
    ways = [found[scene]["ways"]["objects"]["values"][name] for scene in ("val", "again")]
    assert found["mean"]["ways"]["objects"]["values"][name] == pytest.approx(np.mean(ways))
    stored = json.loads((measured.path / "evaluation/discovery_colour_val+again.json").read_text())
    assert stored["figures"]["ways"].keys() == found["mean"]["ways"].keys()
    assert found["val"]["answers"] == {}


def test_images_that_the_novelty_model_learned_from_are_left_out(configuration, measured):
    with pytest.raises(TableError, match="was fitted on"):
        evaluate(configuration, measured, dataset=("train",))


def test_what_cannot_be_evaluated_is_refused(configuration, measured):
    with pytest.raises(TableError, match="no truth"):
        evaluate(configuration, measured, dataset=("images",))
    with pytest.raises(SettingsError, match="each once"):
        evaluate(configuration, measured, dataset=("val", "val"))
    with pytest.raises(SettingsError, match="predicted segments"):
        from_mapping(DiscoverySettings, {"select_by": "predicted_iou"})


def test_commas_part_names():
    assert from_mapping(DiscoverySettings, {"dataset": "one,other"}).dataset == ("one", "other")
