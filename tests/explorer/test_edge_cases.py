"""What happens at the edges: few segments, no truth, files that have gone, several datasets, odd windows."""

import logging
import shutil
from contextlib import nullcontext

import numpy as np
import pytest
from driving import PATIENCE, make_catalogue, open_explorer
from matplotlib.backend_bases import CloseEvent, ResizeEvent

from oodretrieval.charts.outlines import blank_picture
from oodretrieval.errors import SettingsError, StoreError, UnknownNameError
from oodretrieval.explorer import Explorer
from oodretrieval.explorer.thumbnails import THUMBNAIL
from oodretrieval.stores import Workspace

EVERY_KEY = ("m", "g", "h", "b", "d", "d", "#", "?", "?")


def use_everything(drive):
    """Every command once, on the first segment."""
    drive.hover(0)
    for button in ("left", "middle", "right"):
        drive.click(0, button)
        if button != "right":
            drive.click(0, button, held="control")
    drive.click(0, held="t")
    drive.wheel(0, -1)
    drive.wheel(0, 1)
    drive.press("[", "]")
    drive.press(*EVERY_KEY)
    drive.press("c", "1", "enter")


FEW = ((1, "isomap"), (2, "tsne"), (3, "isomap"), (3, "pca"))


@pytest.mark.parametrize(
    ("count", "method"), [(1, "tsne"), *(pytest.param(*few, marks=pytest.mark.slow) for few in FEW)]
)
def test_few_segments(tmp_path, count, method):
    """Fewer than neighbours, clusters, components of the PCA and perplexity."""
    drive = open_explorer(make_catalogue(tmp_path, count), method=method)
    use_everything(drive)
    assert drive.state.points.shape == (count, 2)
    assert drive.state.neighbours == count - 1
    assert drive.detail == "neighbours" and len(drive.rows) == count
    assert (drive.state.clusters == 0).all()
    for number in range(2, count + 1):
        drive.press("c", str(number), "enter")
        assert np.unique(drive.state.clusters).tolist() == list(range(number))
    drive.press("#", "c", str(count), "enter")
    drive.press("#", "#", "#", "c", *"elbow", "enter")  # past DBSCAN and HDBSCAN, back to k-means
    assert drive.detail == "elbow"
    drive.click(drive.detail_axes()[0])
    assert drive.state.clusters.max() < count
    assert len(list((drive.state.catalogue.path / "pictures").iterdir())) == 3


def test_equal_segments(tmp_path):
    catalogue = make_catalogue(tmp_path, 4, dimensions=1)
    drive = open_explorer(catalogue)
    drive.state.space = np.zeros((4, 1), np.float32)
    drive.press("c", "3", "enter")
    assert (drive.state.clusters == 0).all()
    assert "no more different segments than 1" in drive.presentation.status
    drive.click(0, "right")
    assert len(drive.rows) == 4


def test_more_clusters_than_segments_are_refused(drive):
    drive.press("c", "9", "9", "enter")
    assert "1 to 12" in drive.presentation.prompt.problem


def test_no_truth(tmp_path):
    drive = open_explorer(make_catalogue(tmp_path, truth=False))
    assert not drive.state.segments.classes.has_truth
    use_everything(drive)
    drive.press("h", "g")
    assert drive.state.colouring == "prediction"
    assert drive.presentation.status == "no truth in this catalogue; h colours by predicted class"
    drive.hover(1)
    assert drive.overlay.thumbnail.offsetbox.get_children()[1].get_text().startswith("predicted car")
    drive.click(0, "middle")
    assert drive.detail_axes()[2].get_title() == "image"
    drive.click(0, "right")
    assert not any("✓" in axes.get_xlabel() or "✗" in axes.get_xlabel() for axes in drive.detail_axes())


def test_no_column_of_labels(catalogue):
    del catalogue.segments["label"]
    assert not open_explorer(catalogue).state.segments.classes.has_truth


