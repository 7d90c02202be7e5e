"""How an explorer was left comes back; a view is saved without a window; windows on one catalogue see each other."""

import json
import os
import time
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from driving import make_catalogue, open_explorer, wait_for
from PIL import Image

from oodretrieval.errors import SettingsError
from oodretrieval.experiment.run import Run
from oodretrieval.explorer.commands.triggers import press_key
from oodretrieval.explorer.desktop.window import snapshot_embedding_space
from oodretrieval.explorer.details import KeysHelp
from oodretrieval.explorer.keeping import FILE
from oodretrieval.explorer.session import Session
from oodretrieval.explorer.settings import ExplorerSettings
from oodretrieval.explorer.state import State
from oodretrieval.stores import Catalogue, Workspace


@pytest.fixture
def catalogue(tmp_path):
    return make_catalogue(tmp_path, count=20, select_by="novelty")


def left(catalogue):
    """An explorer that was used and closed; the window of its scatter."""
    drive = open_explorer(catalogue)
    drive.press("h", "d", "m", "c", "3", "enter", "j", *"predicted_iou", "enter", "+", "[", "[")
    drive.press("/", *"predicted_iou<0.25", "enter")
    drive.click(2, "right")
    drive.click(3, held="shift")
    drive.wheel(2, 1)
    drive.press("w", *"cone", "enter")
    drive.explorer.close()
    return drive


def test_everything_comes_back_as_it_was_left(catalogue):
    before = left(catalogue)
    after = open_explorer(Catalogue.open(catalogue.path))
    for name in ("colouring", "metric", "neighbours", "query", "groups"):
        assert getattr(after.state, name) == getattr(before.state, name)
    np.testing.assert_array_equal(after.state.clusters, before.state.clusters)
    assert after.state.selection.filter.text == "predicted_iou<0.25"
    np.testing.assert_array_equal(after.state.selection.selected, before.state.selection.selected)
    assert after.state.ranking.step == 1 and after.presentation.density
    assert after.state.tags.of_row(3) == ("cone",)
    assert after.presentation.limits == pytest.approx(before.presentation.limits)
    assert after.scatter.get_xlim() == pytest.approx(before.scatter.get_xlim())
    assert after.presentation.status == "as you left it: filter predicted_iou<0.25, 1 selected"
    after.press("ctrl+z")
    assert after.presentation.status == "nothing to undo"


@pytest.mark.parametrize(
    "harm", ["cut off", *(pytest.param(harm, marks=pytest.mark.slow) for harm in ("other rows", "no column"))]
)
def test_what_means_nothing_any_more_is_left_out(catalogue, harm):
    left(catalogue)
    path = catalogue.path / FILE
    if harm == "cut off":
        path.write_bytes(path.read_bytes()[:-20])
    elif harm == "other rows":
        catalogue.manifest["parts"][0]["table"] = "another.parquet"
        (catalogue.path / "another.parquet").write_bytes(
            (catalogue.path / Catalogue.open(catalogue.path).manifest["parts"][0]["table"]).read_bytes()
        )
    else:
        del catalogue.segments["predicted_iou"]
    after = open_explorer(catalogue)
    assert (after.state.points is not None and after.presentation.limits is None) or harm == "no column"
    assert (after.state.selection.filter is not None) == (harm == "other rows")
    assert harm != "other rows" or (after.state.clusters is None and after.state.query is None)


def test_what_is_shown_of_points_for_now_is_not_kept(catalogue):
    """Closed before its projection is there, the next one would show the ends of another map."""
    drive = open_explorer(catalogue)
    drive.state.preliminary = True
    drive.wheel(2, 1)
    assert drive.presentation.limits is not None
    drive.explorer.close()
    assert open_explorer(catalogue).presentation.limits is None


def test_what_was_shown_outlives_a_window_that_was_closed_before_its_points_were_there(catalogue):
    before = left(catalogue).presentation.limits
    state = State(catalogue, ExplorerSettings(method="pca", distance_metric="euclidean"))
    session = Session(state, Workspace(catalogue.path.parents[1]))
    session.keeping.restore()
    state.metric = "euclidean"
    session.keeping.save()
    assert open_explorer(catalogue).presentation.limits == pytest.approx(before)


