"""Further classes for a network, from what was named in the explorer and exported."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from oodretrieval.datasets import (
    ExportedLabels,
    NewClasses,
    SegmentationDataset,
    join_datasets,
    subset_by_index,
)
from oodretrieval.entries import ModelEntry
from oodretrieval.errors import DatasetError, SettingsError

HELD_OUT = 5
"""Of as many exported images one is not learned from: the best epoch is chosen by it, too."""


@dataclass(frozen=True, eq=False)
class FurtherClasses:
    """Datasets to learn more classes from.

    Attributes:
        train: The training data, with exported images after them.
        validation: The validation data, likewise.
        names: The further classes, in the order of their ids.
    """

    train: SegmentationDataset
    validation: SegmentationDataset
    names: tuple[str, ...]

    @classmethod
    def of(
        cls, exports: Sequence[str], train: SegmentationDataset, validation: SegmentationDataset
    ) -> "FurtherClasses":
        """Add exports to training and validation data.

        The exported images are repeated until they are a third of all, as they are few.

        Args:
            exports: Folders that scripts/export.py wrote.
            train: Data to learn from, with truth.
            validation: Data to choose the best epoch by, with truth.

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
        wide_train, wide_validation = NewClasses(train, named), NewClasses(validation, named)
        learned: dict[str, SegmentationDataset] = {"": wide_train}
        held_out: dict[str, SegmentationDataset] = {"": wide_validation}
        for number, folder in enumerate(exports):
            whole = ExportedLabels(folder, wide_train.label_set.pred_mapping)  # type: ignore[union-attr]
            places = np.arange(len(whole))
            kept = places % HELD_OUT == HELD_OUT - 1
            held_out |= (
                {f"export {number}": subset_by_index(whole, places[kept].tolist())} if kept.any() else {}
            )
            part = subset_by_index(whole, places[~kept].tolist())
            times = max(1, round(len(train) / (2 * max(1, len(part)) * len(exports))))
            learned |= {f"export {number}.{again}": part for again in range(times)}
        return cls(join_datasets(learned), join_datasets(held_out), tuple(named))


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
