"""Work that would make the window wait: done in threads, its results delivered where the window lives."""

import threading
import time
from collections.abc import Callable
from typing import Any


class Job:
    """One piece of work.

    Args:
        title: What it is, for a person.
        function: Does it, given the job: it can see whether that is ``cancelled``, and set its ``stage``.
        done: Takes the result, in the thread that polls.
    """

    def __init__(self, title: str, function: Callable[["Job"], Any], done: Callable[[Any], None]) -> None:
        self.title, self.function, self.done = title, function, done
        self.stage = ""
        self.cancelled = threading.Event()
        self.finished = threading.Event()
        self.started = time.monotonic()
        self.result: Any = None
        self.error: Exception | None = None

    def run(self) -> None:
        """Do the work and keep what comes of it."""
        try:
            self.result = self.function(self)
        except Exception as error:  # shown in the window, whatever it is
            self.error = error
        finally:
            self.finished.set()

    @property
    def line(self) -> str:
        """How it stands, in one line."""
        seconds = time.monotonic() - self.started
        return " · ".join(filter(None, (self.title, self.stage, f"{seconds:.0f} s")))


class Work:
    """Jobs by slot: in each at most one runs and the newest one waits; what was waiting before is dropped.

    Args:
        failed: Takes the error of a job that failed.
        immediate: Do everything at once, in the caller's thread: for canvases without an event loop, where
            nobody would ever poll.
        started: Called when there is something to poll for.
        ended: Called in a job's own thread once it has ended: whoever polls need not wait for the next time.
        soon: Calls what begins a job; a view that has something to show first leaves it for afterwards, as a thread
            that computes slows down the others.
    """

    def __init__(
        self,
        failed: Callable[[Exception], None],
        immediate: bool = False,
        started: Callable[[], None] = lambda: None,
        ended: Callable[[], None] = lambda: None,
        soon: Callable[[Callable[[], None]], object] = lambda begin: begin(),
    ) -> None:
        self.failed, self.immediate = failed, immediate
        self.started, self.ended, self.soon = started, ended, soon
        self._running: dict[str, Job] = {}
        self._waiting: dict[str, Job] = {}

    def start(
        self, slot: str, title: str, function: Callable[[Job], Any], done: Callable[[Any], None]
    ) -> None:
        """Do something; what runs in the slot is cancelled.

        Args:
            slot: Where it belongs.
            title: What it is, for a person.
            function: Does it, in a thread.
            done: Takes the result, where :meth:`poll` is called.
        """
        job = Job(title, function, done)
        if self.immediate:
            job.run()
            self._deliver(job)
            return
        if slot in self._running:
            self._running[slot].cancelled.set()
            self._waiting[slot] = job
        else:
            self._launch(slot, job)
        self.started()

    def poll(self) -> bool:
        """Deliver what is finished; call it where the window lives.

        Returns:
            Whether anything is still under way.
        """
        for slot, job in list(self._running.items()):
            if job.finished.is_set():
                del self._running[slot]
                if slot in self._waiting:
                    self._launch(slot, self._waiting.pop(slot))
                if not job.cancelled.is_set():
                    self._deliver(job)
        return bool(self._running)

    def cancel(self, slot: str) -> None:
        """Drop what runs and waits in a slot.

        Args:
            slot: Where it belongs.
        """
        self._waiting.pop(slot, None)
        if slot in self._running:
            self._running[slot].cancelled.set()

    def drop(self, unwanted: Callable[[Job], bool]) -> list[str]:
        """Drop some of the jobs.

        Args:
            unwanted: Whether a job is dropped.

        Returns:
            Titles of those that were still wanted.
        """
        dropped = []
        for slot, job in {**self._running, **self._waiting}.items():
            if unwanted(job):
                dropped += [] if job.cancelled.is_set() else [job.title]
                self.cancel(slot)
        return dropped

    def stop(self) -> None:
        """Drop everything."""
        for slot in list(self._running):
            self.cancel(slot)

    def coming(self, slot: str) -> str:
        """What a slot will deliver.

        Args:
            slot: Which one.

        Returns:
            The title of its newest job that is still wanted; empty for none.
        """
        job = self._waiting.get(slot) or self._running.get(slot)
        return job.title if job is not None and not job.cancelled.is_set() else ""

    @property
    def under_way(self) -> list[Job]:
        """Jobs that run and are still wanted, oldest first."""
        jobs = [job for job in self._running.values() if not job.cancelled.is_set()]
        return sorted(jobs, key=lambda job: job.started)

    def _launch(self, slot: str, job: Job) -> None:
        self._running[slot] = job
        # A daemon: a window that is closed does not wait for what nobody will see.
        self.soon(threading.Thread(target=self._run, args=(job,), name=f"explorer {slot}", daemon=True).start)

    def _run(self, job: Job) -> None:
        job.run()
        self.ended()

    def _deliver(self, job: Job) -> None:
        if job.error is not None:
            self.failed(job.error)
        else:
            job.done(job.result)
