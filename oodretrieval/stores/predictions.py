"""Files of predictions: what is kept of an image on disk.

A file holds ``prediction`` and by choice ``labels`` (label ids), ``logits``, ``probabilities`` and
``entropy``, ``image_path`` of shape (1,), and everything else as one JSON text, ``metadata``. The entropy is
stored as ``entropy_differences`` (:mod:`~oodretrieval.stores.differences`), two thirds the size. ``logits`` are
relative to ``logit_offsets`` where it has these (:mod:`~oodretrieval.stores.half`). With ``keep="softmax"`` it is
also a file of the published project: its ``ground_truths`` are the **predicted** ids of
the truth, with which MetaSeg compares its classes, or zeros without truth. The ``digest`` of its content is what a
segment table is matched with.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from oodretrieval.choices import KEPT, Keep
from oodretrieval.errors import StoreError
from oodretrieval.files import CHECKSUM, UNSEALED, was_replaced
from oodretrieval.stores.differences import accumulate, difference
from oodretrieval.stores.half import half_logits, whole_logits
from oodretrieval.stores.hdf5 import create_array, decode, new_hdf5, read_hdf5
from oodretrieval.stores.json_files import FORMAT_VERSION, plain
from oodretrieval.stores.prediction import Prediction
from oodretrieval.stores.stored import Stored
from oodretrieval.stores.workspace import Workspace

KEEP: tuple[Keep, ...] = get_args(Keep)

_IMAGE_FILE = "image_file"
_LOGITS = ("logits", "logit_offsets")
_ENTROPY = (
    "entropy",
    "entropy_differences",
)  # the first one in files of earlier versions, and in published ones
_DATASETS = ("prediction", "labels", *_LOGITS, "probabilities", *_ENTROPY, "image_path", _IMAGE_FILE)


@dataclass(frozen=True)
class PredictionRecord:
    """What a prediction file says of itself.

    Attributes:
        settings: What made it.
        digest: Of everything that it holds; empty in files of earlier versions.
    """

    settings: Mapping[str, Any]
    digest: str


def write_prediction(path: Path, prediction: Prediction, keep: Keep = KEPT) -> str:
    """Write a prediction atomically.

    Args:
        path: The file; any name, e.g. ``input0.hdf5`` for the published readers.
        prediction: What to write.
        keep: ``"logits"``: float16, compressed. ``"softmax"``: float32 at full size, in the published layout.
            ``"nothing"``: neither; the predicted classes, labels and the entropy remain.

    Returns:
        The digest of what was written: the same for the same content, another for any other.

    Raises:
        StoreError: If what is to be kept is missing or disagrees in shape, or the file cannot be written.
    """
    if keep not in KEEP:
        raise StoreError(f"args.keep must be one of {', '.join(KEEP)}, not {keep!r}")
    _require_consistent(prediction, path)
    arrays = _small_arrays(prediction, readable_anywhere=keep == "softmax")
    published: dict[str, NDArray[Any]] = {}
    if keep == "logits":
        arrays["logits"], arrays["logit_offsets"] = half_logits(_require_logits(prediction))
    elif keep == "softmax":
        truth = prediction.truth()
        published["probabilities"] = prediction.probabilities()
        published["ground_truths"] = np.zeros_like(prediction.prediction) if truth is None else truth
    image_path = np.array([prediction.image_path.encode("utf-8")])
    metadata = _metadata(prediction, keep)
    metadata["digest"] = _digest({**arrays, **published}, metadata)
    with new_hdf5(path) as file:
        for name, values in arrays.items():
            create_array(file, name, values, readable_anywhere=keep == "softmax")
        for name, values in published.items():
            create_array(file, name, values, readable_anywhere=True)
        file.create_dataset("image_path", data=image_path)
        # of fixed length: HDF5 seeks for ever in a damaged heap of texts of any length
        if prediction.image_file is not None:
            file.create_dataset(_IMAGE_FILE, data=np.bytes_(json.dumps(dict(prediction.image_file))))
        file.create_dataset("metadata", data=np.bytes_(json.dumps({**metadata, CHECKSUM: UNSEALED})))
    return str(metadata["digest"])


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
        StoreError: If the file is missing, damaged or of another format version, or the image was replaced since.
    """
    return stored_prediction(workspace, Stored(model, dataset), image_id)


