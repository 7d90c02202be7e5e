"""All stages by one command, on a folder of photographs that nothing else knows."""

import logging
from pathlib import Path

import pytest
from in_process import run_in_process
from PIL import Image

from oodretrieval import pipeline as pipelines
from oodretrieval.datasets.streets import Streets
from oodretrieval.errors import PartialFailure, SettingsError, SettingsMismatchError, StoreError
from oodretrieval.experiment.configuration import load_configuration
from oodretrieval.experiment.descriptions import default_values, descriptions
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import changed, flat, from_mapping
from oodretrieval.pipeline import PipelineSettings, pipeline
from oodretrieval.pipeline_settings import GROUPS
from oodretrieval.stages.report.report import report
from oodretrieval.stages.report.settings import ReportSettings
from oodretrieval.stores import Catalogue, Workspace

ROOT = Path(__file__).resolve().parents[1]
CONFIGURATION = load_configuration(ROOT / "configuration.py")


@pytest.fixture(scope="module")
def streets(tmp_path_factory):
    """Three rendered streets as photographs, one in a folder of its own."""
    rendered = Streets("test", count=3, cache=str(tmp_path_factory.mktemp("cache")))
    folder = tmp_path_factory.mktemp("made") / "holiday"
    for index, name in enumerate(("a", "b", "later/c")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rendered[index].image).save(folder / f"{name}.png")
    return folder


@pytest.fixture
def settings(streets):
    chosen = {"model_name": "deeplabv3plus_streets", "meta_model_name": "meta_nn_streets"}
    return from_mapping(
        PipelineSettings, {"root": str(streets), "select_number": 6, "explore": False, "gpu": -1, **chosen}
    )


@pytest.fixture
def run(tmp_path):
    return Run(CONFIGURATION, Workspace(tmp_path / "workspace"))


@pytest.mark.parametrize("keep", ["logits", pytest.param("nothing", marks=pytest.mark.slow)])
def test_from_photographs_to_a_report_and_again(settings, run, caplog, keep):
    caplog.set_level(logging.INFO)
    settings = from_mapping(PipelineSettings, {**without_groups(settings), "predict": {"keep": keep}})
    first = pipeline(settings, run)
    assert first["dataset"] == first["catalogue"] == "holiday"
    assert "3 predicted, 0 were there" in caplog.text
    segments = Catalogue.open(run.workspace.catalogue_folder("holiday")).segments
    assert len(segments) == 6
    assert set(segments["image_id"]) <= {"a", "b", "later/c"}
    assert Path(first["report"]).read_text().count("holiday") > 0
    caplog.clear()
    others = {
        "dataset": "streets_test",
        "model_name": "deeplabv3plus_camvid",
    }  # by default, where none is given
    named = from_mapping(ReportSettings, {**others, "embeddings_file": "holiday", "gpu": -1})
    assert report(named, run)["file"] == first["report"], "a folder is reported by the name of its catalogue"
    assert pipeline(settings, run) == first
    assert "3 predicted" not in caplog.text and "0 predicted, 3 were there" in caplog.text


def without_groups(settings):
    """What is not a group."""
    return {key: value for key, value in flat(settings).items() if key not in GROUPS}


def test_another_selection_costs_the_selection_alone(settings, run, caplog):
    caplog.set_level(logging.INFO)
    pipeline(settings, run)
    caplog.clear()
    less = changed(settings, {"select_number": 3})
    with pytest.raises(
        SettingsMismatchError, match=r"\(select_number: was 6, now 3\); .*embed\.overwrite=True"
    ):
        pipeline(less, run)
    assert "predicting" not in caplog.text, "refused before the first image"
    pipeline(changed(less, {"embed": {"overwrite": True}}), run)
    assert len(Catalogue.open(run.workspace.catalogue_folder("holiday"))) == 3
    assert "0 predicted, 3 were there" in caplog.text and "nothing to do, 3 images were there" in caplog.text
    network = changed(less, {"model_name": "deeplabv3plus_roads", "meta_model_name": ""})
    with pytest.raises(SettingsMismatchError, match="model: was 'deeplabv3plus_streets'"):
        pipeline(network, run)
    assert not (run.workspace.path / "predictions" / "deeplabv3plus_roads").exists()


def test_the_remedy_is_that_of_the_pipeline_where_a_model_changed_as_well(settings, run, monkeypatch):
    def refuse(given, run):
        raise SettingsMismatchError(place, {"novelty_model_hash": ("a", "b")})

    monkeypatch.setattr(pipelines, "compute_embeddings", refuse)
    for stage in ("pred_images", "compute_metrics"):
        monkeypatch.setattr(pipelines, stage, lambda *given: None)
    place = run.workspace.catalogue_folder("holiday")
    with pytest.raises(
        SettingsMismatchError, match=r"novelty_model_hash.*args\.save_file.*embed\.overwrite=True"
    ):
        pipeline(settings, run)
    place = run.workspace.path / "predictions"
    with pytest.raises(SettingsMismatchError, match=r"args\.overwrite=True"):
        pipeline(settings, run)