def test_a_catalogue_that_cannot_be_written_to_is_explored_all_the_same(catalogue, monkeypatch):
    drive = open_explorer(catalogue)
    monkeypatch.setattr("os.replace", lambda *paths: (_ for _ in ()).throw(PermissionError(13, "no")))
    drive.press("h")
    drive.explorer.look_for_tags()
    assert drive.state.colouring == "prediction" and not (catalogue.path / FILE).exists()


def test_a_damaged_journal_is_said_when_the_window_opens_and_the_rest_is_there(catalogue):
    drive = open_explorer(catalogue)
    for row, name in ((3, "cone"), (4, "bin")):
        drive.hover(row)
        drive.press("w", *name, "enter")
    journal = catalogue.path / "tags" / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b"cone", b"c0ne", 1))
    again = open_explorer(Catalogue.open(catalogue.path))
    assert "1 line(s) of the tags" in again.presentation.status and "kept as" in again.presentation.status
    assert again.state.tags.of_row(4) == ("bin",) and again.state.tags.of_row(3) == ()
    again.hover(3)
    again.press("w", *"cone", "enter")
    assert again.state.tags.of_row(3) == ("cone",)


def test_a_damaged_journal_is_said_where_there_is_no_window(catalogue, tmp_path, caplog):
    open_explorer(catalogue).press("a", "w", *"cone", "enter")
    journal = catalogue.path / "tags" / "journal.jsonl"
    journal.write_bytes(journal.read_bytes().replace(b"cone", b"c0ne", 1))
    run = Run(None, Workspace(catalogue.path.parents[1]))
    snapshot_embedding_space(
        ExplorerSettings(embeddings_file="field", snapshot=str(tmp_path / "v.png"), method="pca"), run
    )
    assert "1 line(s) of the tags" in caplog.text


def test_windows_see_what_the_other_tags(catalogue):
    one, other = open_explorer(catalogue), open_explorer(Catalogue.open(catalogue.path))
    one.hover(3)
    one.press("w", *"cone", "enter")
    other.press("y")
    other.explorer.look_for_tags()
    assert other.state.tags.of_row(3) == ("cone",)
    assert json.loads((catalogue.path / FILE).read_text())["colouring"] == "tags"


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("a.png", b"\x89PNG"),
        *(pytest.param(*kind, marks=pytest.mark.slow) for kind in (("a.svg", b"<?xml"), ("a.pdf", b"%PDF"))),
    ],
)
def test_a_snapshot_shows_what_the_view_shows(catalogue, name, begins):
    drive = open_explorer(catalogue)
    drive.click(2, "right")
    window = drive.presentation.window
    drive.press("ctrl+s", *["backspace"] * 8, *name, "enter")
    path = drive.session.folder / name
    assert drive.presentation.status == f"saved {path}" and path.read_bytes().startswith(begins)
    assert drive.presentation.window == window
    if name.endswith("png"):
        pixels = np.asarray(Image.open(path).convert("RGB"))
        assert (pixels.reshape(-1, 3) == (0xD6, 0x27, 0x28)).all(axis=1).any(), "the ring around the query"
    drive.press("ctrl+s", *["backspace"] * 8, *"a.txt", "enter")
    assert ".png, .svg, .pdf" in drive.presentation.prompt.problem


@pytest.mark.slow
def test_a_script_saves_a_view_as_it_was_left_without_a_window(catalogue, tmp_path):
    left(catalogue)
    run = Run(None, Workspace(tmp_path))
    path = tmp_path / "view.png"
    done = snapshot_embedding_space(
        ExplorerSettings(embeddings_file="field", snapshot=str(path), method="pca"), run
    )
    assert done == {"catalogue": "field", "segments": 20, "path": str(path)}
    assert np.ptp(np.asarray(Image.open(path).convert("L"))) > 100
    with pytest.raises(SettingsError, match=r"must end in \.png, \.svg, \.pdf"):
        snapshot_embedding_space(ExplorerSettings(embeddings_file="field", snapshot="view.txt"), run)


