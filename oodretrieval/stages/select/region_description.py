"""The regions of one image, proposed and described, as worker processes do it: no torch here."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.errors import StoreError
from oodretrieval.novelty import NoveltyModel, load_novelty_model
from oodretrieval.regions import Choice, RegionTree, pool_features, propose_regions, region_terms
from oodretrieval.regions.description import cell_means
from oodretrieval.stores import Prediction, Stored, Workspace, stored_prediction
from oodretrieval.stores.regions import StoredRegions, regions_path, write_regions
from oodretrieval.uncertainty import energy, normalised_entropy

MAPS = ("energy", "max_logit", "entropy", "variation_ratio")
"""How unknown each pixel is, by what the logits say; each is pooled over every region."""
MIN_SHARE = Choice.min_share
"""Smallest region that is described, as a share of the image's area: smaller ones are not shown."""
SEEN_COMPONENTS = 16
"""Leading principal components of window features that are kept of every superpixel: they say what looks alike."""


@dataclass(frozen=True, eq=False)
class ImageTask:
    """An image whose regions are to be described.

    Attributes:
        workspace: Root of the workspace.
        stored: Of which network on which dataset.
        image_id: Id of the image.
        proposals: What proposes regions.
        image: ``(H, W, 3)`` uint8.
        features: Of an ImageNet network, ``(D, h, w)``.
        window_features: Of the same network, for the distance to known windows, ``(d, h, w)``.
        novelty_model: File of the model that knows features; None for no distances.
        made_by: What to note in the file.
        masks: Trees that another generator of masks made; None to propose regions here.
    """

    workspace: Path
    stored: Stored
    image_id: str
    proposals: str
    image: NDArray[np.uint8]
    features: NDArray[np.float32]
    window_features: NDArray[np.float32]
    novelty_model: Path | None
    made_by: Mapping[str, Any]
    masks: RegionTree | None = None


def describe_image(task: ImageTask) -> tuple[str, str]:
    """Propose and describe the regions of an image, and keep them in the workspace.

    Args:
        task: The image.

    Returns:
        Its id, and why it failed; empty if it is done.
    """
    try:
        workspace = Workspace(task.workspace)
        prediction = stored_prediction(workspace, task.stored, task.image_id)
        known = None if task.novelty_model is None else _novelty_model(task.novelty_model)
        regions = described_regions(
            task.image, prediction, task.features, known, task.masks, window_features=task.window_features
        )
        path = regions_path(workspace, task.stored, task.proposals, task.image_id)
        write_regions(path, regions, task.made_by)
    except (StoreError, ValueError) as error:
        return task.image_id, str(error)
    return task.image_id, ""


@lru_cache(maxsize=2)
def _novelty_model(path: Path) -> NoveltyModel:
    return load_novelty_model(path)


