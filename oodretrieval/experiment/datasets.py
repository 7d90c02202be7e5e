"""Datasets by the names of their entries, as the command line narrows them down."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from oodretrieval.datasets import SegmentationDataset, open_dataset, subset_by_index
from oodretrieval.errors import TableError, UnknownNameError
from oodretrieval.experiment.configuration import Configuration
from oodretrieval.experiment.settings import CommonSettings
from oodretrieval.labels import LabelSet
from oodretrieval.results.rules import no_truth


def dataset_in_use(configuration: Configuration, name: str, common: CommonSettings) -> SegmentationDataset:
    """Open a dataset by name, with ``args.root`` and ``args.limit`` applied.

    Args:
        configuration: Where the name is looked up.
        name: Of the entry.
        common: ``root`` and ``limit``.

    Returns:
        The dataset.

    Raises:
        UnknownNameError: If there is no such entry.
        DatasetError: If it cannot be opened.
    """
    root = Path(common.root).expanduser().resolve() if common.root else None
    dataset = open_dataset(configuration.dataset(name), name, root)
    if common.limit and common.limit < len(dataset):
        return subset_by_index(dataset, range(common.limit))
    return dataset


def require_truth(dataset: SegmentationDataset, name: str) -> LabelSet:
    """The labels of a dataset that cannot do without.

    Args:
        dataset: The dataset.
        name: Of its entry.

    Returns:
        Its labels.

    Raises:
        TableError: If it has none.
    """
    if dataset.label_set is None:
        raise TableError(no_truth(name))
    return dataset.label_set


def require_images(dataset: SegmentationDataset, name: str, images: Sequence[str]) -> None:
    """Refuse images that a dataset does not have.

    Args:
        dataset: The dataset.
        name: Of its entry.
        images: Ids asked for.

    Raises:
        UnknownNameError: If it lacks one.
    """
    ids = dataset.ids
    for image in images:
        if image not in ids:
            raise UnknownNameError(f"image of {name}", image, ids)


def dataset_arguments(configuration: Configuration, name: str, common: CommonSettings) -> dict[str, str]:
    """What a dataset is built with, as texts; folders as absolute paths.

    Args:
        configuration: Where the name is looked up.
        name: Of the entry.
        common: ``root``.

    Returns:
        Name of an argument → its value.
    """
    arguments = {**configuration.dataset(name).kwargs}
    if common.root:
        arguments["root"] = common.root
    if "root" in arguments:
        arguments["root"] = Path(arguments["root"]).expanduser().resolve()
    return as_texts(arguments)


def as_texts(arguments: Mapping[str, Any]) -> dict[str, str]:
    """Arguments of an entry as they are noted in work, in the order of their names.

    Args:
        arguments: Name → value.

    Returns:
        Name → text.
    """
    return {key: str(value) for key, value in sorted(arguments.items())}
