"""What a stage says it would do is what it then does, and saying so touches nothing."""

import ast
from pathlib import Path

import pytest
from steps import CPU, META, NETWORK, embed_settings
from test_bad_input import predict, root  # noqa: F401 - a fixture

from oodretrieval.errors import PartialFailure
from oodretrieval.experiment.dry_run import STAGES, dry_run
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.pipeline_settings import PipelineSettings
from oodretrieval.stages.evaluate.settings import IouSettings
from oodretrieval.stages.fit.settings import TrainMetaSettings, TrainNoveltySettings
from oodretrieval.stages.fit.train_meta_nn import train_meta_nn
from oodretrieval.stages.measure.compute_metrics import compute_metrics
from oodretrieval.stages.measure.settings import MetricsSettings
from oodretrieval.stages.predict.pred_images import pred_images
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stages.select.compute_embeddings import compute_embeddings
from oodretrieval.stores import Stored

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


def files_below(folder):
    return (
        {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} if folder.exists() else {}
    )


def test_every_script_has_a_dry_run():
    assert {path.stem for path in SCRIPTS.glob("*.py")} == set(STAGES)


def test_it_names_no_stage_and_loads_no_network():
    import oodretrieval.experiment.dry_run as module

    tree = ast.parse(Path(module.__file__).read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not [
        name for name in imported if name.startswith(("torch", "oodretrieval.models", "oodretrieval.stages"))
    ]


@pytest.mark.parametrize(
    ("name", "stage", "settings"),
    [
        ("pred_images", pred_images, from_mapping(PredictSettings, {"dataset": "images", **NETWORK, **CPU})),
        ("compute_metrics", compute_metrics, from_mapping(MetricsSettings, {"dataset": "val", **NETWORK})),
        ("compute_embeddings", compute_embeddings, embed_settings(save_file="mine")),
        (
            "train_meta_nn",
            train_meta_nn,
            from_mapping(TrainMetaSettings, {"dataset": "train", "dataset_val": "val", **META, **CPU}),
        ),
    ],
)
def test_it_writes_where_it_said_and_nothing_before(configuration, trained, name, stage, settings):
    run = Run(configuration, trained)
    if name == "compute_metrics":
        (trained.segments_folder(Stored("colour", "val")) / "part-00000.parquet").unlink()
    if name == "train_meta_nn":
        trained.meta_model_path("linear").unlink()
    before = files_below(trained.path)
    said = dry_run(name, settings, run)
    assert files_below(trained.path) == before
    stage(settings, run)
    written = {path for path, content in files_below(trained.path).items() if before.get(path) != content}
    assert written
    assert [path for path in written if not any(path.is_relative_to(place) for place in said["writes"])] == []


def test_counts_are_those_of_the_run_that_follows(root, configuration, workspace):  # noqa: F811
    def said(stage, kind, **options):
        settings = {"dataset": "val", **NETWORK, "root": str(root), **options}
        return dry_run(stage, from_mapping(kind, settings), Run(configuration, workspace))["val"]

    assert said("pred_images", PredictSettings) == {
        "images": 6, "predicted": 0, "measured": 0, "failed": 0, "to_do": 6,
    }  # fmt: skip
    with pytest.raises(PartialFailure):
        predict(root, configuration, workspace)
    assert said("pred_images", PredictSettings)["to_do"] == 0
    assert said("pred_images", PredictSettings)["failed"] == 5
    assert said("pred_images", PredictSettings, retry_failed=True)["to_do"] == 5
    assert said("pred_images", PredictSettings, overwrite=True)["to_do"] == 6
    assert said("pred_images", PredictSettings, limit=2) == {
        "images": 2, "predicted": 0, "measured": 0, "failed": 2, "to_do": 0,
    }  # fmt: skip
    assert said("compute_metrics", MetricsSettings)["to_do"] == 1
    settings = {"dataset": "val", **NETWORK, "root": str(root)}
    compute_metrics(from_mapping(MetricsSettings, settings), Run(configuration, workspace))
    assert said("compute_metrics", MetricsSettings) == {
        "images": 6, "predicted": 1, "measured": 1, "failed": 0, "to_do": 0,
    }  # fmt: skip
    assert said("eval_iou", IouSettings) == {"images": 6, "predicted": 1, "measured": 1, "failed": 5}


@pytest.mark.parametrize(
    ("overwritten", "again"),
    [
        ({}, set()),
        ({"overwrite": True}, {"predictions", "segments", "catalogues"}),
        ({"embed": {"overwrite": True}}, {"catalogues"}),
    ],
    ids=["nothing", "everything", "the catalogue"],
)
def test_what_would_be_made_again_is_said(configuration, embedded, caplog, overwritten, again):
    caplog.set_level("INFO")
    settings = from_mapping(PipelineSettings, {"dataset": "val", **META, **overwritten})
    said = dry_run("pipeline", settings, Run(configuration, embedded))
    assert said["val"]["to_do"] == (6 if "predictions" in again else 0)
    words = {}
    for path in map(Path, said["writes"]):
        (line,) = (each for each in caplog.messages if each.endswith(f" {path}"))
        words[path.relative_to(embedded.path).parts[0]] = line.split(" in ")[0]
    assert {name for name, what in words.items() if what == "would make its work again"} == again
    assert {name for name, what in words.items() if what == "would go on"} == (
        {"predictions", "segments", "catalogues"} - again
    )


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_that_a_run_would_not_replace_is_not_promised(configuration, measured, caplog, overwrite):
    caplog.set_level("INFO")
    run = Run(configuration, measured)
    path = run.novelty_model_path("colour")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    settings = from_mapping(TrainNoveltySettings, {"dataset": "val", **NETWORK, "overwrite": overwrite})
    dry_run("train_novelty", settings, run)
    (line,) = (each for each in caplog.messages if each.endswith(f" {path}"))
    assert line.startswith(
        "would make its work again in" if overwrite else "without args.overwrite=True would leave"
    )


def test_evaluations_are_written_each_time(configuration, measured, caplog):
    caplog.set_level("INFO")
    (measured.path / "evaluation").mkdir()
    settings = from_mapping(IouSettings, {"dataset": "val", **NETWORK, "overwrite": True})
    dry_run("eval_iou", settings, Run(configuration, measured))
    assert "again in" not in caplog.text


def test_a_folder_of_photographs_needs_no_entry(configuration, workspace, camvid):
    settings = from_mapping(PipelineSettings, {**NETWORK, "root": str(camvid / "val")})
    configuration.datasets.pop("val")
    said = dry_run("pipeline", settings, Run(configuration, workspace))
    assert said["val"]["to_do"] == 6
    assert str(workspace.path / "predictions" / "colour" / "val") in said["writes"]
