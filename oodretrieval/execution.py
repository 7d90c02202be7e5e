"""How work is spread over the machine."""

import ctypes
import logging
import multiprocessing
import os
import platform
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from itertools import islice
from multiprocessing.connection import wait
from typing import Any, TypeVar

from tqdm import tqdm

from oodretrieval.errors import WorkerError

logger = logging.getLogger(__name__)
Task = TypeVar("Task")
Result = TypeVar("Result")
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


class progress(tqdm):  # type: ignore[type-arg]
    """How far a loop is: tqdm's bar on a terminal, elsewhere (a file, a pipe) a plain line now and then.

    Args:
        *args: As of ``tqdm``.
        **kwargs: As of ``tqdm``; ``disable=True`` is silent.
    """

    interval = 30.0
    """Seconds between plain lines."""

    monitor_interval = 0  # no thread of tqdm's that watches over bars
    _left_off = ""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._plain = sys.stderr is None or not sys.stderr.isatty()
        if self._plain:
            kwargs |= {"mininterval": self.interval, "delay": self.interval, "miniters": 1}
        super().__init__(*args, **kwargs)

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """Show how far it is; called by tqdm whenever that is due.

        Args:
            msg: Text in place of the bar, as of ``tqdm``; not used off a terminal.
            pos: Line of the bar, as of ``tqdm``; not used off a terminal.
        """
        if not self._plain:
            super().display(msg, pos)
            return
        if self.n == self.initial:  # nothing to say yet
            return
        passed = self.format_dict["elapsed"]
        said = f"{self.n}" if self.total is None else f"{self.n} of {self.total}"
        said += f" {self.unit}s, {self.format_interval(passed)}"
        done = self.n - self.initial
        if (
            self.total is not None and self.n < self.total and done > 2
        ):  # the first ones wait for what is loaded
            left = passed / done * (self.total - self.n)
            said += f", about {self.format_interval(left)} left"
        logger.info("%s: %s", self.desc.removesuffix(": "), said)

    @classmethod
    def left_off(cls) -> str:
        """How much of a loop was done when it was broken off, in brackets; empty where there was none."""
        return cls._left_off

    def close(self) -> None:
        """Take the bar away; a plain line stays, and none is added."""
        if not self.disable:
            broken_off = self.total is not None and self.n < self.total
            named = f"{self.desc.removesuffix(': ')}: " if self.desc else ""
            progress._left_off = f" ({named}{self.n} of {self.total} {self.unit}s)" if broken_off else ""
        if self._plain and not self.disable:
            self.disable = True
            self._decr_instances(self)  # type: ignore[attr-defined]
        super().close()


def map_processes(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    num_cores: int = 1,
    desc: str = "",
    unit: str = "task",
) -> Iterator[Result]:
    """Apply a function to every task, in processes of their own, with a progress bar.

    Args:
        function: A module-level function; it and its argument are sent to the processes.
        tasks: What to apply it to.
        num_cores: Processes; 1 or fewer works in this one.
        desc: Text of the progress bar.
        unit: What a task is called there.

    Yields:
        Results as they come; in order with one process.

    Raises:
        Exception: Whatever ``function`` raises; tasks that have not begun are dropped.
        WorkerError: If a process dies.
    """
    with progress(total=len(tasks), desc=desc, unit=unit) as bar:
        if num_cores <= 1 or len(tasks) <= 1:
            for task in tasks:
                yield function(task)
                bar.update()
            return
        with worker_processes(min(num_cores, len(tasks))) as pool:
            for future in as_completed([pool.submit(function, task) for task in tasks]):
                yield future.result()
                bar.update()


