"""Prediction on a cluster: each worker loads the network once, and is given blocks of images."""

import logging
from collections.abc import Iterator
from functools import partial

import torch

from oodretrieval.cluster import map_cluster
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import changed
from oodretrieval.stages.predict.finish import Finisher
from oodretrieval.stages.predict.flow import Flow
from oodretrieval.stages.predict.prediction_plan import Plan
from oodretrieval.stages.predict.segmenter import Segmenter
from oodretrieval.stages.predict.settings import PredictSettings
from oodretrieval.stores import blocks

logger = logging.getLogger(__name__)
Done = tuple[int, dict[str, str]]
"""Number of images predicted, and image id → reason of those that failed."""


class BlockPredictor:
    """Predicts blocks of images, in a worker.

    Args:
        settings: What to predict.
        run: Configuration and workspace, which every worker reaches by the same path.
        finisher: Writes what is kept.
        device: Kind of device; None where predictions are read from files.
    """

    def __init__(self, settings: PredictSettings, run: Run, finisher: Finisher, device: str | None) -> None:
        run.configuration.find_classes()
        # a worker has one core, and a thread that reads ahead of the network
        self.settings = changed(settings, {"limit": 0, "engine": "processes", "num_cores": 1})
        self.run, self.finisher = run, finisher
        self.device = None if device is None else torch.device(device)
        self.dataset = run.dataset(settings.dataset, self.settings.common)
        self.segmenter: Segmenter | None = None
        if self.device is not None:
            entry = run.configuration.model(settings.model_name)
            self.segmenter = Segmenter(entry, self.device, settings.inference)

    def __call__(self, plan: Plan) -> Done:
        """Predict the images of a block.

        Args:
            plan: Which, and where their segments go.

        Returns:
            What was done.
        """
        flow = Flow(
            *(self.settings, self.run.configuration, self.dataset, self.finisher, plan, self.device),
            segmenter=self.segmenter,
        )
        flow()
        return flow.predicted, flow.failures


def predict_on_cluster(
    settings: PredictSettings, run: Run, finisher: Finisher, plan: Plan, device: torch.device | None
) -> Iterator[Done]:
    """Predict what a plan says, on a cluster.

    Args:
        settings: What to predict.
        run: Configuration and workspace, which every worker reaches by the same path.
        finisher: Writes what is kept.
        plan: Which images.
        device: Kind of device of the workers; None where predictions are read from files.

    Yields:
        What became of each block.

    Raises:
        ConfigurationError: If Ray is not installed.
        WorkerError: If there is no cluster, or a block loses its worker again and again.
    """
    kind = None if device is None else device.type
    prepare = partial(BlockPredictor, settings, run, finisher, kind)
    tasks = [Plan(todo, 0, there, None) for todo, there in plan.parts(blocks.BLOCK)]
    yield from map_cluster(prepare, tasks, gpu=kind == "cuda", desc="predicting", unit="block")
