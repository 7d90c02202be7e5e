"""What every dataset yields, and the base class of those that read image and label files."""

import struct
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from torch.utils.data import Dataset

from oodretrieval.errors import DatasetNotFoundError, ImageError, UnpairedFilesError
from oodretrieval.labels import ClassMapping, LabelSet


class Sample(NamedTuple):
    """One image of a dataset.

    Attributes:
        image: RGB, ``(H, W, 3)`` uint8.
        labels: Label ids, ``(H, W)`` uint8 or uint16, or None where there is no truth.
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
    image. A dataset that can read labels without images also offers ``labels_at(index)``.
    """

    @property
    def ids(self) -> Sequence[str]: ...  # noqa: D102

    @property
    def label_set(self) -> LabelSet | None: ...  # noqa: D102

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


class FileDataset(Dataset[Sample]):
    """Samples read from image files and, where there is truth, label files.

    Args:
        items: The files, in order.
        label_set: Tables of the labels; None without truth.
        pred_class_selection: Predicted ids worth looking at; None for all.

    Raises:
        UnpairedFilesError: If two items have the same id.
    """

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
        """Label id → predicted id or 255."""
        return dict(self.label_set.label_to_pred) if self.label_set else {}

    @property
    def void_ids(self) -> frozenset[int]:
        """Label ids that mean nothing."""
        return self.label_set.void_ids if self.label_set else frozenset()

    def __len__(self) -> int:
        return len(self.items)

    def labels_at(self, index: int) -> NDArray[np.unsignedinteger] | None:
        """Label ids of one sample without reading its image, ``(H, W)``; None without truth.

        Raises:
            ImageError: If the label file cannot be used.
        """
        path = self.items[index].labels
        return None if path is None else self.read_labels(path)

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


def require_unique(items: Sequence[FileItem]) -> None:
    """Refuse items of equal id, naming both files.

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


def require_folder(path: Path, remedy: str) -> Path:
    """Return ``path`` if it is a folder.

    Raises:
        DatasetNotFoundError: If it is not; the message ends with ``remedy``.
    """
    if not path.is_dir():
        raise DatasetNotFoundError(f"no folder {str(path)!r}; {remedy}")
    return path


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an 8-bit image as RGB; grey, palette and RGBA images are converted, transparency is dropped.

    An image that carries an EXIF orientation (photographs of phones and cameras) is turned upright, so every
    stage that reads the file again sees it as the network saw it; labels of such an image belong to the
    upright picture.

    Returns:
        ``(H, W, 3)`` uint8.

    Raises:
        ImageError: If the file is missing, damaged, or not 8-bit.
    """
    with _open(path) as image:
        if image.mode.startswith(("I", "F")) or _has_wide_channels(image):
            raise ImageError(
                f"{path} has more than 8 bits a channel (mode {image.mode}); convert it to 8-bit RGB"
            )
        upright = _upright(_decode(image, path))
    # Pillow warns when it drops a palette's transparency, but not when it drops an alpha channel.
    if "transparency" in upright.info:
        upright = upright.convert("RGBA")
    return np.asarray(upright.convert("RGB"))


def read_label_image(path: Path) -> NDArray[np.unsignedinteger]:
    """Read a single-channel image of ids without converting them.

    Returns:
        ``(H, W)`` uint8, or uint16 for files of more than 8 bits.

    Raises:
        ImageError: If the file is missing, damaged, has several channels, or ids above 65535.
    """
    with _open(path) as image:
        if image.mode not in ("L", "P", "I;16", "I;16B", "I", "1"):
            raise ImageError(
                f"{path} has mode {image.mode}; label files must have one channel of ids (8- or 16-bit "
                "grey, or palette)"
            )
        ids = np.asarray(_decode(image, path))
    if ids.dtype == np.bool_:
        return ids.astype(np.uint8)
    if ids.dtype == np.uint8:
        return ids
    if ids.size and (ids.min() < 0 or ids.max() > np.iinfo(np.uint16).max):
        raise ImageError(f"{path} has ids {ids.min()} … {ids.max()}; label ids must lie in 0 … 65535")
    return ids.astype(np.uint16)


def _has_wide_channels(image: Image.Image) -> bool:
    """Whether the file has 16 bits a channel though Pillow opens it as 8-bit colour."""
    return any("16" in str(tile[3]) for tile in getattr(image, "tile", ()))


def _upright(image: Image.Image) -> Image.Image:
    """Turned as its EXIF orientation says; as it is where the EXIF data cannot be read."""
    try:
        return ImageOps.exif_transpose(image)
    except (OSError, SyntaxError, ValueError, KeyError, TypeError, struct.error):
        return image


def _open(path: Path) -> Image.Image:
    try:
        return Image.open(path)
    except FileNotFoundError as error:
        raise ImageError(f"no file {str(path)!r}; it was there when the dataset was listed") from error
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ImageError(f"cannot read {str(path)!r} as an image ({error}); replace or remove it") from error


def _decode(image: Image.Image, path: Path) -> Image.Image:
    try:
        image.load()
    except (OSError, SyntaxError, ValueError, struct.error) as error:
        raise ImageError(f"{str(path)!r} is damaged ({error}); replace or remove it") from error
    return image
