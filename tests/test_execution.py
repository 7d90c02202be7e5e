import io
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from threadpoolctl import threadpool_info

import oodretrieval
from oodretrieval.errors import WorkerError
from oodretrieval.execution import keep_freed_memory, map_ahead, map_processes, progress, worker_processes


def square(number):
    return number * number


def fail_on_three(number):
    if number == 3:
        raise ValueError("three is refused")
    return number


def note(task):
    """Leaves a file behind, unless the task is the one that fails."""
    folder, number = task
    if number == 0:
        raise ValueError("the first is refused")
    time.sleep(0.05)
    (Path(folder) / str(number)).touch()


def threads(_):
    (np.ones((4, 4)) @ np.ones((4, 4))).sum()
    return os.getpid(), os.environ["OMP_NUM_THREADS"], {pool["num_threads"] for pool in threadpool_info()}


def test_serial_results_come_in_order_and_lazily():
    calls = []
    results = map_processes(lambda number: calls.append(number) or -number, [3, 1, 2])
    assert calls == []
    assert next(results) == -3
    assert calls == [3]
    assert list(results) == [-1, -2]


def test_processes_give_the_same_results():
    tasks = list(range(7))
    assert sorted(map_processes(square, tasks, num_cores=2)) == list(map_processes(square, tasks))


@pytest.mark.parametrize("num_cores", [-1, 0, 1, 2])
def test_nothing_to_do_and_a_single_task_start_no_process(num_cores):
    assert list(map_processes(square, [], num_cores)) == []
    assert list(map_processes(lambda task: (task, os.getpid()), [5], num_cores)) == [(5, os.getpid())]


def test_an_exception_surfaces_with_one_process():
    results = map_processes(fail_on_three, [1, 3, 2])
    assert next(results) == 1
    with pytest.raises(ValueError, match="three is refused"):
        next(results)


def test_an_exception_surfaces_from_processes_and_drops_what_has_not_begun(tmp_path):
    with pytest.raises(ValueError, match="the first is refused"):
        list(map_processes(note, [(str(tmp_path), number) for number in range(4000)], num_cores=2))
    assert len(list(tmp_path.iterdir())) < 2000, "100 s of work that nobody wants were not begun"


