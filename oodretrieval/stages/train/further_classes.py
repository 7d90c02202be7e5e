"""Further classes for a network, from what was named in the explorer and exported."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oodretrieval.datasets import (
    ExportedLabels,
    SegmentationDataset,
    join_datasets,
    subset_by_index,
    with_new_classes,
)
from oodretrieval.datasets.transforms import image_tensor
from oodretrieval.entries import ModelEntry
from oodretrieval.errors import DatasetError, SettingsError
from oodretrieval.execution import progress
from oodretrieval.stages.train.sure_labels import SureLabels
from oodretrieval.training import fit_new_rows, last_layer, sampled_features

logger = logging.getLogger(__name__)

HELD_OUT = 5
"""Of as many exported images one is not learned from: the best epoch is chosen by it, too."""
OTHERS = 24
"""Training images without the new classes that these are distinguished from before the training."""


@dataclass(frozen=True, eq=False)
class FurtherClasses:
    """Datasets to learn more classes from.

    Attributes:
        train: The training data, with exported images after them.
        validation: The validation data, likewise.
        names: The further classes, in the order of their ids.
        examples: Exported images that are learned from, once each, and some of the training data.
    """

    train: SegmentationDataset
    validation: SegmentationDataset
    names: tuple[str, ...]
    examples: SegmentationDataset

    @classmethod
    def of(
        cls,
        exports: Sequence[str],
        train: SegmentationDataset,
        validation: SegmentationDataset,
        entry: ModelEntry,
        sure: float,
        device: torch.device,
    ) -> "FurtherClasses":
        """Add exports to training and validation data.

        The exported images are repeated until they are a third of all, as they are few. What nobody named teaches
        there, too, as what the network predicted, where it is sure of it.

        Args:
            exports: Folders that scripts/export.py wrote.
            train: Data to learn from, with truth.
            validation: Data to choose the best epoch by, with truth.
            entry: Of the network that predicted the exported images.
            sure: Probability from which on it is sure of what nobody named.
            device: Where it computes.

        Returns:
            Both, with the further classes.

        Raises:
            DatasetError: If a folder holds no exported label images, or nothing new.
        """
        named: dict[str, tuple[int, int, int]] = {}
        for folder in exports:
            named |= ExportedLabels(folder).new_classes
        if not named:
            raise DatasetError(f"nothing in {', '.join(exports)} is new to the network; tag something else")
        wide_train, wide_validation = with_new_classes(train, named), with_new_classes(validation, named)
        learned: dict[str, SegmentationDataset] = {"": wide_train}
        held_out: dict[str, SegmentationDataset] = {"": wide_validation}
        some = np.unique(np.linspace(0, len(train) - 1, min(OTHERS, len(train))).astype(int))
        examples: dict[str, SegmentationDataset] = {"": subset_by_index(wide_train, some.tolist())}
        for number, folder in enumerate(exports):
            exported = ExportedLabels(folder, wide_train.label_set.pred_mapping)  # type: ignore[union-attr]
            whole = SureLabels(exported, entry, sure, device)
            places = np.arange(len(whole))
            kept = places % HELD_OUT == HELD_OUT - 1
            held_out |= (
                {f"export {number}": subset_by_index(whole, places[kept].tolist())} if kept.any() else {}
            )
            part = subset_by_index(whole, places[~kept].tolist())
            times = max(1, round(len(train) / (2 * max(1, len(part)) * len(exports))))
            examples |= {f"export {number}": part}
            learned |= {f"export {number}.{again}": part for again in range(times)}
        return cls(join_datasets(learned), join_datasets(held_out), tuple(named), join_datasets(examples))


def widened_entry(entry: ModelEntry, classes: int) -> ModelEntry:
    """The entry of the same network with more classes.

    Args:
        entry: Of the network.
        classes: How many it shall have.

    Returns:
        An entry without weights; its number of classes is corrected where it names one.
    """
    kwargs = {**entry.kwargs}
    if "num_classes" in kwargs:
        kwargs["num_classes"] = classes - entry.implicit_background
    return replace(entry, kwargs=kwargs, weights=None)


def require_another_file(entry: ModelEntry, save_file: str) -> Path:
    """The weights that a network with further classes starts from.

    Args:
        entry: Of the network as it is.
        save_file: Where the new weights are to go.

    Returns:
        Its weights.

    Raises:
        SettingsError: If it has none, or they would be overwritten.
    """
    if entry.weights is None or not Path(entry.weights).is_file():
        raise SettingsError("further classes need a trained network; train it first, without args.exports")
    if not save_file or Path(save_file).expanduser().resolve() == Path(entry.weights).resolve():
        raise SettingsError("name another file for the network with further classes: args.save_file")
    return Path(entry.weights)


def begin_new_classes(
    network: nn.Module,
    widened: Sequence[str],
    further: FurtherClasses,
    entry: ModelEntry,
    device: torch.device,
    power: float,
) -> None:
    """Let a network know its new classes by the features that it has, before it is trained.

    A network whose last layer is none that maps features to classes pixel by pixel begins at random instead.

    Args:
        network: With the rows of the new classes; they are changed.
        widened: Keys of the tensors that have these rows.
        further: The classes, and images to learn them from.
        entry: Of the network.
        device: Where to compute; the network is left there.
        power: 0 weighs pixels alike, 1 classes.
    """
    layer = last_layer(network, widened)
    label_set = further.examples.label_set
    if layer is None or label_set is None or layer.out_channels != label_set.num_classes:
        logger.info("the last layer is none that can be fitted; the new classes begin at random")
        return
    training = network.training
    network.to(device).eval()
    found = sampled_features(network, layer, _images(further.examples, entry, device))
    fit_new_rows(layer, layer.out_channels - len(further.names), *found, power)
    network.train(training)


def _images(
    dataset: SegmentationDataset, entry: ModelEntry, device: torch.device
) -> Iterator[tuple[Tensor, NDArray[np.integer]]]:
    label_set = dataset.label_set
    for index in progress(range(len(dataset)), "looking at the new classes"):
        sample = dataset[index]
        if sample.labels is not None and label_set is not None:
            image = image_tensor(sample.image, entry.mean, entry.std)
            yield image.to(device), label_set.to_predicted(sample.labels)
