"""What every dataset yields, and the base class of those that read image and label files."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from oodretrieval.errors import DatasetError, DatasetNotFoundError, ImageError, UnpairedFilesError
from oodretrieval.images import read_image, read_label_image
from oodretrieval.labels import ClassMapping, LabelSet


class Sample(NamedTuple):
    """One image of a dataset.

    Attributes:
        image: RGB, ``(H, W, 3)`` uint8.
        labels: Label ids, ``(H, W)`` of any integer type that holds them (0…65535), or None where there is no
            truth.
        path: The image file, or a name for an image that comes from none.
        id: Stable text, unique in the dataset; may contain ``/``.
    """

    image: NDArray[np.uint8]
    labels: NDArray[np.unsignedinteger] | None
    path: str
    id: str


@runtime_checkable
class SegmentationDataset(Protocol):
    """A map-style dataset: ``len``, ``dataset[i]`` → :class:`Sample`, ``ids`` and the label tables.

    ``label_set`` is None where there is no truth. ``ids[i]`` equals ``dataset[i].id`` without reading the
    image. A dataset that can read labels without images also offers ``labels_at(index)``; one that knows the files
    of a sample, ``files_at(index)``; one whose neighbouring samples are frames of a video has ``video = True``.
    """

    @property
    def ids(self) -> Sequence[str]:
        """Id of every sample, in order, without reading an image."""
        ...

    @property
    def label_set(self) -> LabelSet | None:
        """Tables of the labels; None without truth."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...


class FileItem(NamedTuple):
    """Files of one sample.

    Attributes:
        id: Unique in the dataset.
        image: Image file.
        labels: Label file, or None.
    """

    id: str
    image: Path
    labels: Path | None


class LabelTables:
    """The tables of a dataset's labels one by one, next to ``label_set``, which holds them all.

    Attributes:
        label_set: Tables of the labels; None without truth.
    """

    label_set: LabelSet | None

    @property
    def label_mapping(self) -> ClassMapping:
        """Label id → (name, colour); empty without truth."""
        return self.label_set.label_mapping if self.label_set else {}

    @property
    def pred_mapping(self) -> ClassMapping:
        """Predicted id → (name, colour); empty without truth."""
        return self.label_set.pred_mapping if self.label_set else {}

    @property
    def label_to_pred(self) -> dict[int, int]:
        """Label id → predicted id or 255; empty without truth."""
        return dict(self.label_set.label_to_pred) if self.label_set else {}

    @property
    def void_ids(self) -> frozenset[int]:
        """Label ids that mean nothing."""
        return self.label_set.void_ids if self.label_set else frozenset()


class FileDataset(LabelTables, Dataset[Sample]):
    """Samples read from image files and, where there is truth, label files.

    Args:
        items: The files, in order.
        label_set: Tables of the labels; None without truth.
        pred_class_selection: Predicted ids worth inspecting; None for all.

    Raises:
        UnpairedFilesError: If two items have the same id.

    Attributes:
        video: Whether neighbouring samples are frames of one video and resemble each other; intervals are then
            resampled in blocks of frames.
    """

    video = False

    def __init__(
        self,
        items: Sequence[FileItem],
        label_set: LabelSet | None,
        pred_class_selection: Sequence[int] | None = None,
    ) -> None:
        require_unique(items)
        self.items = list(items)
        self.label_set = label_set
        self.pred_class_selection = pred_class_selection

    @property
    def ids(self) -> list[str]:
        """Id of every sample, in order."""
        return [item.id for item in self.items]

    def __len__(self) -> int:
        return len(self.items)

    def labels_at(self, index: int) -> NDArray[np.unsignedinteger] | None:
        """Label ids of one sample, without reading its image.

        Args:
            index: Place of the sample in the dataset.

        Returns:
            ``(H, W)``; None without truth.

        Raises:
            ImageError: If the label file cannot be used.
        """
        path = self.items[index].labels
        return None if path is None else self.read_labels(path)

    def files_at(self, index: int) -> list[Path]:
        """The files that one sample is read from, the image first.

        Args:
            index: Place of the sample in the dataset.

        Returns:
            Image file and, where there is truth, label file.
        """
        item = self.items[index]
        return [item.image] if item.labels is None else [item.image, item.labels]

    def __getitem__(self, index: int) -> Sample:
        item = self.items[index]
        image = read_image(item.image)
        labels = self.labels_at(index)
        if labels is not None and labels.shape != image.shape[:2]:
            raise ImageError(
                f"{item.labels} is {labels.shape[1]}×{labels.shape[0]}, but {item.image} is "
                f"{image.shape[1]}×{image.shape[0]} (width×height); labels must have their image's size"
            )
        return Sample(image, labels, str(item.image), item.id)

    def read_labels(self, path: Path) -> NDArray[np.unsignedinteger]:
        """Read one label file; datasets whose labels are colours override this.

        Args:
            path: A single-channel 8- or 16-bit image of label ids.

        Returns:
            Label ids, ``(H, W)``.

        Raises:
            ImageError: If the file cannot be read or has several channels.
        """
        return read_label_image(path)


