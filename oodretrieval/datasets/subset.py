"""Parts of a dataset: by index, by class, by a list of ids.

Each function takes a dataset, or the entry of one, so that a part can be an entry of ``configuration.py``
itself (and a part of a part too); ``args.root`` reaches the dataset inside::

    "cityscapes_riders": DatasetEntry(
        "oodretrieval.datasets.subset",
        "subset_by_class",
        {"dataset": DatasetEntry("oodretrieval.datasets.cityscapes", "Cityscapes", {"root": root}),
         "classes": ("rider",)},
    )
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from oodretrieval.datasets.adapt import open_dataset
from oodretrieval.datasets.sample import LabelTables, Sample, SegmentationDataset, files_at
from oodretrieval.entries import DatasetEntry
from oodretrieval.errors import ConfigurationError, DatasetError, DatasetNotFoundError, UnknownNameError
from oodretrieval.labels import LabelSet
from oodretrieval.places import places_of


class Subset(LabelTables, Dataset[Sample]):
    """Some samples of a dataset, in a given order; ids and label tables are those of the dataset.

    Args:
        dataset: The whole.
        indices: Which samples, each once; may be empty.

    Raises:
        ConfigurationError: If an index is outside the dataset or comes twice.
    """

    def __init__(self, dataset: SegmentationDataset, indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.label_set = dataset.label_set
        self.indices = [int(index) for index in indices]
        outside = [index for index in self.indices if not 0 <= index < len(dataset)]
        if outside:
            raise ConfigurationError(
                f"indices of a subset must lie in 0 … {len(dataset) - 1}; "
                f"{len(outside)} do not, e.g. {outside[0]}"
            )
        twice = [index for index, n in Counter(self.indices).items() if n > 1]
        if twice:
            raise ConfigurationError(f"indices of a subset must differ; {twice[0]} comes more than once")
        whole = dataset.ids
        self._ids = [whole[index] for index in self.indices]

    @property
    def ids(self) -> list[str]:
        """Id of every sample, in order."""
        return list(self._ids)

    @property
    def pred_class_selection(self) -> Sequence[int] | None:
        """Predicted ids worth inspecting; None for all."""
        selection: Sequence[int] | None = getattr(self.dataset, "pred_class_selection", None)
        return selection

    @property
    def video(self) -> bool:
        """Whether neighbouring samples are frames of one video."""
        return bool(getattr(self.dataset, "video", False))

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Sample:
        return self.dataset[self.indices[index]]

    def labels_at(self, index: int) -> NDArray[np.unsignedinteger] | None:
        """Label ids of one sample, without reading its image where the dataset can.

        Args:
            index: Place of the sample in the subset.

        Returns:
            ``(H, W)``; None without truth.
        """
        return read_labels_at(self.dataset, self.indices[index])

    def files_at(self, index: int) -> list[Path]:
        """The files that one sample is read from, as :func:`~oodretrieval.datasets.sample.files_at`.

        Args:
            index: Place of the sample in the subset.

        Returns:
            The image first; nothing where they are not known.
        """
        return files_at(self.dataset, self.indices[index])


def read_labels_at(dataset: SegmentationDataset, index: int) -> NDArray[np.unsignedinteger] | None:
    """Label ids of one sample, by ``labels_at`` where the dataset has it, else by the sample.

    Args:
        dataset: Where the sample is.
        index: Its place.

    Returns:
        ``(H, W)``; None without truth.
    """
    reader = getattr(dataset, "labels_at", None)
    labels: NDArray[np.unsignedinteger] | None = dataset[index].labels if reader is None else reader(index)
    return labels


def subset_by_index(
    dataset: SegmentationDataset | DatasetEntry, indices: Sequence[int], root: str | Path | None = None
) -> Subset:
    """The samples at these positions, in this order.

    Args:
        dataset: A dataset, or the entry of one.
        indices: Positions, counted from 0, each once.
        root: Overrides the root of the entry.

    Returns:
        The subset.

    Raises:
        ConfigurationError: If an index is outside the dataset or comes twice.
    """
    return Subset(opened(dataset, root), indices)


def subset_by_class(
    dataset: SegmentationDataset | DatasetEntry,
    classes: Sequence[str | int] | str | int,
    min_pixels: int = 1,
    root: str | Path | None = None,
) -> Subset:
    """The samples that show at least one of these classes, in order of the dataset.

    Reads the labels of the whole dataset once, but no image where the dataset offers ``labels_at``.

    Args:
        dataset: A dataset with truth, or the entry of one.
        classes: Names of labels or label ids, or one of them. A name that several ids carry means them all.
        min_pixels: How many pixels of these classes together a sample needs.
        root: Overrides the root of the entry.

    Returns:
        The subset.

    Raises:
        DatasetError: If the dataset is without truth.
        UnknownNameError: If a name or an id is none of its labels.
        DatasetNotFoundError: If no sample shows these classes.
    """
    whole = opened(dataset, root)
    label_set = whole.label_set
    if label_set is None:
        raise DatasetError(
            "a subset by class needs truth, but this dataset has none; choose one by index or by file list"
        )
    wanted = [classes] if isinstance(classes, str | int) else list(classes)
    ids = [label for name in wanted for label in label_ids(name, label_set)]
    kept = [index for index in range(len(whole)) if _count(whole, index, ids) >= max(1, min_pixels)]
    if not kept:
        names = ", ".join(str(name) for name in wanted) or "no class"
        raise DatasetNotFoundError(
            f"none of {len(whole)} images has {max(1, min_pixels)} pixel(s) of {names}; choose other classes"
        )
    return Subset(whole, kept)


def subset_by_file_list(
    dataset: SegmentationDataset | DatasetEntry, path: str | Path, root: str | Path | None = None
) -> Subset:
    """The samples whose ids a text file lists, in order of the file.

    Args:
        dataset: A dataset, or the entry of one.
        path: UTF-8 text, one id a line; blank lines are skipped, and so is what follows a ``#`` at the
            beginning of a line or after a space.
        root: Overrides the root of the entry.

    Returns:
        The subset.

    Raises:
        DatasetNotFoundError: If the file is missing, or lists nothing.
        DatasetError: If it lists ids that the dataset lacks, or one twice.
    """
    whole = opened(dataset, root)
    try:
        lines = Path(path).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DatasetNotFoundError(f"cannot read the list of ids {str(path)!r} ({error})") from error
    position = places_of(whole.ids)
    # An id may itself hold " #": only what is no id as it stands is searched for a comment.
    stripped = [line.strip() for line in lines]
    listed = [line if line in position else re.sub(r"(^|\s+)#.*", "", line) for line in stripped]
    listed = [key for key in listed if key]
    if not listed:
        raise DatasetNotFoundError(f"{str(path)!r} lists no id; write one id a line")
    unknown = [key for key in listed if key not in position]
    if unknown:
        close = get_close_matches(unknown[0], position, n=1) or list(position)[:1]
        raise DatasetError(
            f"{str(path)!r} lists {len(unknown)} id(s) that the dataset lacks: {', '.join(unknown[:10])}"
            f"{' …' if len(unknown) > 10 else ''}; an id looks like {close[0] if close else '(none)'}"
        )
    twice = [key for key, n in Counter(listed).items() if n > 1]
    if twice:
        raise DatasetError(f"{str(path)!r} lists {twice[0]!r} more than once; remove the repetition")
    return Subset(whole, [position[key] for key in listed])


class Relabelled(Subset):
    """All samples of a dataset whose labels, which stay as they are, mean something else.

    Args:
        dataset: A dataset with truth.
        meaning: What the labels meant → what they mean.
        purpose: What only labels can, for the message.

    Raises:
        DatasetError: If the dataset has no truth.
    """

    def __init__(
        self, dataset: SegmentationDataset, meaning: Callable[[LabelSet], LabelSet], purpose: str
    ) -> None:
        if dataset.label_set is None:
            raise DatasetError(f"only labels can {purpose}, and this dataset has none; use it as it is")
        super().__init__(dataset, range(len(dataset)))
        self.label_set = meaning(dataset.label_set)


def opened(dataset: SegmentationDataset | DatasetEntry, root: str | Path | None) -> SegmentationDataset:
    """The dataset itself, or that of its entry with another root.

    Args:
        dataset: A dataset, or the entry of one.
        root: Folder that takes the place of the entry's; None keeps the entry's.

    Returns:
        The dataset, opened where an entry was given.

    Raises:
        ConfigurationError: If a root is given for a built dataset.
    """
    if isinstance(dataset, DatasetEntry):
        return open_dataset(dataset, root=root)
    if root is not None:
        raise ConfigurationError(
            "`root` can only reach a dataset that is given as a DatasetEntry, not a built one"
        )
    return dataset


def label_ids(name: str | int, label_set: LabelSet) -> list[int]:
    """Label ids of a class by its name, which several may carry, or by its id.

    Args:
        name: Name or label id of the class.
        label_set: What the labels mean.

    Returns:
        Label ids, at least one.

    Raises:
        UnknownNameError: If there is no such class.
    """
    mapping = label_set.label_mapping
    ids = [label for label, (known, _) in mapping.items() if name in (label, known)]
    if not ids:
        raise UnknownNameError(
            "label", str(name), [f"{known} ({label})" for label, (known, _) in mapping.items()]
        )
    return ids


def _count(dataset: SegmentationDataset, index: int, ids: Sequence[int]) -> int:
    labels = read_labels_at(dataset, index)
    return 0 if labels is None else int(np.isin(labels, ids, kind="table").sum())