def map_ahead(
    function: Callable[[Task], Result], tasks: Iterable[Task], executor: Executor | None, ahead: int
) -> Iterator[Result]:
    """Apply a function to a stream of tasks while others work on what comes out.

    The first tasks start at once. After them tasks are fetched only as fast as results are taken, so that memory
    stays bounded however long the stream.

    Args:
        function: What the executor's threads or processes can run.
        tasks: Fetched in the thread that takes the results.
        executor: Where it runs; None for that same thread, which does nothing before a result is asked for.
        ahead: Tasks that may be at work or done before their results are taken, 1 or more.

    Returns:
        Results, in the order of the tasks.

    Raises:
        Exception: Whatever ``function`` raises; tasks that have not begun are dropped.

    Example:
        >>> list(map_ahead(abs, [3, -1, -2], None, ahead=1))
        [3, 1, 2]
    """
    if executor is None:
        return map(function, tasks)
    stream = iter(tasks)
    waiting = deque(executor.submit(function, task) for task in islice(stream, ahead))

    def results() -> Iterator[Result]:
        try:
            while waiting:
                yield waiting.popleft().result()
                waiting.extend(executor.submit(function, task) for task in islice(stream, 1))
        finally:
            for future in waiting:
                future.cancel()

    return results()


@contextmanager
def worker_processes(number: int, prepare: Callable[[], None] | None = None) -> Iterator[ProcessPoolExecutor]:
    """Processes that wait for work; they start at once, and this one goes on meanwhile.

    They are spawned, not forked: thread pools of numeric libraries do not survive a fork. Each keeps to one
    thread of these, and ends at once when this process does, even when it is killed.

    Args:
        number: How many.
        prepare: What each does first, e.g. slow imports; a module-level function.

    Yields:
        Their pool.

    Raises:
        WorkerError: If one of them dies.
    """
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(number, context, initializer=_begin, initargs=(prepare,))
    try:
        with _one_thread():
            for _ in range(number):  # each of these starts one
                pool.submit(_nothing)
        yield pool
    except BrokenProcessPool as error:
        raise WorkerError(
            "a worker process died, perhaps for want of memory; what is done is kept. Run the same command again, "
            f"with less than args.num_cores={number}"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Leave the cores to the processes that start meanwhile.

    Set here and not in them, since numeric libraries read it while the script is imported there.
    """
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _begin(prepare: Callable[[], None] | None) -> None:
    # An interrupt from the keyboard reaches every process; only the first one has something to say.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    if parent is not None:
        end_after(lambda: wait([parent.sentinel]))
    if prepare is not None:
        prepare()


def end_after(event: Callable[[], object]) -> None:
    """End this process, whatever it is at, as soon as a function returns.

    A parent that is killed cannot end its children, so these watch for its end: the system closes a pipe that only
    the parent holds open. What is half-written keeps its temporary name, which the next run removes.

    Args:
        event: Returns when the process shall end, e.g. when a pipe is closed; it waits in a thread of its own.
    """

    def watch() -> None:
        event()
        os._exit(1)

    threading.Thread(target=watch, name="end with the parent", daemon=True).start()


def _nothing() -> None:
    """A first task, as a pool starts a process when one is submitted."""


def keep_freed_memory() -> bool:
    """Let glibc keep freed memory instead of returning it to the system after every large tensor.

    Networks on the CPU allocate and free hundreds of megabytes a step; fetching them again costs as much as
    the convolutions (measured: DeepLabV3+ training on two cores runs twice as fast). Call it once, early.

    Returns:
        True where the allocator is glibc's and took the settings.
    """
    if platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_TOP_PAD, 256 * 2**20))
    return all(bool(mallopt(key, value)) for key, value in settings)


def return_freed_memory() -> None:
    """Give freed memory back after all, where glibc keeps it.

    Tensors of ever new sizes leave gaps that none of the next fits into: embedding 1600 crops of 100 different
    sizes and more, what was kept grew to 3.7 GB. Call it now and then, in the thread that works.
    """
    if platform.system() == "Linux" and platform.libc_ver()[0] == "glibc":
        ctypes.CDLL(None).malloc_trim(0)