def files_at(dataset: object, index: int) -> list[Path]:
    """The files that a sample of any dataset is read from, where the dataset knows them.

    Args:
        dataset: Where the sample is.
        index: Its place.

    Returns:
        The image first; nothing where they are not known before the image is read.
    """
    reader = getattr(dataset, "files_at", None)
    return [] if reader is None else list(reader(index))


def required_labels(sample: Sample) -> NDArray[np.unsignedinteger]:
    """The labels of a sample of a dataset with truth.

    Args:
        sample: Of any dataset.

    Returns:
        ``(H, W)``.

    Raises:
        DatasetError: If it has none.
    """
    if sample.labels is None:
        raise DatasetError(f"{sample.path} has no labels, but the dataset says that it has truth")
    return sample.labels


def paired_items(images: Mapping[str, Path], labels: Mapping[str, Path]) -> list[FileItem]:
    """Images with their labels, by id, in order of the ids.

    Args:
        images: Id → image file.
        labels: Id → label file.

    Returns:
        One item for each id.

    Raises:
        UnpairedFilesError: If an id has only one of the two files.
    """
    odd = sorted(images.keys() ^ labels.keys())
    if odd:
        there, missing = (images[odd[0]], "label image") if odd[0] in images else (labels[odd[0]], "image")
        raise UnpairedFilesError(
            f"{len(odd)} file(s) without a partner, e.g. of {str(there)!r} the {missing} of {odd[0]!r} is missing; "
            "add the partner or remove the file"
        )
    return [FileItem(key, images[key], labels[key]) for key in sorted(images)]


def require_unique(items: Sequence[FileItem]) -> None:
    """Refuse ``items`` of equal id, naming both files.

    Raises:
        UnpairedFilesError: If two items have the same id.
    """
    repeated = [key for key, n in Counter(item.id for item in items).items() if n > 1]
    if repeated:
        files = [str(item.image) for item in items if item.id == repeated[0]]
        raise UnpairedFilesError(
            f"{len(repeated)} id(s) occur more than once, e.g. {repeated[0]!r}: {' and '.join(files)}; "
            "rename or remove one of them"
        )


def set_root(holds: str) -> str:
    """What to do where the files of a dataset are not found.

    Args:
        holds: What its root is known by.

    Returns:
        The end of a message.
    """
    entry = "`root` of this dataset's entry in configuration.py (below OODRETRIEVAL_DATA, if that is set)"
    return f"set args.root, or {entry}, to the folder that holds {holds}"


def require_folder(path: Path, remedy: str) -> Path:
    """Return ``path`` if it is a folder.

    Args:
        path: What should be a folder.
        remedy: What to do where it is none.

    Returns:
        ``path``.

    Raises:
        DatasetNotFoundError: If it is not; the message ends with ``remedy``.
    """
    if not path.is_dir():
        problem = f"{str(path)!r} is a file" if path.is_file() else f"no folder {str(path)!r}"
        raise DatasetNotFoundError(f"{problem}; {remedy}")
    return path