def test_processes_leave_the_cores_to_each_other(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    monkeypatch.delenv("NUMBA_NUM_THREADS", raising=False)
    for process, variable, pools in map_processes(threads, [1, 2], num_cores=2):
        assert process != os.getpid()
        assert variable == "1"
        assert pools <= {1}
    assert os.environ["OMP_NUM_THREADS"] == "5"
    assert "NUMBA_NUM_THREADS" not in os.environ


def die(number):
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


PARENT = """
import os, sys
from pathlib import Path
from oodretrieval.execution import map_processes, worker_processes

def work(folder):
    (Path(folder) / str(os.getpid())).touch()
    while True:
        sum(range(1000))

if __name__ == "__main__":
    if sys.argv[2] == "busy":
        list(map_processes(work, [sys.argv[1]] * 2, num_cores=2))
    with worker_processes(2) as pool:
        for process in pool.submit(os.getpid).result() and pool._processes:
            (Path(sys.argv[1]) / str(process)).touch()
        sys.stdin.read()
"""


def wait_until(true, seconds=120):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


def is_there(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes in /proc")
@pytest.mark.parametrize("state", ["busy", "idle"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_processes_end_with_their_parent(tmp_path, state, how):
    script, folder = tmp_path / "parent.py", tmp_path / "workers"
    script.write_text(PARENT)
    folder.mkdir()
    command = [sys.executable, str(script), str(folder), state]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as parent:
        wait_until(lambda: len(list(folder.iterdir())) == 2)
        workers = [int(path.name) for path in folder.iterdir()]
        assert all(map(is_there, workers))
        parent.send_signal(how)
        parent.wait()
        try:
            wait_until(lambda: not any(map(is_there, workers)))
        finally:
            for worker in filter(is_there, workers):
                os.kill(worker, signal.SIGKILL)


def loaded(_):
    return "colorsys" in sys.modules


def load_something():
    import colorsys  # noqa: F401


def test_a_process_that_dies_is_reported_and_what_was_done_is_kept():
    done = []
    with pytest.raises(WorkerError, match=r"worker process died.*Run the same command again.*num_cores=2"):
        done.extend(map_processes(die, range(20), num_cores=2))
    with worker_processes(1) as pool:
        assert pool.submit(die, 1).result() == 1
    with pytest.raises(WorkerError), worker_processes(1) as pool:
        list(map_ahead(die, range(4), pool, ahead=1))


def test_processes_prepare_themselves():
    assert "colorsys" not in sys.modules or sys.modules.pop("colorsys")
    with worker_processes(1, load_something) as pool:
        assert list(map_ahead(loaded, [0, 1], pool, ahead=2)) == [True, True]


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_a_stream_comes_in_order_and_is_fetched_no_faster_than_it_is_taken(threads):
    fetched, ahead = [], 4

    def tasks():
        for number in range(40):
            fetched.append(number)
            yield number

    def work(number):
        time.sleep(0.001 * (number % 3))
        return -number

    taken = []
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        for result in map_ahead(work, tasks(), pool if threads else None, ahead):
            taken.append(-result)
            assert len(fetched) <= len(taken) + ahead
    assert taken == fetched == list(range(40))


def test_a_stream_works_ahead():
    """The second task is done while the consumer still has the first result."""
    second = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        tasks = [lambda: 1, second.set, lambda: 3]
        results = map_ahead(lambda task: task(), tasks, pool, ahead=3)
        assert next(results) == 1
        assert second.wait(60)
        assert list(results) == [None, 3]


def test_an_exception_ends_a_stream_and_drops_what_has_not_begun():
    begun = []

    def work(number):
        begun.append(number)
        return fail_on_three(number)

    with ThreadPoolExecutor(1) as pool, pytest.raises(ValueError, match="three is refused"):
        list(map_ahead(work, range(100), pool, ahead=2))
    assert len(begun) < 8


def test_no_progress_bar_where_nobody_looks(capfd):
    list(map_processes(square, range(5), desc="squares"))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", [lambda tasks: map_processes(square, tasks, desc="squares"), None])
def test_a_plain_line_now_and_then_where_there_is_no_terminal(monkeypatch, caplog, capfd, kind):
    """With the clock of tqdm turned on by hand: 10 s a task."""
    caplog.set_level("INFO")
    clock = iter(range(0, 10**6, 10))
    now = SimpleNamespace(time=0)
    monkeypatch.setattr("tqdm.std.time", lambda: now.time)

    def tasks():
        for number in range(9):
            now.time = next(clock) + 10
            yield number

    if kind is None:
        assert list(progress(tasks(), desc="squares", total=9, unit="task")) == list(range(9))
    else:

        def slow(number):
            now.time = next(clock) + 10
            return number

        assert list(map_processes(slow, range(9), desc="squares")) == list(range(9))
    assert [record.getMessage() for record in caplog.records] == [
        "squares: 3 of 9 tasks, 00:30, about 01:00 left",
        "squares: 6 of 9 tasks, 01:00, about 00:30 left",
        "squares: 9 of 9 tasks, 01:30",
    ]
    assert capfd.readouterr() == ("", "")


def test_a_silent_loop_and_one_of_unknown_length(monkeypatch, caplog):
    caplog.set_level("INFO")
    monkeypatch.setattr(progress, "interval", 0.0)
    assert list(progress(range(3), "quiet", disable=True)) == [0, 1, 2]
    assert caplog.records == []
    list(progress(iter("ab"), "letters", unit="letter"))
    assert [record.getMessage().partition(",")[0] for record in caplog.records] == [
        "letters: 1 letters",
        "letters: 2 letters",
    ]


def test_a_bar_on_a_terminal(monkeypatch, caplog):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    caplog.set_level("INFO")
    monkeypatch.setattr(sys, "stderr", Terminal())
    list(progress(range(3), "bar", unit="task"))
    assert "bar: 100%" in sys.stderr.getvalue() and caplog.records == []


@pytest.mark.parametrize(("answer", "kept"), [(1, True), (0, False)])
def test_keeping_freed_memory_asks_glibc_and_returns_what_it_said(monkeypatch, answer, kept):
    asked = []
    library = SimpleNamespace(mallopt=lambda key, value: asked.append((key, value)) or answer)
    monkeypatch.setattr("ctypes.CDLL", lambda name: library)
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.setattr("platform.libc_ver", lambda: ("glibc", "2.36"))
    assert keep_freed_memory() is kept
    assert asked[0] == (-4, 0), "large blocks must come from the heap, or nothing is kept"


@pytest.mark.parametrize(("system", "libc"), [("Darwin", ""), ("Linux", "musl")])
def test_keeping_freed_memory_does_nothing_elsewhere(monkeypatch, system, libc):
    monkeypatch.setattr("ctypes.CDLL", lambda name: pytest.fail("asked a foreign library"))
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.libc_ver", lambda: (libc, ""))
    assert keep_freed_memory() is False


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc is set to keep memory")
def test_kept_memory_is_given_back_when_asked():
    text = """
import ctypes
import numpy as np
from oodretrieval.execution import keep_freed_memory, return_freed_memory

def resident():
    return int(open("/proc/self/statm").read().split()[1]) * 4096

keep_freed_memory()
arrays = [np.ones(2**20) for _ in range(40)]
fence = np.ones(2**20)
del arrays
kept = resident()
return_freed_memory()
print(kept - resident())
"""
    root = str(Path(oodretrieval.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-c", text],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert int(done.stdout) > 200 * 2**20