def test_an_image_that_has_gone(catalogue):
    drive = open_explorer(catalogue)
    path = drive.session.pictures.image_path(0)
    path.unlink()
    drive.hover(0)
    picture, *_ = drive.overlay.thumbnail.offsetbox.get_children()
    np.testing.assert_array_equal(picture.get_data(), blank_picture(THUMBNAIL))
    for button in ("left", "middle"):
        for held in ("", "control"):
            drive.click(0, button, held=held)
            assert drive.detail == "message"
            said = drive.right.texts[0].get_text().replace("\n", " ")
            assert path.name in said.replace(" ", "") and "has gone" in said
    drive.click(0, "right")
    assert drive.detail == "neighbours"
    shown = {row: np.asarray(axes.images[0].get_array()) for axes, row in drive.rows.items()}
    np.testing.assert_array_equal(shown[0], blank_picture(THUMBNAIL))
    other = next(row for row in shown if row > 1)
    assert shown[other].shape != (THUMBNAIL, THUMBNAIL, 3)


def test_an_image_that_is_another_one(catalogue):
    from PIL import Image

    drive = open_explorer(catalogue)
    Image.new("RGB", (5, 5)).save(drive.session.pictures.image_path(0))
    drive.click(0, held="t")
    assert "not the image it was" in drive.right.texts[0].get_text().replace("\n", " ")
    drive.hover(0)
    assert drive.presentation.hovered == 0


def test_what_did_not_work_is_no_longer_said_once_something_else_did(catalogue):
    drive = open_explorer(catalogue)
    drive.session.pictures.image_path(0).unlink()
    drive.click(0)
    assert drive.detail == "message" and drive.presentation.status.startswith("that did not work")
    drive.click(5)
    assert drive.detail == "image" and "did not work" not in drive.presentation.status


def test_a_prediction_that_has_gone(catalogue, tmp_path):
    shutil.rmtree(tmp_path / "predictions")
    drive = open_explorer(catalogue)
    drive.click(0, "middle")
    said = drive.right.texts[0].get_text().replace("\n", " ")
    assert "pred_images.py" in said
    drive.click(0)
    assert drive.detail == "image"


def test_a_catalogue_that_measures_only_the_selected(tmp_path):
    drive = open_explorer(make_catalogue(tmp_path, measured=False))
    drive.click(0, "middle")
    painted = np.asarray(drive.detail_axes()[1].images[0].get_array())
    assert painted[0, 0] == pytest.approx(0.1)
    assert "only the selected" in drive.right.get_suptitle()


@pytest.mark.slow
def test_several_datasets(tmp_path):
    drive = open_explorer(make_catalogue(tmp_path, datasets=("field", "meadow")))
    assert set(drive.state.segments.table["dataset"]) == {"field", "meadow"}
    use_everything(drive)
    for row in (0, 2):
        drive.click(row)
        assert (
            drive.detail_axes()[0]
            .texts[0]
            .get_text()
            .startswith(str(drive.state.segments.value(row, "dataset")))
        )
        assert drive.state.segments.value(row, "dataset") in str(drive.session.pictures.image_path(row))
        drive.click(row, "middle")
        assert drive.detail == "panels"
    drive.press("g")
    assert sum(len(category.rows) for category in drive.state.categories()) == 12
    assert len(drive.state.categories()) == 3, "one colour for a class of both"


def test_one_dataset_with_truth_and_one_without(tmp_path):
    catalogue = make_catalogue(tmp_path, datasets=("field", "meadow"))
    catalogue.manifest["settings"]["label_mapping"]["meadow"] = {}
    drive = open_explorer(catalogue)
    drive.press("g")
    assert {c.name for c in drive.state.categories()} >= {"no truth"}
    assert drive.state.segments.classes.same_class(0, 2) is None
    drive.click(0, "right")
    assert drive.detail == "neighbours"


def test_zero_neighbours(catalogue):
    drive = open_explorer(catalogue, neighbours=0)
    drive.click(0, "right")
    assert list(drive.rows.values()) == [0]
    drive.press("]")
    assert len(drive.rows) == 2


