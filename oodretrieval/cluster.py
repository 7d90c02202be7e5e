"""Work spread over a Ray cluster: each worker opens what it needs once, and is given one task after the other.

Ray's tasks and actors, not Ray Data: a task here is a block of images by their ids, its result a few numbers, and the
files are written by the worker, atomically and by the functions of one machine. So there is no stream of rows that Ray
Data could manage, checkpoint or lose; what is done is known from the files, as on one machine.

A worker that dies, with its machine or for want of memory, takes nothing with it but its present task, which another
one does again.
"""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from oodretrieval.errors import WorkerError
from oodretrieval.execution import progress
from oodretrieval.extras import require_extra

Task = TypeVar("Task")
Result = TypeVar("Result")
ATTEMPTS = 5
"""How often a task may lose its worker before it is given up: it may be the reason."""


def connected() -> Any:
    """Ray, connected to the cluster that ``RAY_ADDRESS`` names; without it to one of this machine alone.

    Returns:
        The module.

    Raises:
        ConfigurationError: If Ray is not installed.
        WorkerError: If the cluster does not answer.
    """
    ray = require_extra("ray", "ray", "args.engine=ray")
    if not ray.is_initialized():
        try:
            # "local": otherwise Ray joins whatever cluster has begun on this machine, and dies with it
            address = os.environ.get("RAY_ADDRESS", "local")
            ray.init(address, log_to_driver=False, include_dashboard=False)
        except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
            # Ray puts whole tracebacks into its messages
            reason = (str(error).strip() or type(error).__name__).splitlines()[-1][:300]
            raise WorkerError(
                f"no Ray cluster answers ({reason}); start one by `ray start --head`, and set RAY_ADDRESS; where it "
                "asks for a token, set RAY_AUTH_MODE=token, with the token in ~/.ray/auth_token"
            ) from error
    return ray


def cluster_gpus() -> int:
    """Number of GPUs of the cluster."""
    return int(connected().cluster_resources().get("GPU", 0))


def map_cluster(
    prepare: Callable[[], Callable[[Task], Result]],
    tasks: Sequence[Task],
    *,
    gpu: bool = False,
    desc: str = "",
    unit: str = "task",
) -> Iterator[Result]:
    """Apply a function to every task on the workers of a cluster, with one progress bar.

    Args:
        prepare: Called once in each worker; opens what is needed, and gives the function. It and the tasks are sent to
            the workers, which have the same package installed.
        tasks: What to apply it to; doing one of them again must do no harm.
        gpu: Whether each worker needs a GPU; there are as many as GPUs, else as CPUs.
        desc: Text of the progress bar.
        unit: What a task is called there.

    Yields:
        Results as they come, in any order.

    Raises:
        Exception: Whatever ``prepare`` or the function raises; tasks that have not begun are dropped.
        WorkerError: If a task loses its worker again and again.
    """
    if not tasks:
        return
    ray = connected()
    number = max(1, int(ray.cluster_resources().get("GPU" if gpu else "CPU", 1)))
    crew = _Crew(ray, prepare, gpu, deque(enumerate(tasks)))
    with progress(total=len(tasks), desc=desc, unit=unit) as bar:
        try:
            for _ in range(min(number, len(tasks))):
                crew.hire()
            for _ in range(len(tasks)):
                yield crew.next_result()
                bar.update()
        finally:
            crew.dismiss()


def as_it_is(function: Callable[[Task], Result]) -> Callable[[Task], Result]:
    """A function that needs nothing opened.

    Args:
        function: Sent to the workers.

    Returns:
        The same.
    """
    return function


class _Worker:
    """What an actor does.

    It opens what it needs when asked whether it is ready: an error while it is made would look like its death.
    """

    def __init__(self, prepare: Callable[[], Callable[[Any], Any]], folder: str) -> None:
        with suppress(OSError):  # relative paths of a configuration mean the same as in the first process
            os.chdir(folder)
        self._prepare = prepare
        self._function: Callable[[Any], Any] = as_it_is

    def ready(self) -> None:
        """Open everything, and answer."""
        self._function = self._prepare()

    def apply(self, task: Any) -> Any:
        """Do one task."""
        return self._function(task)


@dataclass
class _Crew:
    """Actors and what each is at.

    Attributes:
        ray: The module.
        prepare: As of :func:`map_cluster`.
        gpu: As of :func:`map_cluster`.
        waiting: Tasks that nobody is at, with their numbers.
        beginning: Answer that is awaited → actor that opens what it needs.
        busy: Answer that is awaited → actor, number of its task, task.
        lost: Number of a task → how often its worker died.
    """

    ray: Any
    prepare: Callable[[], Callable[[Any], Any]]
    gpu: bool
    waiting: deque[tuple[int, Any]]
    beginning: dict[Any, Any] = field(default_factory=dict)
    busy: dict[Any, tuple[Any, int, Any]] = field(default_factory=dict)
    lost: dict[int, int] = field(default_factory=dict)

    def hire(self) -> None:
        """One actor more; it may wait until the cluster has room for it."""
        kind = self.ray.remote(num_cpus=1, num_gpus=int(self.gpu))(_Worker)
        actor = kind.remote(self.prepare, str(Path.cwd()))
        self.beginning[actor.ready.remote()] = actor

    def next_result(self) -> Any:
        """Wait for the next task that is done; hand on those that wait."""
        while True:
            (answer,), _ = self.ray.wait([*self.busy, *self.beginning], num_returns=1)
            if answer in self.beginning:
                actor = self.beginning.pop(answer)
                try:
                    self._get(answer)
                except self.ray.exceptions.RayActorError as error:
                    self._count(-1, error)
                    self.hire()
                else:
                    self._give(actor)
                continue
            actor, number, task = self.busy.pop(answer)
            try:
                result = self._get(answer)
            except self.ray.exceptions.RayActorError as error:
                self._count(number, error)
                self.waiting.appendleft((number, task))
                self.hire()
                continue
            self._give(actor)
            return result

    def _give(self, actor: Any) -> None:
        if self.waiting:
            number, task = self.waiting.popleft()
            self.busy[actor.apply.remote(task)] = actor, number, task

    def _get(self, answer: Any) -> Any:
        try:
            return self.ray.get(answer)
        except self.ray.exceptions.RayTaskError as error:
            raise error.cause from error

    def _count(self, number: int, error: Exception) -> None:
        self.lost[number] = self.lost.get(number, 0) + 1
        if self.lost[number] >= ATTEMPTS:
            raise WorkerError(
                f"a task lost its worker {ATTEMPTS} times ({str(error).splitlines()[0]}), perhaps for want of memory; "
                "what is done is kept. Run the same command again"
            ) from error

    def dismiss(self) -> None:
        """End all actors."""
        for actor in [*self.beginning.values(), *(actor for actor, _, _ in self.busy.values())]:
            self.ray.kill(actor)
        self.beginning.clear()
        self.busy.clear()