def test_closing_asks_while_something_is_being_saved(catalogue):
    drive = open_explorer(catalogue)
    closed = []
    drive.session.close = lambda: closed.append(True)
    drive.session.work = SimpleNamespace(under_way=[SimpleNamespace(title="saving the export")])
    drive.press("ctrl+w")
    assert closed == [] and "still saving the export" in drive.presentation.prompt.question
    drive.press("n", "enter")
    assert closed == [] and drive.presentation.prompt is None
    drive.press("ctrl+w", "y", "enter")
    assert closed == [True]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes in the file system here")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Pillow leaves a pipe open
def test_closing_asks_while_a_real_export_is_under_way(catalogue):
    """An image of the export is a pipe that nobody writes to: the export waits for it, and closing asks."""
    closed, workspace = [], Workspace(catalogue.path.parents[1])
    state = State(catalogue, ExplorerSettings(method="pca"))
    state.tags.tag([3], "cone")
    image = Path(state.segments.value(3, "image_path"))
    image.unlink()
    os.mkfifo(image)
    session = Session(state, workspace, close=lambda: closed.append(True))
    press_key(session, "f")
    coco = workspace.path / "exports" / "field" / "coco.json"
    wait_for(coco.is_file, session.poll)
    press_key(session, "ctrl+w")
    assert closed == [] and session.presentation.prompt.question.startswith("still saving the export")
    for key in ("n", "enter"):
        press_key(session, key)
    assert closed == [] and session.unsaved
    while session.poll():
        with suppress(OSError):
            pipe = os.open(image, os.O_WRONLY | os.O_NONBLOCK)
            os.write(pipe, b"no image")
            os.close(pipe)
        time.sleep(0.01)
    press_key(session, "ctrl+w")
    assert closed == [True], "nothing is being saved any more"
    assert len(json.loads(coco.read_text())["annotations"]) == 1


def test_export_is_a_key(catalogue):
    drive = open_explorer(catalogue)
    drive.state.tags.tag([5], "not of interest")
    drive.press("f")
    assert drive.presentation.status == "nothing that is shown has a name; w gives one"
    drive.hover(3)
    drive.press("w", *"cone", "enter", "f")
    folder = catalogue.path.parents[1] / "exports" / "field"
    assert drive.presentation.status == f"exported 1 cone to {folder}"
    assert (folder / "coco.json").is_file()
    assert drive.detail == "message" and not drive.presentation.detail.is_problem
    said = drive.right.texts[0].get_text()
    assert str(folder) in said.replace("\n", "") and "coco.json" in said and "crops/" in said
    drive.press(",")
    assert drive.detail == "candidates", "and back to what was shown before"


def test_an_export_says_what_with_a_name_it_leaves_out(catalogue):
    drive = open_explorer(catalogue)
    drive.state.tags.tag([3, 4, 5], "cone")
    drive.state.tags.tag([6], "not of interest")
    drive.state.selection.select([3, 6])
    drive.press("f")
    left_out = "2 with a name are left out, not being selected: x selects nothing"
    assert drive.presentation.status.endswith("; 2 left out") and left_out in drive.presentation.detail.text
    drive.press("x", "f")
    assert "left out" not in drive.presentation.status + drive.presentation.detail.text
    drive.state.selection.filter_by("not tags")
    drive.press("f")
    assert drive.presentation.status.startswith(
        "nothing that is shown has a name; 3 with a name are left out, not being shown: an empty filter"
    )


def test_an_export_of_which_a_part_failed_says_where_the_rest_is(catalogue):
    drive = open_explorer(catalogue)
    drive.state.tags.tag([3, 5], "cone")
    Path(catalogue.segments["image_path"].iloc[3]).unlink()
    drive.press("f")
    folder = catalogue.path.parents[1] / "exports" / "field"
    shown = drive.presentation.detail
    assert drive.presentation.status.startswith(f"exported to {folder}, but not all of it")
    assert drive.detail == "message" and shown.is_problem and shown.heading == "Exported, but not all of it"
    assert str(folder) in shown.text and "coco.json" in shown.text and "has gone" in shown.text


def test_what_is_shown_when_an_export_ends_stays(catalogue, tmp_path):
    state = State(catalogue, ExplorerSettings(method="pca"))
    state.tags.tag([3], "cone")
    session = Session(state, Workspace(tmp_path))
    press_key(session, "f")
    session.presentation.detail = shown = KeysHelp()
    wait_for(lambda: "exported" in session.presentation.status, session.poll)
    assert session.presentation.detail is shown
