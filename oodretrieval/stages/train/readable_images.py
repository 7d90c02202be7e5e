"""The images of a dataset that can be read: a training learns from these, and names the others."""

import logging

from oodretrieval.datasets import subset_by_index
from oodretrieval.datasets.sample import SegmentationDataset
from oodretrieval.errors import ImageError
from oodretrieval.execution import progress
from oodretrieval.experiment.stage_failures import StageFailures

logger = logging.getLogger(__name__)


def readable_images(
    dataset: SegmentationDataset, name: str, failing: StageFailures | None
) -> SegmentationDataset:
    """Read every image once, before epochs are spent on them.

    Args:
        dataset: Images with truth.
        name: Its name.
        failing: Gets those that cannot be read; None where another process notes them.

    Returns:
        The dataset without these; itself where there are none.
    """
    failures: dict[str, str] = {}
    kept: list[int] = []
    for index, image in enumerate(progress(dataset.ids, f"reading {name}", unit="image")):
        try:
            dataset[index]
        except ImageError as error:
            failures[image] = str(error)
        else:
            kept.append(index)
    if failing is not None:
        failing.skipped(name, dataset, dataset.ids)
        failing.add(name, failures)
    if not failures:
        return dataset
    logger.warning("%d of %d images of %s cannot be read and are left out", len(failures), len(dataset), name)
    return subset_by_index(dataset, kept)