def test_as_many_neighbours_as_there_are(tmp_path):
    drive = open_explorer(make_catalogue(tmp_path, 40), neighbours=1000)
    drive.click(0, "right")
    assert len(drive.rows) == 40


@pytest.mark.parametrize(
    "size", [(0.4, 0.3), *(pytest.param(size, marks=pytest.mark.slow) for size in ((3, 2), (6, 20), (30, 4)))]
)
def test_a_resized_window(drive, size, caplog):
    use_everything(drive)
    figure = drive.explorer.figure
    with caplog.at_level(logging.WARNING):
        figure.set_size_inches(size)
        ResizeEvent("resize_event", drive.canvas)._process()
        figure.canvas.draw()
        drive.press("?")
        drive.press("?")
        if min(size) > 1:
            for row in (0, 7):
                drive.hover(row)
                assert drive.presentation.hovered == row
                drive.click(row)
                assert drive.detail == "image"
        for button in ("middle", "right"):
            drive.click(0, button)
        drive.press("c", *"elbow", "enter")
        figure.canvas.draw()
    assert caplog.records == []


def test_a_closed_window_drops_what_is_under_way(drive):
    drive.explorer.session.work.immediate = False
    delivered = []
    drive.explorer.session.work.start("x", "wait", lambda job: job.cancelled.wait(PATIENCE), delivered.append)
    jobs = drive.explorer.session.work.under_way
    CloseEvent("close_event", drive.canvas)._process()
    assert drive.explorer.session.work.under_way == []
    assert all(job.finished.wait(PATIENCE) for job in jobs) and len(jobs) == 1
    drive.explorer.poll()
    assert delivered == []


def test_the_toolbars_pan_and_zoom_have_the_mouse_to_themselves(drive):
    class Toolbar:
        mode = "pan/zoom"
        _wait_cursor_for_draw_cm = staticmethod(nullcontext)

    drive.canvas.toolbar = Toolbar()
    drive.click(0)
    drive.hover(0)
    assert drive.detail == "keys" and drive.presentation.hovered is None
    Toolbar.mode = ""
    drive.click(0)
    assert drive.detail == "image"


def test_an_unexpected_error_is_shown_and_the_window_lives(drive, monkeypatch, caplog):
    monkeypatch.setattr(drive.explorer.session.pictures, "image", lambda row: 1 / 0)
    drive.click(0)
    assert "ZeroDivisionError" in drive.right.texts[0].get_text()
    assert "ZeroDivisionError" in caplog.text
    monkeypatch.undo()
    drive.click(0)
    assert drive.detail == "image"


def test_settings_that_make_no_sense(catalogue, tmp_path):
    for settings, error, said in (
        ({"method": "tnse"}, UnknownNameError, "tsne"),
        ({"distance_metric": "euclid"}, UnknownNameError, "euclidean"),
        ({"net": "none"}, UnknownNameError, "embedding"),
        ({"colour": 1}, UnknownNameError, "settings.colour"),
        ({"tsne": {"perplexity": "high"}}, SettingsError, "float"),
        ({"mainplot": True}, SettingsError, "group of settings"),
    ):
        with pytest.raises(error, match=said):
            open_explorer(catalogue, **settings)
    with pytest.raises(StoreError, match="compute_embeddings"):
        Explorer(Workspace(tmp_path).catalogue_folder("none"))


def test_parameters_out_of_range_are_said_in_the_window(tmp_path):
    drive = open_explorer(make_catalogue(tmp_path), method="tsne", tsne={"perplexity": -3})
    assert "perplexity must be > 0" in drive.right.texts[0].get_text()
    assert drive.state.points is None
    drive.press(*EVERY_KEY)
    drive.press("c", "2", "enter")
    assert drive.state.clusters is not None
    drive.mouse("motion_notify_event", drive.scatter)
    drive.click(drive.scatter)
    assert drive.presentation.status == "no segment under the pointer"
