"""Stage 1: predict every image of a dataset and keep what the later stages need.

Images flow through three steps at once: threads read ahead, the network works, and others finish what it is done
with (:mod:`~oodretrieval.stages.predict.finish`). Each step waits when the one after it is behind, so memory does
not grow with the dataset. With ``num_cores = n``, next to the network itself:

- ``batch_size + n`` images read ahead, 4 to 5 bytes a pixel each;
- ``2n`` outcomes of the network, ``4C / stride² + 1`` bytes a pixel each (6 for 19 classes at stride 4);
- every process 260 MB, the outcome that it works on and 15 bytes a pixel (30 MB for 1024×2048).
"""

import logging
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from shutil import disk_usage
from typing import Any

import torch

from oodretrieval.datasets import SegmentationDataset, subset_by_class
from oodretrieval.entries import ModelEntry, factory_of
from oodretrieval.errors import ImageError, SettingsError, StoreError
from oodretrieval.execution import map_ahead, progress, worker_processes
from oodretrieval.experiment.configuration import Configuration
from oodretrieval.experiment.device import choose_device
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.stage_failures import StageFailures
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.stages.predict.finish import Finished, Finisher, load_kernels
from oodretrieval.stages.predict.outcomes import NetworkOutcome, Outcome
from oodretrieval.stages.predict.prediction_plan import PartWriter, Plan
from oodretrieval.stages.predict.published_source import PublishedSource
from oodretrieval.stages.predict.segmenter import Input, Segmenter, network_input
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stores import Workspace, plain, read_prediction_record, require_same_settings

logger = logging.getLogger(__name__)
WORTH_PROCESSES = 24
"""This number of images takes longer to finish than processes take to start."""


def pred_images(settings: PredictSettings, run: Run) -> dict[str, Any]:
    """Predict a dataset; images that have a prediction already are skipped, and so are those that failed before.

    What is written does not depend on ``num_cores``.

    Args:
        settings: What to predict.
        run: Configuration and workspace.

    Returns:
        Number of images ``predicted`` and ``skipped``, and the ``folder``.

    Raises:
        SettingsMismatchError: If predictions of the same name were made with other settings.
        WorkerError: If a worker process dies; what is done is kept.
        PartialFailure: If some images could not be predicted; all others are done.
    """
    work = run.stored(settings.model_name, settings.dataset, replace(settings.common, limit=0))
    dataset, wanted = work.dataset, run.dataset(settings.dataset, settings.common)
    if settings.classindex >= 0:
        wanted = subset_by_class(wanted, [settings.classindex])
    device = None if settings.source else choose_device(settings.common.gpu)
    made_by = _made_by(settings, work, run.configuration.model(settings.model_name), device)
    folder = run.workspace.prediction_folder(work.names)
    finisher = Finisher(run.workspace.path, work.names, settings.keep, made_by, dataset.label_set)
    with ExitStack() as locks:
        locks.enter_context(run.workspace.lock(folder))
        if settings.keep == "nothing":
            locks.enter_context(run.workspace.lock(run.workspace.segments_folder(work.names)))
        _require_same_images(work, made_by, overwrite=settings.common.overwrite)
        failing = locks.enter_context(StageFailures("pred_images", folder, made_by, settings.common))
        asked = set(wanted.ids) - failing.skipped(settings.dataset, dataset, wanted.ids)
        plan = Plan.of(finisher, dataset.ids, asked, overwrite=settings.common.overwrite)
        flow = _Flow(settings, run.configuration, dataset, finisher, plan, device)
        try:
            if plan.todo:
                flow()
                plan.tidy()
        finally:
            failing.add(settings.dataset, flow.failures)
        logger.info("%d predicted, %d were there; in %s", flow.predicted, plan.skipped, folder)
    return {"predicted": flow.predicted, "skipped": plan.skipped, "folder": str(folder)}


def _made_by(
    settings: PredictSettings, work: StoredWork, entry: ModelEntry, device: torch.device | None
) -> dict[str, Any]:
    """What identifies the predictions; without a device they come from files.

    Raises:
        SettingsError: If logits shall be kept of what has none.
    """
    made_by = {**work.provenance, "keep": settings.keep, "source": settings.source}
    if device is None:
        if settings.keep == "logits":
            raise SettingsError("a softmax has no logits to keep; add args.keep=softmax or args.keep=nothing")
        return made_by | {"weights": "", "model_arguments": {}}
    _warn_without_weights(entry, settings.model_name)
    return made_by | settings.inference.recorded(device.type, entry.size)


def _require_same_images(
    work: StoredWork,
    made_by: Mapping[str, Any],
    *,
    overwrite: bool,
) -> None:
    """Refuse to put predictions of other images next to those of the dataset's; with ``overwrite`` they are removed.

    Predictions of images that have left the dataset stay, if it is built as it was then (from the same root).

    Raises:
        SettingsMismatchError: If the folder holds predictions of a dataset that is built in another way.
    """
    folder = work.workspace.prediction_folder(work.names)
    own = {work.workspace.prediction_path(work.names, image) for image in work.dataset.ids}
    current = {"dataset_arguments": made_by["dataset_arguments"]}
    removed = 0
    for path in sorted(folder.rglob("*.h5")):
        if path in own:
            continue  # compared with all settings when its turn comes
        try:
            recorded = read_prediction_record(path).settings.get("dataset_arguments")
        except StoreError:  # nothing that anybody could use
            continue
        if not overwrite:
            require_same_settings(folder, {"dataset_arguments": recorded}, current)
            return  # they were written under this very check
        if plain(recorded) != plain(current["dataset_arguments"]):
            path.unlink()
            removed += 1
    if removed:
        logger.info("%d predictions of images of another root are removed from %s", removed, folder)