def stored_prediction(workspace: Workspace, stored: Stored, image_id: str) -> Prediction:
    """:func:`read_prediction`, of work whose names travel together.

    Args:
        workspace: Where it lies.
        stored: Whose: of which network on which dataset.
        image_id: Id of the image.

    Returns:
        The prediction.

    Raises:
        StoreError: If the file is missing, damaged or of another format version, or the image was replaced since.
    """
    path = workspace.prediction_path(stored, image_id)
    if not path.is_file():
        raise StoreError(
            f"no prediction {str(path)!r}; run scripts/pred_images.py with {stored.arguments} first"
        )
    prediction = read_prediction_file(path)
    if prediction.image_file is not None:
        _require_same_image(path, prediction.image_path, prediction.image_file)
    return prediction


def read_prediction_file(path: Path) -> Prediction:
    """Read one prediction file.

    Args:
        path: The file.

    Returns:
        The prediction.

    Raises:
        StoreError: If the file is missing, damaged, of another format version, or only of the published project,
            which :class:`~oodretrieval.stores.published.PublishedPredictions` reads.
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
            logits=_logits(content),
            softmax=content.get("probabilities"),
            align_corners=metadata["align_corners"],
            num_classes=metadata["num_classes"],
            entropy=_entropy(content),
            settings=metadata["settings"],
            image_file=_stamp(content),
            digest=metadata.get("digest", ""),
        )
    except (KeyError, ValueError, AttributeError, IndexError) as error:
        raise StoreError(f"{path} is damaged (no {error}); remove it and predict again") from error
    _require_consistent(prediction, path)
    return prediction


def read_prediction_record(path: Path) -> PredictionRecord:
    """Read only what a prediction file says of itself.

    Args:
        path: The file.

    Returns:
        Settings and digest.

    Raises:
        StoreError: If the file is missing, damaged or of another format version, or the image was replaced since.
    """
    content, metadata = read_hdf5(path, names=("image_path", _IMAGE_FILE), whole=False)
    if metadata is None or "settings" not in metadata:
        raise StoreError(f"{path} is no prediction file of this version; remove it and predict again")
    stamp = _stamp(content)
    if stamp is not None:
        _require_same_image(path, decode(content["image_path"]), stamp)
    return PredictionRecord(metadata["settings"], str(metadata.get("digest", "")))


def _digest(arrays: Mapping[str, NDArray[Any]], metadata: Mapping[str, Any]) -> str:
    content = hashlib.blake2b(json.dumps(metadata, sort_keys=True).encode(), digest_size=16)
    for name in sorted(arrays):
        values = np.ascontiguousarray(arrays[name])
        content.update(f"{name} {values.dtype.str} {values.shape}".encode())
        content.update(values.data)
    return content.hexdigest()


def _stamp(content: Mapping[str, NDArray[Any]]) -> dict[str, int | str] | None:
    if _IMAGE_FILE not in content:  # a file of an earlier version, or an image that comes from no file
        return None
    stamp: dict[str, int | str] = json.loads(decode(content[_IMAGE_FILE]))
    return stamp


def _require_same_image(path: Path, image_path: str, stamp: Mapping[str, int | str]) -> None:
    """Refuse a prediction whose image file has another content by now.

    Raises:
        StoreError: If it was replaced.
    """
    if was_replaced(image_path, stamp):
        raise StoreError(
            f"the image {image_path} was replaced after its prediction {path}; run scripts/pred_images.py again, which "
            "predicts such images again"
        )


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


def _small_arrays(prediction: Prediction, *, readable_anywhere: bool) -> dict[str, NDArray[Any]]:
    arrays: dict[str, NDArray[Any]] = {"prediction": prediction.prediction}
    if prediction.labels is not None:
        arrays["labels"] = prediction.labels
    if prediction.entropy is not None and readable_anywhere:
        arrays["entropy"] = prediction.entropy
    elif prediction.entropy is not None:
        arrays["entropy_differences"] = difference(prediction.entropy)
    return arrays


def _require_logits(prediction: Prediction) -> NDArray[np.floating]:
    if prediction.logits is None:
        raise StoreError(
            f"the prediction of {prediction.image_id!r} has no logits to keep; "
            "use args.keep=softmax or nothing"
        )
    if np.isnan(prediction.logits).any():
        raise StoreError(f"the logits of {prediction.image_id!r} hold NaN; check the network and its weights")
    return prediction.logits


def _logits(content: Mapping[str, NDArray[Any]]) -> NDArray[np.floating] | None:
    if "logits" in content and "logit_offsets" in content:
        return whole_logits(content["logits"], content["logit_offsets"])
    return content.get("logits")


def _entropy(content: Mapping[str, NDArray[Any]]) -> NDArray[np.uint8] | None:
    if "entropy_differences" in content:
        return accumulate(content["entropy_differences"])
    return content.get("entropy")  # in files of earlier versions, and in published ones


def _require_consistent(prediction: Prediction, path: Path) -> None:
    if problem := prediction.problem():
        raise StoreError(f"{path}: {problem}; predict this image again")
