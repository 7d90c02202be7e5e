"""Work in the background: delivered by polling, the newest wins, nothing is lost and nothing blocks."""

import json
import re
import subprocess
import threading

import numpy as np
import pytest
from driving import PATIENCE, Driver, make_catalogue, open_explorer, wait_for
from matplotlib.backend_bases import TimerBase
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from oodretrieval.errors import SettingsError
from oodretrieval.explorer import Explorer, worker_process
from oodretrieval.explorer.work import Work
from oodretrieval.search import cluster, project

VECTORS = np.random.default_rng(0).normal(size=(30, 5)).astype(np.float32)


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


def test_who_polls_is_woken_and_says_when_a_job_begins():
    ended, begin, seen = threading.Event(), [], []
    work = Work(failed=lambda error: pytest.fail(str(error)), ended=ended.set, soon=begin.append)
    work.start("a", "thinking", lambda job: "done", seen.append)
    assert not ended.is_set() and len(begin) == 1, "what was asked for is shown first"
    begin.pop()()
    assert ended.wait(PATIENCE)
    assert not work.poll() and seen == ["done"]


def test_the_newest_job_of_a_slot_wins(work):
    release, seen = threading.Event(), []
    work.start("a", "first", lambda job: release.wait(PATIENCE), lambda _: seen.append("first"))
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
    work.start("a", "counting sheep", lambda job: release.wait(PATIENCE), lambda _: None)
    (job,) = work.under_way
    assert re.fullmatch(r"counting sheep · \d+ s", job.line)
    job.stage = "7 of 9"
    assert re.fullmatch(r"counting sheep · 7 of 9 · \d+ s", job.line)
    release.set()


def test_errors_go_where_they_are_shown():
    seen = []
    for immediate in (True, False):
        work = Work(seen.append, immediate)
        work.start("a", "dividing", lambda job: 1 / 0, lambda _: pytest.fail("no result"))
        wait_for(lambda work=work: not work.poll())
    assert [type(error) for error in seen] == [ZeroDivisionError] * 2


@pytest.mark.slow
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
    said = []
    ways = ["project", str(source), str(target)]
    requests = [json.dumps([*ways, json.dumps({"method": method})]) for method in ("pca", "pcb")]
    worker_process.serve(iter(requests), said.append)
    np.testing.assert_array_equal(np.load(target), project(VECTORS, "pca"))
    assert [line.split(" ", 1)[0] for line in said] == ["\x02answer"] * 2
    assert json.loads(said[0].split(" ", 1)[1]) == ""
    assert "did you mean" in said[1] or "unknown projection method" in said[1]


@pytest.mark.slow
def test_a_process_is_asked_again_and_one_that_died_is_replaced(monkeypatch):
    """One process for calls one after the other; killed from outside, the next call has another."""
    never, started = threading.Event(), []
    real = subprocess.Popen

    def counting(*arguments, **options):
        started.append(real(*arguments, **options))
        return started[-1]

    monkeypatch.setattr(worker_process.subprocess, "Popen", counting)
    worker_process.end_waiting()
    worker_process.warm()
    worker_process.warm()
    for seed in range(2):
        worker_process.call_in_process(never, lambda _: None, "cluster", VECTORS, clusters=3, seed=seed)
    with pytest.raises(SettingsError, match="clusters must be at least 1"):
        worker_process.call_in_process(never, lambda _: None, "cluster", VECTORS, clusters=0)
    assert len(started) == 1
    started[0].kill()
    started[0].wait()
    groups = worker_process.call_in_process(never, lambda _: None, "cluster", VECTORS, clusters=3)
    np.testing.assert_array_equal(groups, cluster(VECTORS, clusters=3))
    assert len(started) == 2
    worker_process.end_waiting()
    assert [process.poll() is not None for process in started] == [True, True]