def _megabytes(size: int) -> str:
    """A size on disk for people.

    Example:
        >>> _megabytes(1_840_000), _megabytes(15_000_000), _megabytes(3_200_000_000)
        ('1.8 MB', '15.0 MB', '3.2 GB')
    """
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(size / 1e6, 0.1):.1f} MB"


def _warn_without_weights(entry: ModelEntry, name: str) -> None:
    """Say that nothing is loaded into a network: forgotten weights look like a network that knows nothing."""
    if entry.weights is None and not hasattr(factory_of(entry), "cached_weights"):
        logger.warning(
            "the entry %r names no weights: the network is used as its class builds it; set `weights` of the entry, "
            "unless the class loads its own",
            name,
        )


class _Flow:
    """Images through reading, network and finishing.

    Attributes:
        predicted: Images done.
        failures: Id of an image that could not be predicted → reason.
    """

    def __init__(
        self,
        settings: PredictSettings,
        configuration: Configuration,
        dataset: SegmentationDataset,
        finisher: Finisher,
        plan: Plan,
        device: torch.device | None,
    ) -> None:
        self.settings, self.configuration, self.dataset = settings, configuration, dataset
        self.finisher, self.plan, self.device = finisher, plan, device
        self.trained = None if device is None else configuration.model(settings.model_name).size
        self.predicted = 0
        self._said: set[str] = set()
        self.failures: dict[str, str] = {}

    def __call__(self) -> None:
        """Predict what the plan says."""
        total = self.plan.skipped + len(self.plan.todo)
        with ExitStack() as stack:
            self.bar = stack.enter_context(
                progress(total=total, initial=self.plan.skipped, desc="predicting", unit="image")
            )
            finishers = self._finishers(stack)  # they start while the network is loaded
            read = self._reading(stack)  # and the first images are read
            outcomes = self._outcomes(self._inputs(read))
            parts = stack.enter_context(PartWriter(self.plan))
            ahead = 2 * max(1, self.settings.common.num_cores)
            for finished in map_ahead(self.finisher, outcomes, finishers, ahead):
                self._note(finished)
                parts.add(finished)

    def _reading(self, stack: ExitStack) -> Iterator[Input | Finished]:
        threads = self.settings.common.num_cores
        readers = stack.enter_context(ThreadPoolExecutor(threads)) if threads else None
        ahead = self.settings.inference.batch_size + max(1, threads)
        return map_ahead(self._read, self.plan.todo, readers, ahead)

    def _finishers(self, stack: ExitStack) -> Executor | None:
        number = min(self.settings.common.num_cores, len(self.plan.todo))
        if number > 1 and len(self.plan.todo) >= WORTH_PROCESSES:
            return stack.enter_context(worker_processes(number, load_kernels))
        return stack.enter_context(ThreadPoolExecutor(1)) if number else None

    def _inputs(self, read: Iterable[Input | Finished]) -> Iterator[Input]:
        """Images as they are read; those that cannot be are noted."""
        for finished in read:
            if isinstance(finished, Finished):
                self._note(finished)
            else:
                yield finished

    def _read(self, index: int) -> Input | Finished:
        try:
            seen = network_input(self.dataset[index], self.settings.inference, self.trained)
            self._note_shrinking(seen)
            return seen
        except ImageError as error:
            return Finished(self.dataset.ids[index], failure=str(error))

    def _outcomes(self, inputs: Iterable[Input]) -> Iterator[Outcome]:
        if self.device is None:
            source = PublishedSource(self.settings.source, self.dataset)
            return source.run(item.sample for item in inputs)
        entry = self.configuration.model(self.settings.model_name)
        return self._kept(
            Segmenter(entry, self.device, self.settings.inference).run(inputs, self.dataset.label_set)
        )

    def _kept(self, outcomes: Iterable[NetworkOutcome]) -> Iterator[Outcome]:
        """The outcomes; says of logits of full size how they could be smaller."""
        for outcome in outcomes:
            if self.settings.keep == "logits" and outcome.logits.shape[1:] == outcome.size:
                self._say(
                    "logits",
                    "the network gives logits of the image's full size; with a method `low_resolution_logits`, the "
                    'logits before its last resize, predictions are stored small ("Your own network" in '
                    "docs/extending.md)",
                )
            yield outcome

    def _note_shrinking(self, item: Input) -> None:
        """Say, once, that an image is shrunk because the network was trained on smaller ones."""
        size, seen = item.sample.image.shape, item.image.shape
        if self.trained is not None and self.settings.inference.resize < 0 and size != seen:
            self._say(
                "size",
                f"images of {size[1]}×{size[0]} are shrunk to {seen[1]}×{seen[0]} for {self.settings.model_name}, "
                f"which was trained on {self.trained[1]}×{self.trained[0]}; resize=0 of this stage shows them as "
                "they are",
            )

    def _note_disk(self, image_id: str) -> None:
        """Say, when the first image is done, what all will take on disk."""
        path = Workspace(self.finisher.workspace).prediction_path(self.finisher.stored, image_id)
        images, free = len(self.plan.todo), disk_usage(path.parent).free
        size = path.stat().st_size
        self._say(
            "disk",
            f"the first prediction takes {_megabytes(size)}, {images} of them about {_megabytes(images * size)} with "
            f"args.keep={self.settings.keep}; {_megabytes(free)} are free",
        )

    def _say(self, what: str, message: str) -> None:
        if what not in self._said:
            self._said.add(what)
            logger.info("%s", message)

    def _note(self, finished: Finished) -> None:
        self.bar.update()
        if finished.failure:
            self.failures[finished.image_id] = finished.failure
        else:
            self.predicted += 1
            self._note_disk(finished.image_id)