def test_the_explorer_opens_where_there_is_a_display(settings, run, monkeypatch):
    opened = []
    monkeypatch.setattr(pipelines, "display_problem", lambda: None)
    monkeypatch.setattr(pipelines, "discover_embedding_space", lambda *given: opened.append(given))
    for stage in ("pred_images", "compute_metrics", "compute_embeddings"):
        monkeypatch.setattr(pipelines, stage, lambda *given: None)
    found = pipeline(changed(settings, {"explore": True}), run)
    assert found == {"dataset": "holiday", "catalogue": "holiday"}
    ((seen, _),) = opened
    assert (seen.embeddings_file, seen.net) == ("holiday", settings.net)


def test_stages_get_the_shared_names_and_their_own_settings(settings, run, monkeypatch):
    called = {}
    for stage in ("pred_images", "compute_metrics", "compute_embeddings"):
        monkeypatch.setattr(pipelines, stage, lambda given, _, stage=stage: called.setdefault(stage, given))
    monkeypatch.setattr(
        pipelines, "report", lambda given, _: called.setdefault("report", given) and {"file": ""}
    )
    groups = {"embed": {"min_pixels": 99}, "predict": {"flip": True}, "report": {"save_file": "page.html"}}
    chosen = {
        **without_groups(settings),
        "dataset": "streets_val",
        "root": "",
        "limit": 7,
        "save_file": "mine",
    }
    pipeline(from_mapping(PipelineSettings, {**chosen, **groups}), run)
    assert {given.common.limit for given in called.values()} == {7}
    assert {given.common.gpu for given in called.values()} == {-1}
    assert {given.model_name for given in called.values()} == {"deeplabv3plus_streets"}
    assert called["pred_images"].dataset == called["compute_metrics"].dataset == "streets_val"
    assert called["pred_images"].inference.flip
    embed = called["compute_embeddings"]
    assert (embed.dataset, embed.save_file, embed.min_pixels) == (("streets_val",), "mine", 99)
    assert embed.rule.select_number == 6
    assert (called["report"].embeddings_file, called["report"].save_file) == ("mine", "page.html")


@pytest.mark.slow
def test_a_damaged_photograph_is_named_at_the_end(settings, run, tmp_path, streets):
    for path in streets.rglob("*.png"):
        copy = tmp_path / "photos" / path.name
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes(path.read_bytes())
    (tmp_path / "photos" / "d.png").write_bytes(b"no picture")
    with pytest.raises(PartialFailure, match=r"1 image\(s\) failed.*\n  d: ") as failed:
        pipeline(changed(settings, {"root": str(tmp_path / "photos")}), run)
    assert list(failed.value.failures) == ["d"]
    assert len(Catalogue.open(run.workspace.catalogue_folder("photos"))) == 6
    assert list(run.workspace.path.glob("reports/*.html"))


def test_why_there_is_nothing_to_go_on_with_is_said(settings, run, monkeypatch, caplog):
    def fail(*given):
        raise PartialFailure("pred_images", {"d": "no memory"})

    monkeypatch.setattr(pipelines, "pred_images", fail)
    with pytest.raises(StoreError, match="no predictions"):  # not that all others are done
        pipeline(settings, run)
    assert "1 image(s) failed before, the first, d: no memory" in caplog.text


def test_a_folder_of_the_name_of_an_entry_is_another_dataset(settings, run, monkeypatch):
    given = []
    for stage in ("pred_images", "compute_metrics", "compute_embeddings"):
        monkeypatch.setattr(pipelines, stage, lambda *these: given.append(these))
    monkeypatch.setattr(pipelines, "report", lambda *these: {"file": ""})
    assert pipeline(changed(settings, {"root": "x/camvid_val"}), run)["dataset"] == "camvid_val_folder"
    chosen, extended = given[0]
    assert chosen.dataset == "camvid_val_folder"
    assert extended.configuration.datasets["camvid_val"] == run.configuration.datasets["camvid_val"]
    assert extended.configuration.dataset("camvid_val_folder").kwargs["root"].endswith("x/camvid_val")


def test_settings_that_cannot_be(settings, run):
    with pytest.raises(SettingsError, match=r"set args\.root.*or args\.dataset"):
        pipeline(changed(settings, {"root": ""}), run)
    for name, value in (
        ("predict", {"model_name": "x"}),
        ("predict", {"overwrite": True}),
        ("embed", {"select_number": 3}),
    ):
        with pytest.raises(SettingsError, match=rf"args\.{name}\..* is the same in all stages; set args\."):
            from_mapping(PipelineSettings, {**without_groups(settings), name: value})


def test_each_setting_is_shown_where_it_is_set(capsys):
    words = ["print_config", "with", "args.root=x", "args.candidates=objects", "report.save_file=page.html"]
    code, shown, _ = run_in_process(ROOT / "scripts" / "pipeline.py", words, capsys)
    lines = [line.strip() for line in shown.splitlines()]
    assert code == 0 and "candidates = 'objects'" in shown and "save_file = 'page.html'" in shown
    assert sum("candidates = " in line for line in lines) == 1, "not the group's, which means nothing"
    assert sum("model_name = " in line for line in lines) == 2, "of the network, and of the meta model"
    assert (
        sum("min_height = " in line for line in lines) == 1
        and sum("overwrite = " in line for line in lines) == 2
    )
    texts, values = descriptions(PipelineSettings), default_values(PipelineSettings())
    assert {
        "embed.overwrite",
        "predict.keep",
        "report.save_file",
        "candidates",
    } <= texts.keys() & values.keys()
    assert not {"embed.candidates", "predict.overwrite", "report.gpu"} & (texts.keys() | values.keys())
