"""Images through three steps at once: threads read ahead, the network works, and others finish what it is done with.

Each step waits when the one after it is behind, so memory does not grow with the dataset. With ``num_cores = n``, next
to the network itself:

- ``batch_size + n`` images read ahead, 4 to 5 bytes a pixel each;
- ``2n`` outcomes of the network, ``4C / stride² + 1`` bytes a pixel each (6 for 19 classes at stride 4);
- every process 260 MB, the outcome that it works on and 15 bytes a pixel (30 MB for 1024×2048).
"""

import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from shutil import disk_usage

import torch

from oodretrieval.datasets import SegmentationDataset
from oodretrieval.errors import ImageError
from oodretrieval.execution import map_ahead, progress, worker_processes
from oodretrieval.experiment.configuration import Configuration
from oodretrieval.remote_paths import RemotePath
from oodretrieval.stages.predict.finish import Finished, Finisher, load_kernels
from oodretrieval.stages.predict.outcomes import NetworkOutcome, Outcome
from oodretrieval.stages.predict.prediction_plan import PartWriter, Plan
from oodretrieval.stages.predict.published_source import PublishedSource
from oodretrieval.stages.predict.segmenter import Input, Segmenter, network_input
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stores import Workspace

logger = logging.getLogger(__name__)
WORTH_PROCESSES = 24
"""This number of images takes longer to finish than processes take to start."""


def _megabytes(size: int) -> str:
    """A size on disk for people.

    Example:
        >>> _megabytes(1_840_000), _megabytes(15_000_000), _megabytes(3_200_000_000)
        ('1.8 MB', '15.0 MB', '3.2 GB')
    """
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{max(size / 1e6, 0.1):.1f} MB"


class Flow:
    """Images through reading, network and finishing.

    Args:
        settings: What to predict.
        configuration: Where the network is looked up.
        dataset: The images, all of them.
        finisher: Writes what is kept.
        plan: Which images.
        device: Where the network runs; None where predictions are read from files.
        segmenter: The network, where it is loaded already.

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
        segmenter: Segmenter | None = None,
    ) -> None:
        self.segmenter = segmenter
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
            ahead = 2 * max(1, self.settings.common.cores)
            for finished in map_ahead(self.finisher, outcomes, finishers, ahead):
                self._note(finished)
                parts.add(finished)

    def _reading(self, stack: ExitStack) -> Iterator[Input | Finished]:
        threads = self.settings.common.cores
        readers = stack.enter_context(ThreadPoolExecutor(threads)) if threads else None
        ahead = self.settings.inference.batch_size + max(1, threads)
        return map_ahead(self._read, self.plan.todo, readers, ahead)

    def _finishers(self, stack: ExitStack) -> Executor | None:
        number = min(self.settings.common.cores, len(self.plan.todo))
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
        segmenter = self.segmenter
        if segmenter is None:
            entry = self.configuration.model(self.settings.model_name)
            segmenter = Segmenter(entry, self.device, self.settings.inference)
        return self._kept(segmenter.run(inputs, self.dataset.label_set))

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
        images = len(self.plan.todo)
        free = (
            "" if isinstance(path, RemotePath) else f"; {_megabytes(disk_usage(path.parent).free)} are free"
        )
        size = path.stat().st_size
        self._say(
            "disk",
            f"the first prediction takes {_megabytes(size)}, {images} of them about {_megabytes(images * size)} with "
            f"args.keep={self.settings.keep}{free}",
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
