"""What the predicted ids of a network are called."""

import numpy as np

from oodretrieval.datasets import SegmentationDataset
from oodretrieval.entries import ModelEntry
from oodretrieval.labels import ClassMapping, background_in_front
from oodretrieval.models import read_metadata, weights_in_use
from oodretrieval.plain_classes import classes_of


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
    weights = entry.weights or weights_in_use(entry)
    metadata = read_metadata(weights) if weights is not None else {}
    if noted := metadata.get("classes"):
        classes = classes_of(noted)
        if entry.implicit_background == bool(metadata.get("implicit_background")):
            return classes
        added = entry.implicit_background  # to weights trained without it, or else the other way round
        return background_in_front(classes) if added else {i - 1: shown for i, shown in classes.items() if i}
    greys = np.linspace(0, 255, max(num_classes, 2)).astype(int).tolist()
    return {i: (f"class {i}", (greys[i], greys[i], greys[i])) for i in range(num_classes)}
