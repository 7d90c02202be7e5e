"""The novelty score of every pixel of a dataset."""

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from oodretrieval.errors import StoreError
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.novelty import pixel_novelty
from oodretrieval.stages.evaluate.painted_iou import PaintedSegments
from oodretrieval.stages.measure.segment_features import SegmentFeatures
from oodretrieval.stores import Prediction

TOGETHER = 512
"""Images whose features are held in memory at a time."""


class PaintedNovelty:
    """Novelty of every pixel, from the energy there and the novelty of its segment.

    Args:
        run: Configuration and workspace.
        work: Of which network on which dataset; its images are read for the features.
        device: Where features are computed.

    Raises:
        StoreError: If there is no segment table, or an image cannot be read.
        SettingsMismatchError: If the table was made with another network, weights or dataset.
        WeightsError: If no novelty model is fitted.
        TableError: If the novelty model is of another network, or the table has no columns of logits.
    """

    def __init__(self, run: Run, work: StoredWork, device: torch.device) -> None:
        model = run.trained.novelty_model(work.names.model)
        table = work.table()
        images = table["image_id"].unique().tolist()
        work.warn_of_other_inference("the novelty model", model.made_by, table)
        features = SegmentFeatures(str(model.made_by["backbone"]), device)
        scored = []
        for start in range(0, len(images), TOGETHER):
            rows = table[table["image_id"].isin(images[start : start + TOGETHER])]
            vectors, failures = features.of(work, rows)
            if failures:
                image, reason = next(iter(failures.items()))
                raise StoreError(
                    f"{len(failures)} images of {work.names.dataset} have no features, e.g. {image}: {reason}"
                )
            scored.append(rows[["image_id", "segment_id"]].assign(novelty=model.score(rows, vectors)))
        self._segments = PaintedSegments(work.names, pd.concat(scored), "novelty")
        self._energy_scale = model.energy_scale

    def of(self, prediction: Prediction, energy: NDArray[np.floating]) -> NDArray[np.float32]:
        """Novelty of every pixel, ``(H, W)``, of a prediction and its energy ``-logsumexp`` ``(H, W)``.

        Raises:
            StoreError: If the segment table holds other segments than this prediction has.
        """
        return pixel_novelty(energy, self._segments.of(prediction), self._energy_scale)
