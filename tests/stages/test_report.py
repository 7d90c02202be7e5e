"""The page of a run: all of it in one file, and what is missing is said."""

import json
import re
import shlex
from pathlib import Path

import matplotlib.figure
import numpy as np
import pandas as pd
import pytest
from steps import embed

from oodretrieval.errors import StoreError
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import changed, from_mapping
from oodretrieval.files import CHECKSUM
from oodretrieval.labels import LabelSet
from oodretrieval.results.candidates import Candidates
from oodretrieval.results.result import Context, Result, save_result
from oodretrieval.stages.discover.discover_classes import discover_classes
from oodretrieval.stages.discover.settings import DiscoverClassesSettings
from oodretrieval.stages.evaluate.eval_retrieval import eval_retrieval
from oodretrieval.stages.evaluate.settings import RetrievalSettings
from oodretrieval.stages.report.report import report
from oodretrieval.stages.report.report_evaluations import EVALUATIONS, can_be_evaluated
from oodretrieval.stages.report.report_segments import candidate_sheet
from oodretrieval.stages.report.settings import ReportSettings
from oodretrieval.stages.select.compute_embeddings import compute_embeddings
from oodretrieval.stages.select.settings import EmbedSettings
from oodretrieval.stores import Catalogue, write_json

MODEL = {"model_name": "colour"}
EVALUATED = MODEL | {"meta_model_name": "linear"}
SETTINGS = from_mapping(
    ReportSettings, {"dataset": "val", "min_pixels": 30, "segments": 5, "clusters": 3, **EVALUATED}
)


def save_evaluation(workspace, stem, **context):
    folder = workspace.path / "evaluation"
    folder.mkdir(exist_ok=True)
    picture = folder / f"{stem}.png"
    matplotlib.figure.Figure(figsize=(1, 1)).savefig(picture)
    rules = Context(**({"dataset": "val", "split": "val", "images": 6, "model": "colour"} | context), **RULES)
    table = pd.DataFrame({"IoU": [0.1234567]}, index=pd.Index(["<road>"], name="class"))
    result = Result(
        f"Quality {stem}", stem, rules, {}, {}, {"By class": table}, ("One scene.",), {"Bars": picture}
    )
    save_result(folder, result)


RULES = {"void_rule": "void left out", "resolution": "of the images"}


def test_the_page_holds_results_segments_and_clusters_and_needs_nothing_else(configuration, embedded):
    there = report(SETTINGS, Run(configuration, embedded))["evaluations"]  # of the meta model's training
    save_evaluation(embedded, "iou_colour_val")
    save_evaluation(embedded, "iou_other_val", model="other")
    outcome = report(SETTINGS, Run(configuration, embedded))
    page = (embedded.path / "reports" / "colour_val.html").read_text()
    assert outcome["evaluations"] == there + 1
    assert "Quality iou_colour_val" in page
    assert "Predicted IoU by linear, trained on train" in page  # what train_meta_nn noted
    assert "Quality iou_other_val" not in page  # another network's
    assert "0.123" in page and "&lt;road&gt;" in page and "<road>" not in page
    assert "void left out" in page and "One scene." in page
    for title in ("Worst", "Best", "Overestimated", "Underestimated", "Cluster 1", "Cluster 3"):
        assert f"<h3>{title}</h3>" in page
    assert "Cluster 4" not in page
    sources = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert sources and all(source.startswith(("data:image/", "#")) for source in sources)
    assert not re.search(r"https?://|<script|<link|@import|url\(", page)


def test_segments_are_ordered_by_predicted_iou(configuration, embedded):
    report(SETTINGS, Run(configuration, embedded))
    page = (embedded.path / "reports" / "colour_val.html").read_text()
    worst, best = page.split("<h3>Worst</h3>")[1].split("<h3>Best</h3>")
    shown = [
        [float(v) for v in re.findall(r"<span>[^<]*predicted IoU ([\d.]+)", part)] for part in (worst, best)
    ]
    assert len(shown[0]) == 5
    assert shown[0] == sorted(shown[0])
    assert shown[1][:5] == sorted(shown[1][:5], reverse=True)
    assert max(shown[0]) <= min(shown[1][:5])


def test_the_candidates_lead_in_the_order_of_the_score(configuration, embedded):
    report(SETTINGS, Run(configuration, embedded))
    page = (embedded.path / "reports" / "colour_val.html").read_text()
    assert page.index('id="candidates"') < page.index('id="evaluation-1"') < page.index('id="segments"')
    shown = page.split('id="candidates"')[1].split('id="evaluation-1"')[0]
    places, scores = zip(*re.findall(r"<span>(\d+)\. 1 - predicted IoU ([\d.]+)", shown), strict=True)
    assert [int(place) for place in places] == list(range(1, len(places) + 1)) and len(places) == 5
    catalogue = Catalogue.open(embedded.catalogue_folder("val"))
    highest = catalogue.segments["select_score"].max()
    assert [float(s) for s in scores] == sorted(map(float, scores), reverse=True)
    assert float(scores[0]) == round(highest, 2)


def test_without_a_meta_model_the_candidates_are_shown(configuration, measured):
    settings = {
        "dataset": ("val",),
        "select_by": "entropy",
        "select_number": 6,
        "min_height": 4,
        "min_width": 4,
    }
    compute_embeddings(
        from_mapping(EmbedSettings, {**settings, "gpu": -1, **MODEL}), Run(configuration, measured)
    )
    outcome = report(SETTINGS, Run(configuration, measured))
    page = (measured.path / "reports" / "colour_val.html").read_text()
    assert "1. entropy" in page and "Cluster 1" in page
    assert any("train_meta_nn" in what for what in outcome["missing"])


