"""The novelty score of every pixel of a dataset."""

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from oodretrieval.datasets import SegmentationDataset
from oodretrieval.errors import StoreError
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import CommonSettings
from oodretrieval.experiment.stored import segments_in_use, warn_of_other_inference
from oodretrieval.novelty import pixel_novelty
from oodretrieval.stages.evaluate.painted_iou import PaintedSegments
from oodretrieval.stages.measure.segment_features import SegmentFeatures
from oodretrieval.stages.select.selecting import open_novelty_model
from oodretrieval.stores import Prediction

TOGETHER = 512
"""Images whose features are held in memory at a time."""


class PaintedNovelty:
    """Novelty of every pixel, from the energy there and the novelty of its segment.

    Args:
        settings: ``root`` and ``limit`` of the dataset.
        run: Configuration and workspace.
        names: Name of the network, name of the dataset.
        dataset: Where images are read, for the features.
        device: Where features are computed.

    Raises:
        StoreError: If there is no segment table, or an image cannot be read.
        SettingsMismatchError: If the table was made with another network, weights or dataset.
        WeightsError: If no novelty model is fitted.
        TableError: If the novelty model is of another network, or the table has no columns of logits.
    """

    def __init__(
        self,
        settings: CommonSettings,
        run: Run,
        names: tuple[str, str],
        dataset: SegmentationDataset,
        device: torch.device,
    ) -> None:
        model = open_novelty_model(run, names[0])
        table = segments_in_use(settings, run, names)
        images = table["image_id"].unique().tolist()
        warn_of_other_inference("the novelty model", model.made_by, run.workspace, names, images)
        features = SegmentFeatures(run.workspace, str(model.made_by["backbone"]), device)
        scored = []
        for start in range(0, len(images), TOGETHER):
            rows = table[table["image_id"].isin(images[start : start + TOGETHER])]
            vectors, failures = features.of(names, dataset, rows)
            if failures:
                image, reason = next(iter(failures.items()))
                raise StoreError(
                    f"{len(failures)} images of {names[1]} have no features, e.g. {image}: {reason}"
                )
            scored.append(rows[["image_id", "segment_id"]].assign(novelty=model.score(rows, vectors)))
        self._segments = PaintedSegments(names, pd.concat(scored), "novelty")
        self._energy_scale = model.energy_scale

    def of(self, prediction: Prediction, energy: NDArray[np.floating]) -> NDArray[np.float32]:
        """Novelty of every pixel, ``(H, W)``, of a prediction and its energy ``-logsumexp`` ``(H, W)``.

        Raises:
            StoreError: If the segment table holds other segments than this prediction has.
        """
        return pixel_novelty(energy, self._segments.of(prediction), self._energy_scale)
