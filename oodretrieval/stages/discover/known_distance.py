"""How far the rows of a catalogue lie from all that the network was trained on, whatever they were predicted as."""

import logging
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.choices import OBJECTS
from oodretrieval.errors import OODRetrievalError
from oodretrieval.execution import progress
from oodretrieval.experiment.device import choose_device
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import CommonSettings
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.novelty import MIN_PIXELS
from oodretrieval.robust_statistics import median_and_deviation
from oodretrieval.stages.measure.segment_novelty import KEY, SegmentNovelty
from oodretrieval.stages.select.described_regions import DescribedRegions
from oodretrieval.stages.select.settings import ObjectSettings
from oodretrieval.stores import Catalogue

logger = logging.getLogger(__name__)
_ANY = -1
"""A class that no vector of a bank has: such segments are compared with all."""


def strangeness(catalogue: Catalogue, run: Run, common: CommonSettings) -> NDArray[np.float64] | None:
    """How far each row is from the nearest known training segment of any class, next to all else in the same images.

    Most of what images show is known, so that their own segments, selected or not, say what is far in this light and
    weather.

    Args:
        catalogue: Whose rows.
        run: Configuration and workspace, with what the catalogue was made of and the novelty model of its network.
        common: Device, and root of the dataset.

    Returns:
        Robust deviations of ``ln`` of the distance from the median of all segments (or of all regions, for objects) of
        the same images, ``(n,)``; NaN where there is none. None, which is said, where what is needed is not at hand.
    """
    model = str(catalogue.settings.get("model", ""))
    try:
        novelty = SegmentNovelty.of_network(run, model, choose_device(common.gpu))
        found = np.full(len(catalogue), np.nan)
        for dataset, places in catalogue.segments.groupby("dataset").indices.items():
            work = run.stored(model, str(dataset), common)
            rows = catalogue.segments.iloc[places]
            distances = _of_regions if catalogue.candidates == OBJECTS else _of_segments
            own, all_there = distances(catalogue, work, rows, novelty, run)
            found[places] = _next_to(own, all_there)
    except (OODRetrievalError, OSError) as error:
        logger.warning("classes are shown without the distance to what is known: %s", error)
        return None
    return found


def _next_to(values: NDArray[np.float64], compared: NDArray[np.float64]) -> NDArray[np.float64]:
    compared = compared[np.isfinite(compared)]
    if not len(compared):
        return np.full(len(values), np.nan)
    median, scale = median_and_deviation(compared)
    return (values - median) / scale if scale > 0 else np.zeros(len(values))


def _of_segments(
    catalogue: Catalogue, work: StoredWork, rows: pd.DataFrame, novelty: SegmentNovelty, run: Run
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distances of rows of predicted segments, and of all segments of the images, of which 8 bytes each stay."""
    segments, features = work.segments(), novelty.features
    features.prepare(work, segments.tables(["image_id"]))
    asked = pd.MultiIndex.from_frame(rows[KEY])
    of_image = rows.groupby("image_id").indices
    own, everything = np.full(len(rows), np.nan), []
    with progress(total=len(segments.places), desc=f"features {work.names.dataset}", unit="image") as bar:
        for table in segments.tables():
            vectors, _ = features.of(work, table, bar)
            distances = novelty.model.bank.log_distance(vectors.deep, np.full(len(table), _ANY))
            here = [of_image[image] for image in table["image_id"].unique() if image in of_image]
            if here:
                ours = np.concatenate(here)
                places = pd.MultiIndex.from_frame(table[KEY]).get_indexer(asked[ours])
                own[ours] = np.where(places >= 0, distances[places], np.nan)
            everything.append(distances[table["S"].to_numpy() >= MIN_PIXELS])
    return own, np.concatenate(everything)


def _of_regions(
    catalogue: Catalogue, work: StoredWork, rows: pd.DataFrame, novelty: SegmentNovelty, run: Run
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distances of rows of objects, and of all regions of their images."""
    file = run.novelty_model_path(str(catalogue.settings["model"]))
    proposals: Any = catalogue.settings.get("proposals", "regions")
    device = novelty.features.device
    described = DescribedRegions(work, (novelty.model, file), device, ObjectSettings(proposals=proposals))
    own = np.full(len(rows), np.nan)
    everything = []
    for image, places in rows.groupby("image_id").indices.items():
        distances = described.read(str(image)).columns["distance"]
        own[places] = distances[rows["segment_id"].to_numpy(int)[places] - 1]
        everything.append(distances)
    return own, np.concatenate(everything)
