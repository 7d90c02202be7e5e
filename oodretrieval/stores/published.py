"""Predictions that others made: a folder of the published ``input<i>.hdf5``, or of ``.npy`` softmax files."""

import re
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace
from functools import cached_property
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.errors import StoreError
from oodretrieval.labels import NO_CLASS, LabelSet
from oodretrieval.stores.hdf5 import decode, read_hdf5
from oodretrieval.stores.prediction import Prediction
from oodretrieval.stores.predictions import read_prediction_file
from oodretrieval.uncertainty import sums_to_one

_DATASETS = ("probabilities", "prediction", "ground_truths", "image_path", "file_names")
_NAMES = ("image_path", "file_names")  # the second one in files of MetaSeg 1.0


class PublishedPredictions(Sequence[Prediction]):
    """Predictions in a folder of ``input<i>.hdf5`` (or ``probs_<i>.hdf5``) or of ``.npy`` softmax files.

    HDF5 files are ordered by their number and need ``probabilities``; ``prediction``, ``ground_truths`` and
    ``image_path`` are used where they exist. ``.npy`` files are ``(H, W, C)`` or ``(C, H, W)``: they sum to 1
    along the axis of the classes. Files that :func:`write_prediction` wrote come back whole.

    An image's id is the stem of its image's path, or of the file where two images share one. Truth that is
    zero everywhere counts as none, since that is how the published project writes datasets without truth.

    Args:
        folder: The folder.
        label_set: What the ids of ``ground_truths`` mean. By default an id below C is the predicted id and
            every other one is void.

    Raises:
        StoreError: If the folder is missing or holds neither kind of file, or both.
    """

    def __init__(self, folder: str | Path, label_set: LabelSet | None = None) -> None:
        self.folder = Path(folder)
        self.label_set = label_set
        self.files = _list_files(self.folder)

    def __len__(self) -> int:
        return len(self.files)

    def __iter__(self) -> Iterator[Prediction]:
        return (self[i] for i in range(len(self)))

    @cached_property
    def ids(self) -> list[str]:
        """Id of every image, in order; unique."""
        stems = [_image_id(path) for path in self.files]
        return stems if len(set(stems)) == len(stems) else [path.stem for path in self.files]

    def __getitem__(self, index: Any) -> Any:
        """Read one prediction, or a list of them for a slice.

        Raises:
            StoreError: If the file is damaged or holds no softmax.
        """
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        path, image_id = self.files[index], self.ids[index]
        return _read_npy(path, image_id) if path.suffix == ".npy" else self._read_hdf5(path, image_id)

    def only(self, indices: Sequence[int]) -> "PublishedPredictions":
        """The collection of the files at the places ``indices``, small enough to be sent to another process."""
        some = copy(self)
        some.files, some.ids = [self.files[i] for i in indices], [self.ids[i] for i in indices]
        return some

    def _read_hdf5(self, path: Path, image_id: str) -> Prediction:
        content, metadata = read_hdf5(path, _DATASETS)
        if metadata is not None:
            ours = replace(read_prediction_file(path), image_id=image_id)
            if self.label_set is None:
                return ours
            table, void = self._tables(ours.num_classes)
            return replace(ours, label_to_pred=table, void_ids=void)
        if "probabilities" not in content:
            raise StoreError(
                f"{path} has no dataset 'probabilities' (only {', '.join(content) or 'nothing'}); "
                "write it again with the published pred_images.py"
            )
        softmax = _channels_last(np.squeeze(content["probabilities"]), path)
        size, classes = softmax.shape[:2], softmax.shape[2]
        truth = _truth(content, path, size)
        names = [content[name] for name in _NAMES if name in content]
        table, void = self._tables(classes)
        return Prediction(
            prediction=_prediction(content, softmax, path),
            labels=truth,
            image_path=decode(names[0]) if names else "",
            image_id=image_id,
            label_to_pred=table,
            void_ids=void,
            softmax=softmax,
            num_classes=classes,
        )

    def _tables(self, classes: int) -> tuple[dict[int, int], frozenset[int]]:
        if self.label_set is not None:
            return dict(self.label_set.label_to_pred), self.label_set.void_ids
        table = {i: i if i < classes else NO_CLASS for i in range(NO_CLASS + 1)}
        return table, frozenset(i for i, predicted in table.items() if predicted == NO_CLASS)


