"""Which images a model was fitted on: they, and the frames of a video next to them, are no test of it.

A model that is fitted here carries a record of its images (:func:`fitted_on`). Every evaluation asks
:func:`seen_images` which images to leave out, and says how many.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from oodretrieval.choices import NEAR_FRAMES
from oodretrieval.clips import frame_positions
from oodretrieval.datasets import SegmentationDataset, open_dataset
from oodretrieval.entries import DatasetEntry
from oodretrieval.errors import OODRetrievalError, TableError
from oodretrieval.experiment.configuration import Configuration

FITTED_ON = "fitted_on"
"""Under which the record lies in what a model carries."""
SAMPLE = "sample"
"""Likewise, where a model learned from some images of its dataset alone: segments and images, and of how many."""
LEFT_OUT = "left_out"
"""Likewise, the images that could not be read: a model that has some is fitted again by the next run."""
SHAPE = ("class", "S", "left", "top", "right", "bottom", "E")
"""Columns of the segment table that a fingerprint is of."""
_STEPS = 10_000
"""Of the entropy in a fingerprint."""
FEWEST = 3
"""Segments that distinguish an image from others; one of fewer is known by its id alone."""
Carried = Mapping[str, Any]


@dataclass(frozen=True)
class SeenImages:
    """Images that are no test of a model.

    Attributes:
        images: Their ids.
        notes: A sentence on them; nothing where there is none.
    """

    images: frozenset[str] = field(default_factory=frozenset)
    notes: tuple[str, ...] = ()

    def others(self, images: Sequence[str]) -> list[str]:
        """Those of ``images`` that are a test, in their order."""
        return [image for image in images if image not in self.images]


def fitted_on(dataset_name: str, prints: Mapping[str, str]) -> dict[str, Any]:
    """The record of the images that a model is fitted on.

    Args:
        dataset_name: Name of their dataset.
        prints: Id of each → fingerprint of its segments; see :func:`fingerprints`.

    Returns:
        Plain values: ``dataset``; ``images``: id → fingerprint.
    """
    return {"dataset": dataset_name, "images": dict(prints)}


def sample_note(carried: Carried) -> str:
    """What a model that learned from a sample of its dataset says of it.

    Args:
        carried: What the model carries.

    Returns:
        Some words; empty where it learned from everything.

    Example:
        >>> sample_note({"sample": {"segments": 20, "of_segments": 90, "images": 2, "of_images": 9}})
        'a sample of 20 of 90 segments, of 2 of 9 images'
    """
    if SAMPLE not in carried:
        return ""
    return "a sample of {segments} of {of_segments} segments, of {images} of {of_images} images".format(
        **carried[SAMPLE]
    )


def fingerprints(tables: Iterable[pd.DataFrame]) -> dict[str, str]:
    """Image id → hash of class, size, box and entropy of its segments: an image has the same under every name.

    Args:
        tables: Segment table, part by part with whole images in each; only ``image_id`` and :data:`SHAPE` are read.

    Returns:
        16 hexadecimal digits for each image; an empty text for one of less than :data:`FEWEST` segments.
    """
    return {image: text for table in tables for image, text in _fingerprints(table).items()}


def _fingerprints(table: pd.DataFrame) -> dict[str, str]:
    values = table[list(SHAPE)].to_numpy(np.float64)
    values[:, -1] *= _STEPS
    whole = np.round(values).astype(np.int64)
    return {
        str(image): hashlib.blake2b(whole[rows].tobytes(), digest_size=8).hexdigest()
        if len(rows) >= FEWEST
        else ""
        for image, rows in table.groupby("image_id", sort=False).indices.items()
    }


def seen_images(
    configuration: Configuration,
    dataset_name: str,
    dataset: SegmentationDataset,
    prints: Mapping[str, str],
    models: Mapping[str, Carried],
) -> SeenImages:
    """The images of a dataset that one of the models was fitted on, or on frames next to them.

    Args:
        configuration: Where names are looked up.
        dataset_name: Name of the dataset that is evaluated on.
        dataset: The dataset.
        prints: Id of each of its images that have segments → their fingerprint.
        models: What a model is called, e.g. ``meta model 'linear'`` → what it carries: a meta model's ``quality``, a
            novelty model's ``made_by``. Of models without a record, made by others or long ago, the name of the
            dataset is compared.

    Returns:
        The images, and what to say.

    Raises:
        TableError: If none is left.
    """
    images = list(prints)
    seen: dict[str, list[str]] = {}
    for model, carried in models.items():
        record = carried.get(FITTED_ON) or carried.get("made_by", carried)
        found = _seen(configuration, dataset_name, dataset, prints, record)
        if found:
            seen[model] = found
    left_out = frozenset(image for found in seen.values() for image in found)
    if not left_out:
        return SeenImages()
    names = " and ".join(seen)
    near = f" or on frames within {NEAR_FRAMES} of them" if getattr(dataset, "video", False) else ""
    if left_out == set(images):
        raise TableError(
            f"{names} was fitted on the very images of {dataset_name!r}{near}: measures on them say nothing of other "
            "images; evaluate on images that it has not seen"
        )
    note = f"{len(left_out)} of {len(images)} images are left out: {names} was fitted on them{near}."
    return SeenImages(left_out, (note,))


def _seen(
    configuration: Configuration,
    dataset_name: str,
    dataset: SegmentationDataset,
    prints: Mapping[str, str],
    record: Mapping[str, Any],
) -> list[str]:
    """Those of the images that a model with this record was fitted on, or on frames next to them."""
    name = str(record.get("dataset", ""))
    recorded = record.get("images")
    if recorded is not None:
        learned, known = list(recorded), set(recorded.values())
    else:
        learned, known = _ids_of(configuration, name, int(record.get("limit", 0))), set()
        if name == dataset_name and not learned:
            return list(prints)
    seen = {image for image, value in prints.items() if value and value in known}
    if name == dataset_name:
        seen |= set(learned) & set(prints)
    if getattr(dataset, "video", False) and _same_source(configuration, name, dataset_name):
        seen |= _near(list(prints), learned)
    return [image for image in prints if image in seen]


def _ids_of(configuration: Configuration, name: str, limit: int) -> list[str]:
    """The images of a dataset as far as it is there."""
    if name not in configuration.datasets:
        return []
    try:
        ids = list(open_dataset(configuration.dataset(name), name, None).ids)
    except OODRetrievalError:
        return []
    return ids[:limit] if limit else ids


def _near(images: Sequence[str], learned: Sequence[str]) -> set[str]:
    """Frames that are at most :data:`NEAR_FRAMES` from one that was learned from, or are it."""
    if not learned:
        return set()
    positions = frame_positions([*images, *learned])
    here, there = positions[: len(images)], np.sort(positions[len(images) :])
    place = np.searchsorted(there, here)
    after = np.abs(there[np.minimum(place, len(there) - 1)] - here)
    before = np.abs(there[np.maximum(place - 1, 0)] - here)
    return {image for image, gap in zip(images, np.minimum(before, after), strict=True) if gap <= NEAR_FRAMES}


def _same_source(configuration: Configuration, first: str, second: str) -> bool:
    """Whether the frames of two datasets can be of one video: the same name, or parts of the same files."""
    if first == second:
        return True
    entries = [configuration.datasets.get(name) for name in (first, second)]
    sources = [None if entry is None else _source(entry) for entry in entries]
    return sources[0] is not None and sources[0] == sources[1]


def _source(entry: DatasetEntry) -> tuple[str, str, str]:
    while isinstance(inner := entry.kwargs.get("dataset"), DatasetEntry):
        entry = inner
    return entry.module, entry.class_name, str(entry.kwargs.get("root", ""))
