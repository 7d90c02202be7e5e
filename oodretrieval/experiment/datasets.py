"""Datasets by the names of their entries, as the command line narrows them down."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from oodretrieval.datasets import SegmentationDataset, open_dataset, subset_by_index
from oodretrieval.experiment.configuration import Configuration
from oodretrieval.experiment.settings import CommonSettings


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
