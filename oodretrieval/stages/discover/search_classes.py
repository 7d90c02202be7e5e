"""Which images of a dataset contain which class."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from oodretrieval.datasets import SegmentationDataset
from oodretrieval.datasets.subset import label_ids, read_labels_at
from oodretrieval.errors import AllFailedError, ImageError, PartialFailure
from oodretrieval.execution import progress
from oodretrieval.experiment.context import measured_on
from oodretrieval.experiment.datasets import require_truth
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import flat
from oodretrieval.files import atomic_path
from oodretrieval.labels import LabelSet
from oodretrieval.masks import EIGHT
from oodretrieval.results.result import Result, result_folder
from oodretrieval.results.rules import size_words, void_rule
from oodretrieval.stages.discover.settings import SearchSettings
from oodretrieval.stages.evaluate.evaluated import save_evaluation

logger = logging.getLogger(__name__)
COLUMNS = ["image", "index", "label id", "pixels", "objects"]


def search_classes(settings: SearchSettings, run: Run) -> dict[str, Any]:
    """List the images that contain each class, with its pixels and objects.

    Args:
        settings: What to search for.
        run: Configuration and workspace.

    Returns:
        ``classes``: for each its ``label id`` (what ``args.classindex`` of pred_images takes), ``images``, ``pixels``
        and ``objects``; ``files`` written, one of which lists every image.

    Raises:
        TableError: If the dataset has no truth.
        UnknownNameError: If there is no such class.
        PartialFailure: If some labels could not be read; all others were searched.
        AllFailedError: If none could be read.
    """
    dataset = run.dataset(settings.dataset, settings.common)
    label_set = require_truth(dataset, settings.dataset)
    wanted = list(label_set.label_mapping)
    if settings.classes:
        wanted = list(dict.fromkeys(i for name in settings.classes for i in label_ids(name, label_set)))
    search = _Search(wanted, settings.min_pixels)
    for index, image_id in enumerate(progress(dataset.ids, desc="labels", unit="image")):
        search.add(index, image_id, dataset)
    if search.failures and not search.images:
        raise AllFailedError(
            "search_classes",
            f"dataset {settings.dataset!r}",
            search.failures,
            "mend the labels, or set args.root to where they are",
        )
    images = pd.DataFrame(search.rows, columns=COLUMNS)
    images.insert(3, "class", [label_set.label_name(i) for i in images["label id"]])
    result = _result(settings, run, label_set, search, _summary(images, wanted, label_set))
    folder = result_folder(run.workspace.path, settings.save_dir)
    listing = folder / f"{result.stem}_images.csv"
    with atomic_path(listing) as temporary:
        images.to_csv(temporary, index=False)
    files = [*save_evaluation(folder, result), str(listing)]
    logger.info("every image with its classes: %s", listing)
    if search.failures:
        raise PartialFailure("search_classes", search.failures)
    return {**result.measures, "files": files}


def _result(
    settings: SearchSettings,
    run: Run,
    label_set: LabelSet,
    search: "_Search",
    summary: pd.DataFrame,
) -> Result:
    context = measured_on(
        run,
        [settings.dataset],
        images=search.images,
        void_rule=void_rule(label_set),
        resolution=f"{size_words(search.sizes)}; objects are 8-connected components of one label id",
        threshold=f"an image contains a class from {settings.min_pixels} pixel(s) on",
    )
    return Result(
        title=f"Classes of {settings.dataset}",
        stem=f"classes_{settings.dataset}",
        context=context,
        settings=flat(settings),
        measures={"classes": summary.reset_index().to_dict("records")},
        tables={"classes": summary},
        notes=("The label id is what args.classindex of pred_images takes.",),
    )


class _Search:
    """Goes through labels image by image."""

    def __init__(self, wanted: Sequence[int], min_pixels: int) -> None:
        self.wanted, self.min_pixels = wanted, min_pixels
        self.rows: list[tuple[str, int, int, int, int]] = []
        self.failures: dict[str, str] = {}
        self.sizes: set[tuple[int, ...]] = set()
        self.images = 0

    def add(self, index: int, image_id: str, dataset: SegmentationDataset) -> None:
        """Search one image; one whose labels cannot be read is noted."""
        try:
            labels = read_labels_at(dataset, index)
        except ImageError as error:
            self.failures[image_id] = str(error)
            return
        if labels is not None:
            self.images += 1
            self.sizes.add(labels.shape)
            found = _classes_of(labels, self.wanted, self.min_pixels)
            self.rows += [(image_id, index, *counts) for counts in found]


def _classes_of(
    labels: NDArray[np.integer], wanted: Sequence[int], min_pixels: int
) -> Iterator[tuple[int, int, int]]:
    """Label id, pixels and objects of each wanted class that an image has enough of."""
    present, pixels = np.unique(labels, return_counts=True)
    counts = dict(zip(present.tolist(), pixels.tolist(), strict=True))
    for label in wanted:
        if counts.get(label, 0) >= min_pixels:
            yield label, counts[label], int(ndimage.label(labels == label, EIGHT)[1])


def _summary(images: pd.DataFrame, wanted: Sequence[int], label_set: LabelSet) -> pd.DataFrame:
    """How many images, pixels and objects each class has."""
    groups = images.groupby("label id")
    table = pd.DataFrame(
        {"images": groups.size(), "pixels": groups["pixels"].sum(), "objects": groups["objects"].sum()}
    ).reindex(list(wanted), fill_value=0)
    kinds = dict.fromkeys(label_set.void_ids, "void") | dict.fromkeys(label_set.unknown_ids, "unknown")
    table.insert(0, "label id", list(wanted))
    table.insert(1, "is", [kinds.get(i, "known") for i in wanted])
    table.index = pd.Index([label_set.label_name(i) for i in wanted], name="class")
    return table
