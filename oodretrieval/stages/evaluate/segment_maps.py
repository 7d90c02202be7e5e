"""What is known of segments, such as their predicted IoU or novelty, painted over the pixels of predictions."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from oodretrieval.errors import StoreError
from oodretrieval.execution import progress
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.segments import paint_segments
from oodretrieval.stages.measure.segment_novelty import SegmentNovelty
from oodretrieval.stores import Prediction, Stored

TOGETHER = 512
"""Images whose features are held in memory at a time."""


class SegmentMaps:
    """A column of a segment table at every pixel.

    Args:
        names: Of which network on which dataset.
        table: Their segment table.
        column: Its column.
    """

    def __init__(self, names: Stored, table: pd.DataFrame, column: str) -> None:
        self._names, self._column = names, column
        images = table[["image_id", "segment_id", column]].groupby("image_id")
        self._rows: Mapping[str, pd.DataFrame] = {str(name): rows for name, rows in images}

    def of(self, prediction: Prediction, missing: float = 0.0) -> NDArray[np.float64]:
        """The value of each pixel's segment.

        Args:
            prediction: Of one image of the table.
            missing: Value where no class is predicted.

        Returns:
            ``(H, W)``.

        Raises:
            StoreError: If the segment table holds other segments than this prediction has.
        """
        components = prediction.components()
        rows = self._rows.get(prediction.image_id)
        if rows is None or int(rows["segment_id"].max()) != int(components.max()):
            raise StoreError(
                f"the segment table of {self._names.dataset} does not hold the segments of {prediction.image_id!r}; "
                f"run scripts/compute_metrics.py with {self._names.arguments}"
            )
        return paint_segments(components, rows["segment_id"], rows[self._column], missing)


def predicted_iou_maps(run: Run, work: StoredWork, meta_model: str) -> SegmentMaps:
    """Predicted IoU of every pixel's segment, 0…1.

    Args:
        run: Configuration and workspace.
        work: Of which network on which dataset.
        meta_model: Name of the meta model.

    Returns:
        The maps of all images of the segment table.

    Raises:
        StoreError: If there is no segment table.
        SettingsMismatchError: If it was made with another network, weights or dataset.
        WeightsError: If the meta model is not trained.
    """
    model = run.trained.meta_model(meta_model, work.names.model)
    table = work.table()
    work.warn_of_other_inference(meta_model, model.quality.get("made_by", {}), table["image_id"].unique())
    return SegmentMaps(work.names, table.assign(predicted_iou=model.predict(table)), "predicted_iou")


def novelty_maps(run: Run, work: StoredWork, device: torch.device) -> tuple[SegmentMaps, float]:
    """Novelty of every pixel's segment, and what makes it one of pixels.

    Args:
        run: Configuration and workspace.
        work: Of which network on which dataset; its images are read for the features.
        device: Where features are computed.

    Returns:
        The maps of all images of the segment table; and the scale of the energy, for
        :func:`~oodretrieval.novelty.pixel_novelty`.

    Raises:
        StoreError: If there is no segment table, or an image cannot be read.
        SettingsMismatchError: If the table was made with another network, weights or dataset.
        WeightsError: If no novelty model is fitted.
        TableError: If the novelty model is of another network, or the table has no columns of logits.
    """
    novelty = SegmentNovelty.of_network(run, work.names.model, device)
    table = work.table()
    work.warn_of_other_inference("the novelty model", novelty.model.made_by, table["image_id"].unique())
    numbers, images = pd.factorize(table["image_id"])  # the table is in the order of the images
    ends = np.searchsorted(numbers, [*range(0, len(images), TOGETHER), len(images)])
    parts = [table[start:end] for start, end in pairwise(ends)]
    novelty.features.prepare(work, (part[["image_id"]] for part in parts))
    scored = []
    with progress(total=len(images), desc=f"novelty {work.names.dataset}", unit="image") as bar:
        for part in parts:
            # not begun, so not shared: the map of an image depends on no other image
            values, failures = novelty.score(work, part, bar=bar)
            if failures:
                image, reason = next(iter(failures.items()))
                raise StoreError(
                    f"{len(failures)} images of {work.names.dataset} have no features, e.g. {image}: {reason}"
                )
            scored.append(part[["image_id", "segment_id"]].assign(novelty=values))
    return SegmentMaps(work.names, pd.concat(scored), "novelty"), novelty.model.energy_scale
