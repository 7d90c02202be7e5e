"""What a sample must look like, and making it of what other classes yield."""

import logging
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from oodretrieval.datasets.sample import Sample, SegmentationDataset
from oodretrieval.errors import (
    ConfigurationError,
    DatasetError,
    DatasetNotFoundError,
    ImageError,
    SampleCodeError,
)

logger = logging.getLogger(__name__)
CONTRACT = (
    "`ids` (a list of texts, one an image), `label_set` (None without truth), a length, and by index "
    'Sample(image, labels, path, id): image (H, W, 3) uint8, labels (H, W) integers or None; see "Your own data" in '
    "docs/extending.md"
)
"""What a dataset must offer, for messages."""
TRIES = 8
"""Number of samples on which a dataset's code may fail before it is said to be wrong."""


def _array(value: Any) -> NDArray[Any]:
    return value.detach().cpu().numpy() if isinstance(value, Tensor) else np.asarray(value)


def image_array(image: Any, where: str) -> NDArray[np.uint8]:
    """A PIL image, array or tensor as our contract wants it.

    Args:
        image: PIL image, array ``(H, W, 3)`` or tensor ``(3, H, W)`` or ``(H, W, 3)``, 8-bit.
        where: What to call it in messages.

    Returns:
        ``(H, W, 3)`` uint8.

    Raises:
        ConfigurationError: If it is none of these, e.g. normalised floats.
        ImageError: If it is a PIL image of more than 8 bits a channel.
    """
    if isinstance(image, Image.Image):
        if image.mode.startswith(("I", "F")):
            raise ImageError(
                f"{where}: more than 8 bits a channel (mode {image.mode}); convert it to 8-bit RGB"
            )
        return np.asarray(image.convert("RGB"))
    array = _array(image)
    if isinstance(image, Tensor) and array.ndim == 3 and array.shape[0] == 3 and array.shape[2] != 3:
        array = np.ascontiguousarray(array.transpose(1, 2, 0))
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
        raise ConfigurationError(
            f"{where}: expected an RGB image (H, W, 3) of uint8, got {array.shape} of {array.dtype}; "
            "normalisation and transforms belong to the model's entry: let the class yield the image as read"
        )
    return array


def label_array(labels: Any, where: str) -> NDArray[np.unsignedinteger]:
    """A PIL image, array or tensor of label ids as our contract wants it.

    Args:
        labels: Integers 0…65535, ``(H, W)``, ``(1, H, W)`` or ``(H, W, 1)``.
        where: What to call it in messages.

    Returns:
        ``(H, W)`` uint8, or uint16 where an id is above 255.

    Raises:
        ConfigurationError: If it is not of this form.
    """
    array = _array(labels)
    if array.ndim == 3 and 1 in (array.shape[0], array.shape[2]):
        array = array.squeeze(0 if array.shape[0] == 1 else 2)
    if array.ndim != 2 or array.dtype.kind not in "iub":
        raise ConfigurationError(
            f"{where}: expected label ids (H, W) of an integer type, got {array.shape} of {array.dtype}"
        )
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    if low < 0 or high > np.iinfo(np.uint16).max:
        raise ConfigurationError(
            f"{where}: label ids must lie in 0 … 65535, got {low} … {high}; 255 may mean void"
        )
    return array.astype(np.uint8 if high <= np.iinfo(np.uint8).max else np.uint16)


def check_contract(dataset: SegmentationDataset, where: str) -> None:
    """Check that a dataset keeps the contract, on its first sample that can be read.

    A damaged file concerns that image alone, so samples that raise ``ImageError`` are passed over, and so do label ids
    that have no name, which count as void, as long as one of the first samples shows none of them.

    Args:
        dataset: What to check; not empty.
        where: What to call it in messages.

    Raises:
        ConfigurationError: If the sample breaks the contract; the message says what was expected.
        DatasetError: If no sample can be read.
        DatasetNotFoundError: If there is none.
    """
    failure: ImageError | None = None
    wrong, unnamed = 0, list[str]()
    for index in range(len(dataset)):
        try:
            sample = dataset[index]
        except ImageError as error:
            failure = failure or error
            wrong += isinstance(error, SampleCodeError)
            if wrong < TRIES:
                continue
            break
        strange = _check_sample(sample, dataset, index, where)
        if not strange:
            for said in unnamed:
                logger.warning("%s; there they count as void", said)
            return
        unnamed.append(f"{where}: {sample.id} has label ids that label_mapping does not name: {strange}")
        if len(unnamed) == TRIES:
            break
    if unnamed:
        raise ConfigurationError(f"{unnamed[0]}; add them to it (and to void_ids, if they mean nothing)")
    if failure is not None and wrong:
        raise ConfigurationError(f"{failure}; expected {CONTRACT}") from failure
    if failure is not None:
        raise DatasetError(
            f"{where}: not one of its {len(dataset)} images can be read; the first: {failure}"
        ) from failure
    raise DatasetNotFoundError(f"{where} is empty")


def _check_sample(sample: Sample, dataset: SegmentationDataset, index: int, where: str) -> list[int]:
    """Refuse a sample that breaks the contract; its label ids that have no name."""
    if not isinstance(sample, tuple) or len(sample) != 4:
        raise ConfigurationError(
            f"{where}: items must be Sample(image, labels, path, id), got {type(sample).__name__}"
        )
    image, labels, _, key = sample
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3:
        got = f"{image.shape} of {image.dtype}" if isinstance(image, np.ndarray) else type(image).__name__
        raise ConfigurationError(f"{where}: expected an RGB image (H, W, 3) of uint8, got {got}")
    if dataset.ids[index] != key:
        raise ConfigurationError(
            f"{where}: ids[{index}] is {dataset.ids[index]!r}, but the sample's id is {key!r}"
        )
    if labels is None:
        return []
    label_set = dataset.label_set
    if label_set is None:
        raise ConfigurationError(
            f"{where}: samples have labels, but `label_set` is None; offer one, or no labels"
        )
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "iu" or labels.shape != image.shape[:2]:
        got = f"{labels.shape} of {labels.dtype}" if isinstance(labels, np.ndarray) else type(labels).__name__
        raise ConfigurationError(
            f"{where}: expected labels {image.shape[:2]} (the image's size) of an integer type, got {got}"
        )
    return sorted(set(np.unique(labels).tolist()) - set(label_set.label_mapping))
