"""Several datasets one after the other, over one set of predicted classes.

An entry of ``configuration.py``, over the entries of datasets whose predicted classes are the same::

    "roads_train": DatasetEntry(
        "oodretrieval.datasets.joined",
        "join_datasets",
        {"datasets": {"camvid": DATASETS["camvid_train_roads"], "idd_lite": DATASETS["idd_lite_train"]}},
    )
"""

from bisect import bisect_right
from collections.abc import Mapping
from itertools import accumulate
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from oodretrieval.datasets.sample import LabelTables, Sample, SegmentationDataset, files_at
from oodretrieval.datasets.subset import opened, read_labels_at
from oodretrieval.entries import DatasetEntry
from oodretrieval.errors import ConfigurationError, DatasetError
from oodretrieval.labels import LabelSet


class JoinedDataset(LabelTables, Dataset[Sample]):
    """The samples of several datasets; ids get the name of the part in front, label ids move up part by part.

    Label ids of the first part stay, those of each further part begin after the largest of the part before; names and
    colours stay. The predicted ids are the same for all.

    Args:
        parts: Name → dataset with truth; at least one.

    Raises:
        ConfigurationError: If there is no part, the predicted classes differ, or ids of labels end above 65535.
        DatasetError: If a part has no truth.
    """

    pred_class_selection = None

    def __init__(self, parts: Mapping[str, SegmentationDataset]) -> None:
        if not parts:
            raise ConfigurationError("at least one dataset is needed to join; name it in `datasets`")
        self.parts = dict(parts)
        sets = {name: _truth_of(part, name) for name, part in parts.items()}
        first = next(iter(sets))
        for name, labels in sets.items():
            if labels.pred_mapping != sets[first].pred_mapping:
                raise ConfigurationError(
                    f"joined datasets need the same predicted classes; {first!r} has "
                    f"{_class_names(sets[first])}, {name!r} has {_class_names(labels)}"
                )
        self.offsets = [0, *accumulate(max(labels.label_mapping) + 1 for labels in sets.values())]
        if self.offsets[-1] > np.iinfo(np.uint16).max:
            raise ConfigurationError(
                f"label ids of joined datasets must end at 65535, these end at {self.offsets[-1]}"
            )
        self.starts = [0, *accumulate(len(part) for part in parts.values())]
        self.label_set: LabelSet = _joined_labels(dict(zip(self.offsets, sets.values(), strict=False)))

    @property
    def ids(self) -> list[str]:
        """``<name of the part>/<id in it>`` of every sample, in order."""
        return [f"{name}/{key}" for name, part in self.parts.items() for key in part.ids]

    @property
    def video(self) -> bool:
        """Whether neighbouring samples of some part are frames of one video."""
        return any(getattr(part, "video", False) for part in self.parts.values())

    def __len__(self) -> int:
        return self.starts[-1]

    def __getitem__(self, index: int) -> Sample:
        number, name, place = self._place(index)
        sample = self.parts[name][place]
        return sample._replace(labels=self._moved(sample.labels, number), id=f"{name}/{sample.id}")

    def labels_at(self, index: int) -> NDArray[np.unsignedinteger] | None:
        """Label ids of one sample, without reading its image where the part can.

        Args:
            index: Place of the sample in the joined dataset.

        Returns:
            ``(H, W)``; None without truth.
        """
        number, name, place = self._place(index)
        return self._moved(read_labels_at(self.parts[name], place), number)

    def files_at(self, index: int) -> list[Path]:
        """The files that one sample is read from, as :func:`~oodretrieval.datasets.sample.files_at`.

        Args:
            index: Place of the sample in the joined dataset.

        Returns:
            The image first; nothing where they are not known.
        """
        _, name, place = self._place(index)
        return files_at(self.parts[name], place)

    def _place(self, index: int) -> tuple[int, str, int]:
        """Number and name of the part, and the index in it."""
        if not 0 <= index < len(self):
            raise IndexError(f"index {index} of {len(self)} samples")
        number = bisect_right(self.starts, index) - 1
        return number, list(self.parts)[number], index - self.starts[number]

    def _moved(
        self, labels: NDArray[np.unsignedinteger] | None, number: int
    ) -> NDArray[np.unsignedinteger] | None:
        if labels is None or number == 0:
            return labels
        return labels.astype(np.uint16) + np.uint16(self.offsets[number])


def join_datasets(datasets: Mapping[str, SegmentationDataset | DatasetEntry]) -> JoinedDataset:
    """Several datasets as one.

    Args:
        datasets: Name → a dataset with truth, or the entry of one. The name stands in front of its samples' ids.

    Returns:
        Their samples one after the other.

    Raises:
        ConfigurationError: If there is none, or their predicted classes differ.
        DatasetError: If one has no truth.
    """
    return JoinedDataset({name: opened(dataset, None) for name, dataset in datasets.items()})


def _truth_of(part: SegmentationDataset, name: str) -> LabelSet:
    if part.label_set is None:
        raise DatasetError(f"only datasets with truth can be joined; {name!r} has none")
    return part.label_set


def _class_names(labels: LabelSet) -> str:
    return ", ".join(name for name, _ in labels.pred_mapping.values())


def _joined_labels(sets: Mapping[int, LabelSet]) -> LabelSet:
    """One table of all, label ids moved up by each set's key."""
    return LabelSet(
        label_mapping={
            label + offset: shown
            for offset, part in sets.items()
            for label, shown in part.label_mapping.items()
        },
        pred_mapping=next(iter(sets.values())).pred_mapping,
        label_to_pred={
            label + offset: predicted
            for offset, part in sets.items()
            for label, predicted in part.label_to_pred.items()
        },
        void_ids=frozenset(label + offset for offset, part in sets.items() for label in part.void_ids),
    )
