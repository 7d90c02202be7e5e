"""What the predicted ids of a network are called, and whether a dataset calls them so."""

import numpy as np

from oodretrieval.datasets import SegmentationDataset
from oodretrieval.entries import ModelEntry
from oodretrieval.errors import ConfigurationError
from oodretrieval.labels import ClassMapping, background_in_front
from oodretrieval.models import read_metadata, weights_in_use
from oodretrieval.plain_classes import classes_of
from oodretrieval.stores import Stored


def predicted_classes(entry: ModelEntry, dataset: SegmentationDataset, num_classes: int) -> ClassMapping:
    """Names and colours of the predicted ids, from whoever knows them.

    Args:
        entry: The network, whose weights may carry its classes.
        dataset: A dataset, which knows them where it has truth of classes.
        num_classes: C, for networks and datasets that know nothing.

    Returns:
        Predicted id → (name, colour).
    """
    if dataset.label_set is not None and dataset.label_set.pred_mapping:
        return dataset.label_set.pred_mapping
    if noted := _noted_classes(entry):
        return noted
    greys = np.linspace(0, 255, max(num_classes, 2)).astype(int).tolist()
    return {i: (f"class {i}", (greys[i], greys[i], greys[i])) for i in range(num_classes)}


def require_same_classes(entry: ModelEntry, dataset: SegmentationDataset, names: Stored) -> None:
    """Refuse a dataset by whose numbers a network's classes are others, as far as the weights name them.

    Args:
        entry: The network.
        dataset: What it is to predict; one without truth of classes goes with any network.
        names: Of both.

    Raises:
        ConfigurationError: If a class of the network has another number in the dataset.
    """
    if dataset.label_set is None or not dataset.label_set.num_classes:
        return
    numbers = {name: number for number, (name, _) in dataset.label_set.pred_mapping.items()}
    for number, (name, _) in _noted_classes(entry).items():
        if numbers.get(name, number) != number:
            raise ConfigurationError(
                f"class {number} of the network {names.model!r} is {name!r}, which is number {numbers[name]} in the "
                f"pred_mapping of the dataset {names.dataset!r}; choose a network for this dataset (args.model_name), "
                "or a dataset entry made for this network"
            )


def _noted_classes(entry: ModelEntry) -> ClassMapping:
    """The classes that a network's weights carry; empty if they carry none."""
    weights = entry.weights or weights_in_use(entry)
    metadata = read_metadata(weights) if weights is not None else {}
    if not (noted := metadata.get("classes")):
        return {}
    classes = classes_of(noted)
    if entry.implicit_background == bool(metadata.get("implicit_background")):
        return classes
    added = entry.implicit_background  # to weights trained without it, or else the other way round
    return background_in_front(classes) if added else {i - 1: shown for i, shown in classes.items() if i}
