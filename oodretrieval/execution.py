"""How work is spread over the machine."""

import ctypes
import multiprocessing
import os
import platform
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from typing import TypeVar

from tqdm import tqdm

Task = TypeVar("Task")
Result = TypeVar("Result")
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def map_processes(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    num_cores: int = 1,
    desc: str = "",
    unit: str = "task",
) -> Iterator[Result]:
    """Apply a function to every task, in processes of their own, with a progress bar.

    Processes are spawned, not forked: thread pools of numeric libraries do not survive a fork.

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
    """
    with tqdm(total=len(tasks), desc=desc, unit=unit, disable=None) as bar:
        if num_cores <= 1 or len(tasks) <= 1:
            for task in tasks:
                yield function(task)
                bar.update()
            return
        workers = min(num_cores, len(tasks))
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, context, initializer=_die_silently) as pool:
            with _one_thread():
                futures = [pool.submit(function, task) for task in tasks]
            try:
                for future in as_completed(futures):
                    yield future.result()
                    bar.update()
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


def _die_silently() -> None:
    """An interrupt from the keyboard reaches every process; only the first one has something to say."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def keep_freed_memory() -> bool:
    """Let glibc keep freed memory instead of returning it to the system after every large tensor.

    Networks on the CPU allocate and free hundreds of megabytes a step; fetching them anew costs as much as
    the convolutions (measured: DeepLabV3+ training on two cores runs twice as fast). Call it once, early.

    Returns:
        True where the allocator is glibc's and took the settings.
    """
    if platform.system() != "Linux" or platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, 2**31 - 1), (_M_TOP_PAD, 256 * 2**20))
    return all(bool(mallopt(key, value)) for key, value in settings)