def described_regions(
    image: NDArray[np.uint8],
    prediction: Prediction,
    features: NDArray[np.floating],
    known: NoveltyModel | None,
    tree: RegionTree | None = None,
    *,
    window_features: NDArray[np.floating] | None = None,
) -> StoredRegions:
    """Regions of an image with all that their score and a catalogue's rows are made of.

    Args:
        image: ``(H, W, 3)`` uint8.
        prediction: Of the segmentation network, with logits.
        features: Of an ImageNet network, ``(D, h, w)`` at any stride.
        known: Known features and windows; None for no distance.
        tree: Regions from elsewhere; None to propose them.
        window_features: Of a shallower depth, ``(d, h, w)``; None for no ``window_distance``.

    Returns:
        The regions; columns: what ``region_terms`` gives of :data:`MAPS`, ``local_distance`` and
        ``local_window_distance`` (of each cell of the features by itself), ``distance`` (of the features pooled over
        the region), ``window_distance`` (of the window features, to known windows), and
        ``class`` (majority of the prediction), ``label`` (majority by truth, -1 without), ``unknown_fraction``,
        ``void_fraction`` (-1 without truth). And of each superpixel the shares of the predicted classes, and the
        leading :data:`SEEN_COMPONENTS` of its window features (None without known windows).

    Raises:
        StoreError: If the prediction kept no logits, or is of an image of another size.
    """
    if prediction.logits is None:
        raise StoreError(
            f"objects are proposed from the logits, which the prediction of {prediction.image_id!r} does not keep; "
            "predict again with args.keep=logits args.overwrite=True, or choose args.candidates=segments"
        )
    if prediction.prediction.shape != image.shape[:2]:
        raise StoreError(
            f"the prediction of {prediction.image_id!r} is of an image of {prediction.prediction.shape[::-1]} pixels, "
            f"the image has {image.shape[1::-1]}; predict again with args.overwrite=True"
        )
    logits = np.asarray(prediction.logits, np.float32)
    if tree is None:
        tree = propose_regions(image, logits=logits, features=features, min_share=MIN_SHARE)
    maps = pixel_maps(logits)
    columns = _classes(tree, prediction)
    seen: NDArray[np.float64] | None = None
    if known is not None:
        cells = known.bank.log_distance_to_any(features.reshape(len(features), -1).T)
        maps["local_distance"] = cells.reshape(features.shape[1:])
        columns["distance"] = known.bank.log_distance_to_any(pool_features(tree, features))
    if known is not None and known.windows is not None and window_features is not None:
        turned = known.windows.turned(window_features)
        cells = known.windows.log_distance(turned.reshape(len(turned), -1).T)
        maps["local_window_distance"] = cells.reshape(turned.shape[1:])
        of_superpixels = cell_means(tree.superpixels, turned)
        columns["window_distance"] = known.windows.log_distance(tree.means(of_superpixels))
        seen = of_superpixels[:, :SEEN_COMPONENTS]
    return StoredRegions(
        tree,
        region_terms(tree, maps) | columns,
        _class_shares(tree, prediction.prediction, len(logits)),
        seen,
    )


def pixel_maps(logits: NDArray[np.floating]) -> dict[str, NDArray[np.floating]]:
    """The maps of :data:`MAPS`, higher where more unknown.

    Args:
        logits: ``(C, h, w)``.

    Returns:
        Name → ``(h, w)``.
    """
    heat = energy(logits, axis=0)
    softmax = np.exp(logits + heat)
    maps = heat, -logits.max(axis=0), normalised_entropy(softmax, axis=0), 1 - softmax.max(axis=0)
    return dict(zip(MAPS, maps, strict=True))


def _classes(tree: RegionTree, prediction: Prediction) -> dict[str, NDArray[np.float64]]:
    """What most pixels of each region are, by prediction and by truth."""
    superpixel = tree.at_full_size
    kinds, _ = _majority(tree, superpixel, prediction.prediction)
    columns = {"class": kinds.astype(np.float64)}
    unknown = prediction.unknown()
    if prediction.labels is None or unknown is None:
        nothing = np.full(len(tree), -1.0)
        return columns | {"label": nothing, "unknown_fraction": nothing, "void_fraction": nothing}
    labels, _ = _majority(tree, superpixel, prediction.labels)
    shares = {
        name: tree.sums(np.bincount(superpixel[unknown == kind], minlength=_count(tree))) / tree.areas
        for name, kind in (("unknown_fraction", 1), ("void_fraction", 255))
    }
    return columns | {"label": labels.astype(np.float64), **shares}


def _class_shares(tree: RegionTree, predicted: NDArray[np.integer], num_classes: int) -> NDArray[np.float64]:
    """Share of each superpixel that is predicted as each class, ``(n, C)``."""
    flat = tree.at_full_size.ravel().astype(np.int64) * num_classes + predicted.ravel()
    votes = np.bincount(flat, minlength=_count(tree) * num_classes).reshape(-1, num_classes)
    return np.asarray(votes / tree.superpixel_areas[:, None], np.float64)


def _count(tree: RegionTree) -> int:
    return len(tree.superpixel_areas)


def _majority(
    tree: RegionTree, superpixel: NDArray[np.int32], ids: NDArray[np.integer]
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The most frequent id in each region, the smallest of equally frequent ones, and the pixels that it has."""
    if not len(tree):
        return np.zeros(0, np.int64), np.zeros(0)
    present, places = np.unique(ids, return_inverse=True)
    flat = superpixel.ravel().astype(np.int64) * len(present) + places.ravel()
    votes = np.bincount(flat, minlength=_count(tree) * len(present)).reshape(-1, len(present))
    of_region = tree.sums(votes)
    best = of_region.argmax(axis=1)
    return present.astype(np.int64)[best], of_region[np.arange(len(best)), best]
