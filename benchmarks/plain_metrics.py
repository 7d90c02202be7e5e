"""Segment metrics in plain numpy and scipy: short, and fit for whole images. Tests and benchmarks compare with it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[Any]

SQUARE = np.ones((3, 3), bool)


def components_of(classes: Array, ignore: int = 255) -> Array:
    """Ids 1…n in raster-scan order, 0 where ``classes == ignore``."""
    ids = np.zeros(classes.shape, np.int64)
    for c in np.unique(classes[classes != ignore]):
        labelled, _ = ndimage.label(classes == c, SQUARE)
        ids += np.where(labelled > 0, labelled + ids.max(), 0)
    present, first = np.unique(ids[ids > 0], return_index=True)
    renumbered: NDArray[Any] = np.zeros(int(ids.max()) + 1, np.int64)
    renumbered[present[np.argsort(first)]] = np.arange(1, len(present) + 1)
    in_order: NDArray[Any] = renumbered[ids]
    return in_order


def shifted(values: Array, outside: int) -> list[Array]:
    """The map as each of a pixel's eight neighbours sees it."""
    padded = np.pad(values, 1, constant_values=outside)
    height, width = values.shape
    return [padded[1 + y :, 1 + x :][:height, :width] for y, x in np.argwhere(SQUARE) - 1 if y or x]


def dispersion_of(p: Array) -> dict[str, Array]:
    """Entropy, difference and variation ratio of a softmax ``(H, W, C)``."""
    first, second = np.partition(p, -2, axis=2)[..., :-3:-1].transpose(2, 0, 1)
    entropy = -(p * np.log(p + np.finfo(np.float32).eps)).sum(axis=2) / np.log(p.shape[2])
    return {"E": entropy, "D": 1 - first + second, "V": 1 - first}


def iou_of(ids: Array, classes: Array, truth: Array, ignore: int) -> Array:
    """The adjusted IoU of every segment."""
    number = ids.max() + 1
    missed = np.zeros(number)
    for c in np.unique(classes[classes != ignore]):
        errors, _ = ndimage.label((truth == c) & (classes != c), SQUARE)
        own = np.where(classes == c, ids, 0)
        pairs = np.concatenate([np.stack([errors, other], -1).reshape(-1, 2) for other in shifted(own, 0)])
        pairs = np.unique(pairs[(pairs > 0).all(axis=1)], axis=0)
        missed += np.bincount(pairs[:, 1], np.bincount(errors.ravel())[pairs[:, 0]], number)
    agrees = (truth == classes) & (classes != ignore)
    agreeing, size = (np.bincount(chosen.ravel(), minlength=number)[1:] for chosen in (ids[agrees], ids))
    return agreeing / (size + missed[1:])


def plain_metrics(
    probabilities: Array,
    truth: Array | None = None,
    prediction: Array | None = None,
    ignore: int = 255,
    scores: Mapping[str, Array] | None = None,
) -> tuple[pd.DataFrame, Array]:
    """What ``segment_metrics`` gives; with ``scores``, maps by name, their means, too."""
    p = probabilities.astype(np.float64)
    classes = (p.argmax(axis=2) if prediction is None else prediction).astype(np.int64)
    ids = components_of(classes, ignore)
    neighbours = np.stack(shifted(classes, -1))
    differs = (neighbours != classes) & (neighbours != -1)
    boundary = differs.any(axis=0)
    sets = {"": np.ones_like(boundary), "_in": ~boundary, "_bd": boundary}
    length = ids.max() + 1
    size = {s: np.bincount(ids[chosen], minlength=length)[1:] for s, chosen in sets.items()}

    def mean(values: Array, s: str = "") -> Array:
        return np.bincount(ids[sets[s]], values[sets[s]], length)[1:] / np.maximum(size[s], 1)

    columns = {
        "class": ndimage.minimum(classes, ids, np.arange(1, length)).astype(np.int64) if length > 1 else []
    }
    columns |= {f"S{s}": size[s] for s in sets}
    relative = {s: size[s] / np.maximum(size["_bd"], 1) for s in ("", "_in")}
    columns |= {f"S_rel{s}": ratio for s, ratio in relative.items()}
    for name, values in dispersion_of(p).items():
        means = {f"{name}{s}": mean(values, s) for s in sets}
        means |= {f"{name}_var{s}": np.maximum(mean(values**2, s) - means[name + s] ** 2, 0) for s in sets}
        columns |= means
        for kind in (name, f"{name}_var"):
            columns |= {f"{kind}_rel{s}": means[kind + s] * ratio for s, ratio in relative.items()}
    rows, cols = np.indices(classes.shape)
    columns |= {"mean_x": mean(rows), "mean_y": mean(cols)}
    columns |= {f"cprob{k}": mean(p[..., k]) for k in range(p.shape[2])}
    every = np.maximum(mean(differs.sum(axis=0)), 1e-300)
    columns |= {
        f"ndist{k}": mean((differs & (neighbours == k)).sum(axis=0)) / every for k in range(p.shape[2])
    }
    columns["iou"] = np.full(length - 1, -1.0) if truth is None else iou_of(ids, classes, truth, ignore)
    iou = np.asarray(columns["iou"])
    columns["iou0"] = np.where(iou < 0, -1, iou == 0)
    for name, values in (scores or {}).items():
        columns |= {f"{name}{s}": mean(values.astype(np.float64), s) for s in sets}
    return pd.DataFrame(columns), np.where(boundary, -ids, ids)