def _list_files(folder: Path) -> list[Path]:
    hdf5 = sorted(folder.glob("*[0-9].hdf5"), key=lambda path: (_number(path), path.name))
    npy = sorted(folder.glob("*.npy"), key=lambda path: path.name)
    if hdf5 and npy:
        raise StoreError(f"{str(folder)!r} holds both .hdf5 and .npy files; keep one kind in it")
    if not hdf5 and not npy:
        raise StoreError(
            f"no input<i>.hdf5 and no .npy softmax files in {str(folder)!r}; "
            "give the folder that the predictions were written to"
        )
    return hdf5 or npy


def _number(path: Path) -> int:
    digits = re.search(r"(\d+)$", path.stem)
    return int(digits.group(1)) if digits else -1


def _image_id(path: Path) -> str:
    if path.suffix == ".npy":
        return path.stem
    content, metadata = read_hdf5(path, names=_NAMES, whole=False)
    if metadata is not None and metadata.get("image_id"):
        return str(metadata["image_id"])
    names = [decode(content[name]) for name in _NAMES if name in content]
    return (PurePath(names[0]).stem if names else "") or path.stem


def _read_npy(path: Path, image_id: str) -> Prediction:
    try:
        values = np.load(path, mmap_mode="r", allow_pickle=False)  # mapped: the header may claim any size
        if not isinstance(values, np.ndarray):
            raise ValueError("an archive, no array")
    except Exception as error:  # the header is text that numpy parses: errors of many kinds
        raise StoreError(
            f"{path} is damaged or no array ({error}); write it again with numpy.save"
        ) from error
    softmax = _channels_last(np.squeeze(values), path)
    classes = softmax.shape[2]
    return Prediction(
        prediction=_argmax(softmax),
        image_path=str(path),
        image_id=image_id,
        softmax=softmax,
        num_classes=classes,
    )


def _channels_last(values: NDArray[Any], path: Path) -> NDArray[np.float32]:
    """The softmax as ``(H, W, C)``, by the axis along which it sums to 1."""
    if values.ndim == 3 and values.size and np.issubdtype(values.dtype, np.floating):
        for axis in (2, 0):
            if sums_to_one(values, axis):
                return np.ascontiguousarray(np.moveaxis(values, axis, 2), np.float32)
    if values.ndim == 2 and np.issubdtype(values.dtype, np.integer):
        raise StoreError(
            f"{path} holds {values.dtype} {values.shape}: predicted classes, the argmax of a softmax, which do not say "
            "how sure the network was; write the softmax (H, W, C) itself"
        )
    raise StoreError(
        f"{path} holds {values.dtype} {values.shape}, but no softmax (H, W, C) or (C, H, W) that sums to 1 "
        "over the classes; apply the softmax before writing it"
    )


def _argmax(softmax: NDArray[np.float32]) -> NDArray[np.unsignedinteger]:
    dtype = np.uint8 if softmax.shape[2] <= NO_CLASS + 1 else np.uint16
    return np.asarray(softmax.argmax(axis=2).astype(dtype))


def _prediction(
    content: dict[str, NDArray[Any]], softmax: NDArray[np.float32], path: Path
) -> NDArray[np.unsignedinteger]:
    if "prediction" not in content:
        return _argmax(softmax)
    prediction = _map(content["prediction"], "prediction", path, softmax.shape[:2])
    if int(prediction.max()) >= max(softmax.shape[2], NO_CLASS + 1):
        raise StoreError(
            f"{path}: prediction holds {int(prediction.max())}, which is no class; predict it again"
        )
    return prediction


def _truth(
    content: dict[str, NDArray[Any]], path: Path, size: tuple[int, ...]
) -> NDArray[np.unsignedinteger] | None:
    if "ground_truths" not in content or not content["ground_truths"].any():
        return None
    return _map(content["ground_truths"], "ground_truths", path, size)


def _map(values: NDArray[Any], name: str, path: Path, size: tuple[int, ...]) -> NDArray[np.unsignedinteger]:
    """A map of ids in the smallest unsigned type; negative ids mean no class."""
    if values.size != np.prod(size) or not np.issubdtype(values.dtype, np.integer):
        raise StoreError(
            f"{path}: {name} is {values.dtype} {values.shape}, but must be integers of the "
            f"probabilities' size {size}; predict it again"
        )
    ids = np.where(values < 0, NO_CLASS, values.astype(np.int64)).reshape(size)
    return ids.astype(np.uint8 if int(ids.max()) <= NO_CLASS else np.uint16)
