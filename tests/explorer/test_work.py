"""Work beside the window: delivered by polling, the newest wins, nothing is lost and nothing blocks."""

import threading
import time

import numpy as np
import pytest
from driving import make_catalogue, open_explorer

from oodretrieval.errors import SettingsError
from oodretrieval.explorer import worker_process
from oodretrieval.explorer.work import Work
from oodretrieval.search import cluster, project

VECTORS = np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32)


def wait_for(condition, poll=lambda: None, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        poll()
        assert time.monotonic() < end, "never came"
        time.sleep(0.01)


@pytest.fixture
def work():
    made = Work(failed=lambda error: pytest.fail(str(error)))
    yield made
    made.stop()


def test_a_result_is_delivered_where_it_is_polled_for(work):
    seen = []
    work.start(
        "a",
        "thinking",
        lambda job: threading.get_ident(),
        lambda ident: seen.append((ident, threading.get_ident())),
    )
    wait_for(lambda: seen, work.poll)
    ((did, delivered),) = seen
    assert did != delivered == threading.get_ident()
    assert not work.poll()


def test_the_newest_job_of_a_slot_wins(work):
    release, seen = threading.Event(), []
    work.start("a", "first", lambda job: release.wait(30), lambda _: seen.append("first"))
    for name in ("second", "third"):
        work.start("a", name, lambda job, name=name: name, seen.append)
    work.start("b", "other", lambda job: "other", seen.append)
    wait_for(lambda: seen, work.poll)
    assert seen == ["other"] and work.under_way == []
    release.set()
    wait_for(lambda: len(seen) == 2, work.poll)
    assert seen == ["other", "third"]


def test_what_is_under_way_says_how_it_stands(work):
    release = threading.Event()
    work.start("a", "counting sheep", lambda job: release.wait(30), lambda _: None)
    (job,) = work.under_way
    assert job.line == "counting sheep · 0 s"
    job.stage = "7 of 9"
    assert job.line == "counting sheep · 7 of 9 · 0 s"
    release.set()


def test_errors_go_where_they_are_shown():
    seen = []
    for immediate in (True, False):
        work = Work(seen.append, immediate)
        work.start("a", "dividing", lambda job: 1 / 0, lambda _: pytest.fail("no result"))
        wait_for(lambda work=work: not work.poll())
    assert [type(error) for error in seen] == [ZeroDivisionError] * 2


def test_a_process_of_its_own_gives_what_the_function_gives():
    never = threading.Event()
    options = {"method": "kmeans", "clusters": 4, "seed": 1}
    said = []
    groups = worker_process.call_in_process(never, said.append, "cluster", VECTORS, **options)
    np.testing.assert_array_equal(groups, cluster(VECTORS, **options))
    with pytest.raises(SettingsError, match="perplexity must be > 0"):
        worker_process.call_in_process(never, said.append, "project", VECTORS, method="tsne", perplexity=-1)
    with pytest.raises(SettingsError, match="unknown projection method"):
        worker_process.call_in_process(never, said.append, "project", VECTORS, method="tnse")
    assert said == []
    worker_process.call_in_process(never, said.append, "elbow_curve", VECTORS, largest=2)
    assert said == ["cluster 1 of 2", "cluster 2 of 2"]
    worker_process.call_in_process(never, said.append, "project", VECTORS, method="tsne")
    assert said[2:4] == ["iteration 50", "iteration 100"]


def test_the_same_in_this_process(tmp_path):
    source, target = tmp_path / "in.npy", tmp_path / "out.npy"
    np.save(source, VECTORS)
    assert worker_process.main("project", str(source), str(target), '{"method": "pca"}') == 0
    np.testing.assert_array_equal(np.load(target), project(VECTORS, "pca"))
    assert worker_process.main("project", str(source), str(target), '{"method": "pcb"}') == 1


def test_a_cancelled_process_is_ended():
    cancelled, seen = threading.Event(), []
    many = np.random.default_rng(0).normal(size=(20000, 50)).astype(np.float32)
    thread = threading.Thread(
        target=lambda: seen.append(
            worker_process.call_in_process(cancelled, lambda said: None, "project", many, method="tsne")
        )
    )
    thread.start()
    time.sleep(0.3)
    start = time.monotonic()
    cancelled.set()
    thread.join(20)
    assert seen[0].size == 0 and time.monotonic() - start < 10


def test_the_window_is_alive_while_work_is_under_way(tmp_path):
    """As in a window: jobs beside it, the timer's callback called again and again, events in between."""
    drive = open_explorer(make_catalogue(tmp_path, 24))
    explorer = drive.explorer
    explorer.work.immediate = False
    drive.press("c", "3", "enter")
    assert drive.state.clusters is None
    explorer.poll()
    assert "k-means, 3 clusters" in drive.overlay.progress
    assert "k-means, 3 clusters" in drive.overlay.working.get_text()
    first = drive.pixels()
    explorer.poll()
    assert (first != drive.pixels()).any(), "the sign turns"
    drive.hover(1)
    assert drive.state.hovered == 1 and drive.overlay.thumbnail is not None, "caption at once"
    wait_for(lambda: len(drive.overlay.thumbnail.offsetbox.get_children()) == 2, explorer.poll)
    drive.click(1)
    wait_for(lambda: drive.board.detail == "image", explorer.poll)
    wait_for(lambda: drive.state.clusters is not None, explorer.poll)
    wait_for(lambda: not drive.overlay.progress, explorer.poll)
    assert drive.state.colouring == "clusters"


def test_new_work_does_not_put_off_the_timer_that_delivers(drive):
    starts = []
    explorer = drive.explorer
    explorer._timer.start = lambda: starts.append(True)
    explorer.work.immediate = False
    for row in (0, 3, 5, 7):
        drive.hover(row)
    assert starts == [True]
    wait_for(lambda: not explorer._watching, explorer.poll)
    drive.hover(9)
    assert len(starts) == 2
    wait_for(lambda: not explorer._watching, explorer.poll)


def test_a_thumbnail_that_comes_too_late_is_not_shown(drive):
    release = threading.Event()
    crops = drive.explorer.commands.crops
    thumbnail = crops.thumbnail_or_gone
    crops.thumbnail_or_gone = lambda row: (release.wait(30), thumbnail(row))[1]
    drive.explorer.work.immediate = False
    drive.hover(1)
    drive.hover(drive.empty_pixel())
    release.set()
    wait_for(lambda: not drive.explorer.work.poll())
    assert drive.overlay.thumbnail is None
