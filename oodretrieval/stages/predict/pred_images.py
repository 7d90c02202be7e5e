"""Stage 1: predict every image of a dataset and keep what the later stages need.

Images flow through three steps at once: threads read ahead, the network works, and others finish what it is done
with (:mod:`~oodretrieval.stages.predict.finishing`). Each step waits when the one after it is behind, so memory does
not grow with the dataset. With ``num_cores = n``, beside the network itself:

- ``batch_size + n`` images read ahead, 4 to 5 bytes a pixel each;
- ``2n`` outcomes of the network, ``4C / stride² + 1`` bytes a pixel each (6 for 19 classes at stride 4);
- every process 260 MB, the outcome that it works on and 15 bytes a pixel (30 MB for 1024×2048).
"""

import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import torch
from tqdm import tqdm

from oodretrieval.datasets import SegmentationDataset, subset_by_class
from oodretrieval.errors import ImageError, PartialFailure, SettingsError
from oodretrieval.execution import map_ahead, worker_processes
from oodretrieval.experiment.configuration import Configuration
from oodretrieval.experiment.device import choose_device
from oodretrieval.experiment.inputs import dataset_in_use, provenance
from oodretrieval.experiment.run import Run
from oodretrieval.stages.predict.finishing import Finished, Finisher, Outcome, load_kernels
from oodretrieval.stages.predict.inference_settings import InferenceSettings
from oodretrieval.stages.predict.prediction_plan import PartWriter, Plan
from oodretrieval.stages.predict.published_source import PublishedSource
from oodretrieval.stages.predict.segmenter import Input, Segmenter, network_input
from oodretrieval.stores.predictions import Keep

logger = logging.getLogger(__name__)
WORTH_PROCESSES = 24
"""So many images take longer to finish than processes take to start."""


@dataclass(frozen=True)
class PredictSettings(InferenceSettings):
    """What to predict, and what to keep of it.

    Attributes:
        dataset: Name of the dataset.
        model_name: Name of the network.
        classindex: Only images that contain this label id; -1 for all.
        keep: logits (float16 at the network's stride), softmax (float32 at full size, as published) or nothing
            (the segment metrics are computed at once; they, the predicted classes and the entropy remain).
        source: Folder of published input<i>.hdf5 or of .npy softmax files to take instead of running the
            network; its predictions are matched to the dataset's images by file name.
        num_cores: Threads that read images ahead, and processes that finish what the network is done with
            (metrics, compression, writing). 1 finishes in a thread beside the network, 0 does everything in turn.
    """

    dataset: str = ""
    model_name: str = ""
    classindex: int = -1
    keep: Keep = "logits"
    source: str = ""


def pred_images(settings: PredictSettings, run: Run) -> dict[str, Any]:
    """Predict a dataset; images that have a prediction already are skipped.

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
    dataset = dataset_in_use(replace(settings, limit=0), run.configuration, settings.dataset)
    wanted = dataset_in_use(settings, run.configuration, settings.dataset)
    if settings.classindex >= 0:
        wanted = subset_by_class(wanted, [settings.classindex])
    names = settings.model_name, settings.dataset
    made_by = {
        **provenance(settings, run.configuration, *names),
        "keep": settings.keep,
        "source": settings.source,
    }
    device = None
    if settings.source:
        made_by |= {"weights": "", "model_arguments": {}}
        if settings.keep == "logits":
            raise SettingsError("a softmax has no logits to keep; add args.keep=softmax or args.keep=nothing")
    else:
        device = choose_device(settings.gpu)
        made_by |= settings.recorded(device.type)
    folder = run.workspace.prediction_folder(*names)
    finisher = Finisher(run.workspace.path, names, settings.keep, made_by, dataset.label_set)
    with run.workspace.lock(folder):
        plan = Plan.of(finisher, dataset.ids, set(wanted.ids), overwrite=settings.overwrite)
        flow = _Flow(settings, run.configuration, dataset, finisher, plan, device)
        if plan.todo:
            flow()
    if flow.failures:
        raise PartialFailure("pred_images", flow.failures)
    logger.info("%d predicted, %d were there; in %s", flow.predicted, plan.skipped, folder)
    return {"predicted": flow.predicted, "skipped": plan.skipped, "folder": str(folder)}


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
        self.predicted = 0
        self.failures: dict[str, str] = {}

    def __call__(self) -> None:
        """Predict what the plan says."""
        total = self.plan.skipped + len(self.plan.todo)
        with ExitStack() as stack:
            self.bar = stack.enter_context(
                tqdm(total=total, initial=self.plan.skipped, desc="predicting", unit="image", disable=None)
            )
            finishers = self._finishers(stack)  # first, as they start while the network is loaded
            outcomes = self._outcomes(self._inputs(self._readers(stack)))
            parts = stack.enter_context(PartWriter(self.finisher, self.dataset.ids, self.plan))
            ahead = 2 * max(1, self.settings.num_cores)
            for finished in map_ahead(self.finisher, outcomes, finishers, ahead):
                self._note(finished)
                parts.add(finished)

    def _readers(self, stack: ExitStack) -> Executor | None:
        threads = self.settings.num_cores
        return stack.enter_context(ThreadPoolExecutor(threads)) if threads else None

    def _finishers(self, stack: ExitStack) -> Executor | None:
        number = min(self.settings.num_cores, len(self.plan.todo))
        if number > 1 and len(self.plan.todo) >= WORTH_PROCESSES:
            return stack.enter_context(worker_processes(number, load_kernels))
        return stack.enter_context(ThreadPoolExecutor(1)) if number else None

    def _inputs(self, readers: Executor | None) -> Iterator[Input]:
        """Images as they are read; those that cannot be are noted."""
        ahead = self.settings.batch_size + max(1, self.settings.num_cores)
        for finished in map_ahead(self._read, self.plan.todo, readers, ahead):
            if isinstance(finished, Finished):
                self._note(finished)
            else:
                yield finished

    def _read(self, index: int) -> Input | Finished:
        try:
            return network_input(self.dataset[index], self.settings)
        except ImageError as error:
            return Finished(self.dataset.ids[index], failure=str(error))

    def _outcomes(self, inputs: Iterable[Input]) -> Iterator[Outcome]:
        if self.device is None:
            source = PublishedSource(self.settings.source, self.dataset)
            return source.run(item.sample for item in inputs)
        entry = self.configuration.model(self.settings.model_name)
        return Segmenter(entry, self.device, self.settings).run(inputs, self.dataset.label_set)

    def _note(self, finished: Finished) -> None:
        self.bar.update()
        if finished.failure:
            self.failures[finished.image_id] = finished.failure
        else:
            self.predicted += 1