def test_what_has_not_run_is_named_with_its_command(configuration, measured, tmp_path):
    outcome = report(
        changed(SETTINGS, {"save_file": str(tmp_path / "new" / "page.html")}), Run(configuration, measured)
    )
    page = (tmp_path / "new" / "page.html").read_text()
    assert outcome["evaluations"] == 0
    for script in ("eval_iou.py", "eval_selection.py", "compute_embeddings.py", "train_meta_nn.py"):
        assert any(script in what for what in outcome["missing"])
        assert script in page


def test_a_command_that_is_named_finds_what_the_report_found(configuration, measured):
    root, workspace = configuration.datasets["val"].kwargs["root"], str(measured.path)
    settings = changed(SETTINGS, {"root": root, "workspace": workspace})
    missing = report(settings, Run(configuration, measured))["missing"]
    commands = {what.split(".py")[0].split("/")[-1]: shlex.split(what) for what in missing}
    for script in ("eval_iou", "eval_selection", "compute_embeddings"):
        assert {f"args.root={root}", f"args.workspace={workspace}"} <= set(commands[script]), script


def test_without_segments_there_is_nothing_to_report(configuration, workspace):
    with pytest.raises(StoreError, match="compute_metrics"):
        report(SETTINGS, Run(configuration, workspace))


def test_a_catalogue_that_is_named_says_what_the_report_is_of(configuration, embedded):
    outcome = report(
        changed(SETTINGS, {"dataset": "train", "embeddings_file": "val"}), Run(configuration, embedded)
    )
    assert outcome["file"].endswith("colour_val.html")
    page = (embedded.path / "reports" / "colour_val.html").read_text()
    assert "colour on val" in page and "args.dataset=val" in page and "args.dataset=train" not in page


@pytest.mark.parametrize(
    ("labels", "impossible"),
    [
        (LabelSet.binary(), {"segmentation", "iou", "meta"}),
        (LabelSet({0: ("road", (0, 0, 0))}, {0: ("road", (0, 0, 0))}, {0: 0}), {"ood", "discovery"}),
        (None, set(EVALUATIONS)),
    ],
    ids=["known or unknown", "nothing unknown", "no truth"],
)
def test_what_labels_do_not_say_cannot_be_evaluated(labels, impossible):
    possible = {kind for kind in EVALUATIONS if can_be_evaluated(kind, labels, None)}
    assert possible == set(EVALUATIONS) - impossible - {"retrieval"}


def test_a_catalogue_that_was_asked_for_must_be_there(configuration, measured):
    with pytest.raises(StoreError, match="nothing_there"):
        report(changed(SETTINGS, {"embeddings_file": "nothing_there"}), Run(configuration, measured))


def test_a_result_whose_picture_has_gone_is_left_out_and_named(configuration, measured):
    save_evaluation(measured, "iou_colour_val")
    (measured.path / "evaluation" / "iou_colour_val.png").unlink()
    missing = report(SETTINGS, Run(configuration, measured))["missing"]
    assert any("iou_colour_val.png, which has gone; measure it again" in what for what in missing)


def test_results_of_rows_that_were_selected_before_are_left_out_and_named(configuration, embedded):
    run = Run(configuration, embedded)
    discover_classes(DiscoverClassesSettings(embeddings_file="val", clusters=3, classes=2), run)
    eval_retrieval(from_mapping(RetrievalSettings, {"embeddings_file": "val", "repetitions": 10}), run)
    page = embedded.path / "reports" / "colour_val.html"
    made = [re.compile("Candidate classes among"), re.compile("Retrieval among")]
    missing = report(SETTINGS, run)["missing"]
    assert all(title.search(page.read_text()) for title in made)
    assert not any("discover_classes" in what or "eval_retrieval" in what for what in missing)
    embed(run)  # selects the same: nothing is added, nothing goes
    assert report(SETTINGS, run)["missing"] == missing
    embed(run, select_by="entropy", iou_threshold=0.5, select_number=5, overwrite=True)
    missing = report(SETTINGS, run)["missing"]
    shown = page.read_text().split("Not in this report yet")[0]
    assert not any(title.search(shown) for title in made)
    for script, title in (
        ("discover_classes", "Candidate classes among"),
        ("eval_retrieval", "Retrieval among"),
    ):
        (what,) = [what for what in missing if script in what]
        assert what.startswith(title) and "args.embeddings_file=val" in what and "selected before" in what


def test_a_result_that_does_not_note_its_rows_is_left_out(configuration, embedded):
    run = Run(configuration, embedded)
    done = discover_classes(DiscoverClassesSettings(embeddings_file="val", clusters=3, classes=2), run)
    path = Path(next(file for file in done["files"] if file.endswith(".json")))
    content = json.loads(path.read_text())
    write_json(path, {key: value for key, value in content.items() if key not in ("catalogue", CHECKSUM)})
    (what,) = [what for what in report(SETTINGS, run)["missing"] if "discover_classes" in what]
    assert "does not note of which rows" in what


@pytest.mark.parametrize("video", [True, False])
def test_what_repeats_is_in_a_frame_of_a_video_or_in_an_image(embedded, monkeypatch, video):
    catalogue = Catalogue.open(embedded.catalogue_folder("val"))
    catalogue.manifest["settings"]["video"] = ["val"] if video else []
    same = Candidates(np.arange(len(catalogue), dtype=float), np.zeros(len(catalogue), int))
    monkeypatch.setattr(Candidates, "of", lambda catalogue: same)
    note = candidate_sheet(catalogue, 3).note
    assert f"{len(catalogue) - 1} of {len(catalogue)} repeat one in a" in note
    assert ("near frame" in note) == video
