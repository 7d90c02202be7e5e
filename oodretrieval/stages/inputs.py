"""What several stages start from: the dataset in use, its blocks of images, and what identifies the work."""

from collections.abc import Iterator, Mapping, Sequence, Set
from functools import partial
from inspect import isclass
from pathlib import Path
from typing import Any

from torch import nn

from oodretrieval.datasets import SegmentationDataset, open_dataset, subset_by_index
from oodretrieval.entries import MetaModelEntry, ModelEntry, build, factory_of
from oodretrieval.errors import SettingsError, TableError
from oodretrieval.meta_models import MetaModel, load_meta_model
from oodretrieval.models import weights_file, weights_hash
from oodretrieval.stages.configuration import Configuration
from oodretrieval.stages.settings import CommonSettings
from oodretrieval.stores import Workspace

BLOCK = 64
"""Images in one part of a segment table or catalogue."""


def dataset_in_use(settings: CommonSettings, configuration: Configuration, name: str) -> SegmentationDataset:
    """Open a dataset by name, with ``args.root`` and ``args.limit`` applied.

    Raises:
        UnknownNameError: If there is no such entry.
        DatasetError: If it cannot be opened.
        SettingsError: If ``limit`` is negative.
    """
    if settings.limit < 0:
        raise SettingsError(f"args.limit must be 0 (all) or a number of images, came {settings.limit}")
    dataset = open_dataset(configuration.dataset(name), name, settings.root or None)
    if settings.limit and settings.limit < len(dataset):
        return subset_by_index(dataset, range(settings.limit))
    return dataset


def provenance(
    settings: CommonSettings, configuration: Configuration, model_name: str, dataset_name: str
) -> dict[str, Any]:
    """What identifies the predictions of a network on a dataset: work made by anything else is refused."""
    entry = configuration.model(model_name)
    arguments = {**configuration.dataset(dataset_name).kwargs}
    if settings.root:
        arguments["root"] = settings.root
    return {
        "model": model_name,
        "weights": hash_of(entry),
        "model_arguments": _texts({**entry.kwargs, "mean": entry.mean, "std": entry.std}),
        "dataset": dataset_name,
        "dataset_arguments": _texts(arguments),
    }


def _texts(arguments: Mapping[str, Any]) -> dict[str, str]:
    return {key: str(value) for key, value in sorted(arguments.items())}


def hash_of(entry: ModelEntry) -> str:
    """Hash of the weights file; empty for a class that brings its own.

    Raises:
        WeightsError: If the file is missing.
    """
    path = weights_file(entry)
    return "" if path is None else weights_hash(path)


def blocks(count: int) -> Iterator[tuple[int, range]]:
    """Numbered blocks of indices: (0, 0…63), (1, 64…127), …."""
    for number, start in enumerate(range(0, count, BLOCK)):
        yield number, range(start, min(start + BLOCK, count))


def outstanding(block: Sequence[str], wanted: Set[str], done: Set[str], overwrite: bool) -> list[str]:
    """Images that a part of the segment table must be written with, in the order of the block.

    Args:
        block: Ids of the images of the block.
        wanted: Ids asked for.
        done: Ids that the part holds already; they stay in it.
        overwrite: Write anew what is there.

    Returns:
        Ids; none if the part holds all that is wanted.

    Example:
        >>> outstanding(["a", "b", "c"], {"c"}, {"a"}, overwrite=False)
        ['a', 'c']
        >>> outstanding(["a", "b", "c"], {"a"}, {"a", "b"}, overwrite=False)
        []
    """
    asked = {image for image in block if image in wanted}
    if asked <= done and not (overwrite and asked):
        return []
    return [image for image in block if image in asked | done]


def meta_model_path(entry: MetaModelEntry, name: str, workspace: Workspace) -> Path:
    """Where a meta model is read from and saved to: its entry's path, else the workspace."""
    return Path(entry.path) if entry.path is not None else workspace.meta_model_path(name)


def open_meta_model(entry: MetaModelEntry, name: str, workspace: Workspace, model_name: str) -> MetaModel:
    """Load a trained meta model for the segments of a network.

    Args:
        entry: The meta model's entry.
        name: Its name.
        workspace: Where it lies if its entry has no path.
        model_name: Name of the segmentation network whose segments it shall judge.

    Returns:
        The trained model.

    Raises:
        ConfigurationError: If the entry's class cannot be found.
        WeightsError: If it is not trained yet, or its file is damaged.
        TableError: If it was trained for another network.
    """
    factory = factory_of(entry)
    path = meta_model_path(entry, name, workspace)
    plain_network = isclass(factory) and issubclass(factory, nn.Module)
    model = load_meta_model(path, network=partial(build, entry)) if plain_network else load_meta_model(path)
    trained_for = model.quality.get("made_by", {}).get("model", model_name)
    if trained_for != model_name:
        raise TableError(
            f"{path} was trained on segments of {trained_for!r}, not of {model_name!r}; train one for it with "
            f"scripts/train_meta_nn.py with args.model_name={model_name}, or choose another args.meta_model_name"
        )
    return model
