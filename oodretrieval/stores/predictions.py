"""One prediction of one image: what is kept of it, on disk and in memory.

A file holds ``prediction`` and by choice ``labels`` (label ids), ``logits``, ``probabilities`` and
``entropy``, ``image_path`` of shape (1,), and everything else as one JSON text, ``metadata``. ``logits`` are
relative to ``logit_offsets``, the largest logit at each position, where the file has these: so float16 is finest
for the classes that matter, and the softmax a tenth as far off. With
``keep="softmax"`` it is also a file of the published project: that one's ``ground_truths`` are then the
**predicted** ids of the truth, with which MetaSeg compares its classes, or zeros without truth.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
from numpy.typing import NDArray

from oodretrieval.errors import StoreError
from oodretrieval.files import atomic_path
from oodretrieval.labels import NO_CLASS, lookup_table
from oodretrieval.stores.bilinear import resize_bilinear, softmax
from oodretrieval.stores.hdf5 import create_array, decode, read_hdf5
from oodretrieval.stores.workspace import FORMAT_VERSION, Workspace, plain

Keep = Literal["logits", "softmax", "nothing"]
KEEP: tuple[Keep, ...] = ("logits", "softmax", "nothing")

FLOAT16_MAX = float(np.finfo(np.float16).max)

_DATASETS = ("prediction", "labels", "logits", "logit_offsets", "probabilities", "entropy", "image_path")


@dataclass(frozen=True, eq=False)
class Prediction:
    """What a network said of one image.

    Attributes:
        prediction: Predicted class, ``(H, W)`` uint8 or uint16.
        labels: Label ids, ``(H, W)``; None without truth.
        image_path: The image file.
        image_id: Id of the image in its dataset.
        label_to_pred: Label id → predicted id, or 255; empty if label ids are predicted ids.
        void_ids: Label ids that mean nothing.
        logits: ``(C, h, w)`` float16 or float32 at the network's own stride, or None. Read from a file they
            are float32.
        softmax: ``(H, W, C)`` float32, or None.
        align_corners: How the network resizes its logits to the image.
        num_classes: C.
        entropy: Entropy of every pixel over ``ln C``, times 255 and rounded, ``(H, W)`` uint8, or None.
        settings: What made it.
    """

    prediction: NDArray[np.unsignedinteger]
    labels: NDArray[np.unsignedinteger] | None = None
    image_path: str = ""
    image_id: str = ""
    label_to_pred: Mapping[int, int] = field(default_factory=dict)
    void_ids: frozenset[int] = frozenset()
    logits: NDArray[np.floating] | None = None
    softmax: NDArray[np.float32] | None = None
    align_corners: bool = False
    num_classes: int = 0
    entropy: NDArray[np.uint8] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def probabilities(self) -> NDArray[np.float32]:
        """The softmax, as kept or rebuilt from the logits.

        Returns:
            ``(H, W, C)``, 0…1.

        Raises:
            StoreError: If neither was kept.
        """
        if self.softmax is not None:
            return self.softmax
        logits = self.full_logits()
        if logits is None:
            raise StoreError(
                f"the prediction of {self.image_id!r} keeps neither logits nor softmax; "
                "predict again with args.keep=logits args.overwrite=True"
            )
        return softmax(logits)

    def full_logits(self) -> NDArray[np.float32] | None:
        """The logits resized to the image, ``(H, W, C)``; None if they were not kept."""
        if self.logits is None:
            return None
        height, width = self.prediction.shape
        return resize_bilinear(self.logits, (height, width), align_corners=self.align_corners)

    def truth(self) -> NDArray[np.uint8] | None:
        """The truth as predicted ids, ``(H, W)``, 255 for void and unknown; None without truth."""
        if self.labels is None:
            return None
        table = lookup_table(self.label_to_pred or {k: k for k in range(self.num_classes)})
        # Widened first: an 8-bit label cannot be compared with a table of 256 ids.
        truth: NDArray[np.uint8] = table[np.minimum(self.labels.astype(np.int64), len(table) - 1)]
        return truth

    def unknown(self) -> NDArray[np.uint8] | None:
        """Where the truth is unknown: ``(H, W)``, 1 unknown, 0 a class of the network, 255 void; None without truth.

        Label ids that the tables do not name are void.
        """
        if self.labels is None:
            return None
        mapping = self.label_to_pred or {k: k for k in range(self.num_classes)}
        kinds = {k: NO_CLASS if k in self.void_ids else int(v == NO_CLASS) for k, v in mapping.items()}
        table = lookup_table(kinds)
        where: NDArray[np.uint8] = table[np.minimum(self.labels.astype(np.int64), len(table) - 1)]
        return where


def write_prediction(path: Path, prediction: Prediction, keep: Keep = "logits") -> None:
    """Write a prediction atomically.

    Args:
        path: The file; any name, e.g. ``input0.hdf5`` for the published readers.
        prediction: What to write.
        keep: ``"logits"``: float16, compressed. ``"softmax"``: float32 at full size, in the published layout.
            ``"nothing"``: neither; the predicted classes, labels and the entropy remain.

    Raises:
        StoreError: If what is to be kept is missing or disagrees in shape, or the file cannot be written.
    """
    if keep not in KEEP:
        raise StoreError(f"args.keep must be one of {', '.join(KEEP)}, not {keep!r}")
    _require_consistent(prediction, path)
    arrays = _small_arrays(prediction)
    published: dict[str, NDArray[Any]] = {}
    if keep == "logits":
        arrays["logits"], arrays["logit_offsets"] = _half_logits(prediction)
    elif keep == "softmax":
        truth = prediction.truth()
        published["probabilities"] = prediction.probabilities()
        published["ground_truths"] = np.zeros_like(prediction.prediction) if truth is None else truth
    image_path = np.array([prediction.image_path.encode("utf-8")])
    # HDF5 crashes the process when the disk is full, so it gets memory, and a plain write the disk.
    with h5py.File(f"memory:{path}", "w", driver="core", backing_store=False) as file:
        for name, values in arrays.items():
            create_array(file, name, values, readable_anywhere=keep == "softmax")
        for name, values in published.items():
            create_array(file, name, values, readable_anywhere=True)
        file.create_dataset("image_path", data=image_path)
        file.create_dataset("metadata", data=json.dumps(_metadata(prediction, keep)))
        file.flush()
        content = file.id.get_file_image()
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def read_prediction(workspace: Workspace, model: str, dataset: str, image_id: str) -> Prediction:
    """Read the prediction of a model for one image of a dataset.

    Args:
        workspace: Where it lies.
        model: Name of the model's entry.
        dataset: Name of the dataset's entry.
        image_id: Id of the image.

    Returns:
        The prediction.

    Raises:
        StoreError: If the file is missing, damaged or of another format version.
    """
    path = workspace.prediction_path(model, dataset, image_id)
    if not path.is_file():
        raise StoreError(
            f"no prediction {str(path)!r}; run scripts/pred_images.py with args.dataset={dataset} "
            f"args.model_name={model} first"
        )
    return read_prediction_file(path)


def read_prediction_file(path: Path) -> Prediction:
    """Read one prediction file.

    Args:
        path: The file.

    Returns:
        The prediction.

    Raises:
        StoreError: If the file is missing, damaged, of another format version, or of the published project
            only (see :class:`~oodretrieval.stores.published.PublishedPredictions`).
    """
    content, metadata = read_hdf5(path, _DATASETS)
    if metadata is None:
        raise StoreError(
            f"{path} is no prediction file of this version; "
            "open a folder of published input<i>.hdf5 files with PublishedPredictions"
        )
    try:
        prediction = Prediction(
            prediction=content["prediction"],
            labels=content.get("labels"),
            image_path=decode(content["image_path"]),
            image_id=metadata["image_id"],
            label_to_pred={int(key): value for key, value in metadata["label_to_pred"].items()},
            void_ids=frozenset(metadata["void_ids"]),
            logits=_whole_logits(content.get("logits"), content.get("logit_offsets")),
            softmax=content.get("probabilities"),
            align_corners=metadata["align_corners"],
            num_classes=metadata["num_classes"],
            entropy=content.get("entropy"),
            settings=metadata["settings"],
        )
    except (KeyError, ValueError, AttributeError, IndexError) as error:
        raise StoreError(f"{path} is damaged (no {error}); remove it and predict again") from error
    _require_consistent(prediction, path)
    return prediction


def read_prediction_settings(path: Path) -> dict[str, Any]:
    """Read only the settings that made a prediction file.

    Raises:
        StoreError: If the file is missing, damaged or of another format version.
    """
    _, metadata = read_hdf5(path, names=())
    if metadata is None or "settings" not in metadata:
        raise StoreError(f"{path} is no prediction file of this version; remove it and predict again")
    return dict(metadata["settings"])


def _metadata(prediction: Prediction, keep: Keep) -> dict[str, Any]:
    return {
        "format_version": FORMAT_VERSION,
        "keep": keep,
        "image_id": prediction.image_id,
        "label_to_pred": {str(key): int(value) for key, value in prediction.label_to_pred.items()},
        "void_ids": sorted(int(i) for i in prediction.void_ids),
        "align_corners": bool(prediction.align_corners),
        "num_classes": int(prediction.num_classes),
        "settings": plain(dict(prediction.settings)),
    }


def _small_arrays(prediction: Prediction) -> dict[str, NDArray[Any]]:
    arrays = {"prediction": prediction.prediction, "labels": prediction.labels, "entropy": prediction.entropy}
    return {name: values for name, values in arrays.items() if values is not None}


def _half_logits(prediction: Prediction) -> tuple[NDArray[np.float16], NDArray[np.float16]]:
    """The logits less the largest at each position, and these."""
    if prediction.logits is None:
        raise StoreError(
            f"the prediction of {prediction.image_id!r} has no logits to keep; "
            "use args.keep=softmax or nothing"
        )
    if np.isnan(prediction.logits).any():
        raise StoreError(f"the logits of {prediction.image_id!r} hold NaN; check the network and its weights")
    logits = np.asarray(prediction.logits, np.float32)
    offsets = _half(logits.max(axis=0))
    return _half(logits - offsets), offsets


def _half(values: NDArray[np.floating]) -> NDArray[np.float16]:
    return np.asarray(np.clip(values, -FLOAT16_MAX, FLOAT16_MAX), np.float16)


def _whole_logits(
    logits: NDArray[np.float16] | None, offsets: NDArray[np.float16] | None
) -> NDArray[np.floating] | None:
    if logits is None or offsets is None:
        return logits
    return np.add(logits, offsets, dtype=np.float32)


def _require_consistent(prediction: Prediction, path: Path) -> None:
    size, classes = prediction.prediction.shape, prediction.num_classes
    problem = ""
    if len(size) != 2 or prediction.prediction.dtype not in (np.uint8, np.uint16) or 0 in size:
        problem = f"prediction must be (H, W) uint8 or uint16, not {prediction.prediction.dtype} {size}"
    for name in ("labels", "entropy"):
        values = getattr(prediction, name)
        if values is not None and values.shape != size:
            problem = f"{name} {values.shape} must have the size of the prediction {size}"
    logits, probabilities = prediction.logits, prediction.softmax
    if logits is not None and (logits.ndim != 3 or logits.shape[0] != classes):
        problem = f"logits {logits.shape} must be (C = {classes}, h, w)"
    if probabilities is not None and probabilities.shape != (*size, classes):
        problem = f"softmax {probabilities.shape} must be {(*size, classes)}"
    if not problem and not prediction.label_to_pred and prediction.labels is not None and classes > NO_CLASS:
        problem = f"label_to_pred is needed to hold labels of {classes} classes"
    if problem:
        raise StoreError(f"{path}: {problem}; predict this image again")
