"""What is known of segments, such as their predicted IoU or novelty, painted over the pixels of predictions."""

from collections.abc import Iterable
from itertools import pairwise

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from oodretrieval.errors import StoreError
from oodretrieval.execution import progress
from oodretrieval.experiment.other_inference import warn_of_other_inference
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.segments import paint_segments
from oodretrieval.stages.measure.segment_novelty import SegmentNovelty
from oodretrieval.stores import Prediction, Stored, joined
from oodretrieval.stores.joined_tables import IMAGE

SEGMENT = "segment_id"


class SegmentMaps:
    """A column of a segment table at every pixel; some 12 bytes a segment are held.

    Args:
        names: Of which network on which dataset.
        tables: Their segment table, part by part with whole images in each; two columns of it and this one are read.
        column: The column.
    """

    def __init__(self, names: Stored, tables: Iterable[pd.DataFrame], column: str) -> None:
        self._names = names
        held = joined(part[[IMAGE, SEGMENT, column]].astype({SEGMENT: np.int32}) for part in tables)
        self._ids, self._values = held[SEGMENT].to_numpy(), held[column].to_numpy(np.float64)
        ends = np.cumsum(np.bincount(held[IMAGE].cat.codes, minlength=len(held[IMAGE].cat.categories)))
        images = map(str, held[IMAGE].cat.categories)
        self._rows = dict(zip(images, pairwise([0, *ends.tolist()]), strict=True))

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
        rows = slice(*self._rows.get(prediction.image_id, (0, 0)))
        ids = self._ids[rows]
        if not len(ids) or int(ids.max()) != int(components.max()):
            raise StoreError(
                f"the segment table of {self._names.dataset} does not hold the segments of {prediction.image_id!r}; "
                f"run scripts/compute_metrics.py with {self._names.arguments}"
            )
        return paint_segments(components, ids, self._values[rows], missing)


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
    segments = work.segments()
    warn_of_other_inference(work, meta_model, model.quality.get("made_by", {}), segments.places)
    predicted = (table.assign(predicted_iou=model.predict(table)) for table in segments.tables())
    return SegmentMaps(work.names, predicted, "predicted_iou")


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
    segments = work.segments()
    warn_of_other_inference(work, "the novelty model", novelty.model.made_by, segments.places)
    # not begun, so not shared: the map of an image depends on no other image
    novelty.features.prepare(work, segments.tables([IMAGE]))
    with progress(total=len(segments.places), desc=f"novelty {work.names.dataset}", unit="image") as bar:
        scored = (_novelty_of(novelty, work, table, bar) for table in segments.tables())
        maps = SegmentMaps(work.names, scored, "novelty")
    return maps, novelty.model.energy_scale


def _novelty_of(
    novelty: SegmentNovelty, work: StoredWork, table: pd.DataFrame, bar: progress
) -> pd.DataFrame:
    values, failures = novelty.score(work, table, bar=bar)
    if failures:
        image, reason = next(iter(failures.items()))
        raise StoreError(
            f"{len(failures)} images of {work.names.dataset} have no features, e.g. {image}: {reason}"
        )
    return table[[IMAGE, SEGMENT]].assign(novelty=values)