@pytest.mark.slow
def test_a_cancelled_process_is_ended():
    """Cancelled at the first sign of life: it never gets to its end."""
    cancelled, said, seen = threading.Event(), [], []

    def report(stage):
        said.append(stage)
        cancelled.set()

    many = np.random.default_rng(0).normal(size=(2500, 50)).astype(np.float32)
    thread = threading.Thread(
        target=lambda: seen.append(
            worker_process.call_in_process(cancelled, report, "project", many, method="tsne")
        )
    )
    thread.start()
    thread.join(PATIENCE)
    assert seen[0].size == 0
    assert said[0] == "iteration 50" and "iteration 1000" not in said


def test_the_window_is_alive_while_work_is_under_way(tmp_path, monkeypatch):
    """As in a window: jobs in the background, the timer's callback called again and again, events in between."""
    release, call = threading.Event(), worker_process.call_in_process
    monkeypatch.setattr(
        worker_process, "call_in_process", lambda *a, **k: release.wait(PATIENCE) and call(*a, **k)
    )
    drive = open_explorer(make_catalogue(tmp_path, 24))
    explorer = drive.explorer
    drive.session.work.immediate = False
    drive.press("c", "3", "enter")
    explorer.poll()
    assert drive.state.clusters is None
    assert "k-means, 3 clusters" in drive.presentation.progress
    assert "k-means, 3 clusters" in drive.overlay.working.get_text()
    first = drive.pixels()
    explorer.poll()
    assert (first != drive.pixels()).any(), "the sign turns"
    drive.hover(1)
    assert drive.presentation.hovered == 1 and drive.overlay.thumbnail is not None, "caption at once"
    wait_for(lambda: len(drive.overlay.thumbnail.offsetbox.get_children()) == 2, explorer.poll)
    drive.click(1)
    wait_for(lambda: drive.detail == "image", explorer.poll)
    assert drive.state.clusters is None, "still under way"
    release.set()
    wait_for(lambda: drive.state.clusters is not None, explorer.poll)
    wait_for(lambda: not drive.presentation.progress, explorer.poll)
    assert drive.state.colouring == "clusters"


class Timer(TimerBase):
    """Fires when the test lets it."""

    starts, runs = 0, False

    def _timer_start(self):
        self.starts, self.runs = self.starts + 1, True

    def _timer_stop(self):
        self.runs = False


class TimedCanvas(FigureCanvasAgg):
    """A canvas with an event loop, as far as its timer goes."""

    timer = None

    def new_timer(self, interval=None, callbacks=None):
        """The first one polls for work; the one for tags of other windows runs all the time."""
        made = Timer(interval, callbacks)
        self.timer = self.timer or made
        return made


def test_new_work_does_not_put_off_the_timer_that_delivers(catalogue):
    figure = Figure(figsize=(12, 6.5))
    canvas = TimedCanvas(figure)
    drive = Driver(Explorer(catalogue, figure=figure, method="pca"))
    timer = canvas.timer
    wait_for(lambda: not timer.runs, drive.explorer.poll)
    figure.canvas.draw()
    before = timer.starts
    for row in (0, 3, 5, 7):
        drive.hover(row)
    assert timer.starts == before + 1 and timer.runs
    wait_for(lambda: not timer.runs, drive.explorer.poll)
    drive.hover(9)
    assert timer.starts == before + 2
    wait_for(lambda: not timer.runs, drive.explorer.poll)


def test_a_thumbnail_that_comes_too_late_is_not_shown(drive):
    release = threading.Event()
    thumbnails = drive.session.thumbnails
    read = thumbnails.read_or_blank
    thumbnails.read_or_blank = lambda row: (release.wait(PATIENCE), read(row))[1]
    drive.explorer.session.work.immediate = False
    drive.hover(1)
    drive.hover(drive.empty_pixel())
    release.set()
    wait_for(lambda: not drive.explorer.session.work.poll())
    assert drive.overlay.thumbnail is None
