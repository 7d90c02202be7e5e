"""What scores of novelty are made of, for every segment of a scene, computed once and kept.

Of every image the segmentation network sees the size that the pipeline shows it, as it is and mirrored, and an ImageNet
network sees the same. Kept of every segment of at least :data:`SMALLEST` pixels: its row of the segment table, what is
true of it, its features at several depths of both networks, energy and features of the ring around it, and how the
mirror image was seen.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor, nn

from oodretrieval.bilinear import resize_bilinear
from oodretrieval.datasets import Sample
from oodretrieval.datasets.transforms import image_tensor
from oodretrieval.embedding.pooling import pool_by_segment
from oodretrieval.entries import LITE_MEAN, LITE_STD, ModelEntry
from oodretrieval.images import resized_image
from oodretrieval.models import load_model
from oodretrieval.models.backbones import Backbone
from oodretrieval.segments import label_components, segment_table_from_logits
from oodretrieval.stages.predict.settings import InferenceSettings
from oodretrieval.uncertainty import energy, softmax

SMALLEST = 100
LONGEST = 1100
"""Larger images are measured at a half, a third, … of their size, in pixels of their own."""
RING = 0.02
"""Width of the ring around a segment, as a share of the image's diagonal."""
STRIDES = (4, 8, 16)
MAPS = {"imagenet4": 0, "imagenet8": 1, "imagenet16": 2}
Floats = NDArray[np.floating]


class Meaning(NamedTuple):
    """What label ids mean for a network.

    Attributes:
        to_pred: Label id → predicted id, 255 where there is none or it is not said.
        unknown: Label ids of unknown things.
        void: Label ids that count neither way.
    """

    to_pred: Mapping[int, int]
    unknown: frozenset[int]
    void: frozenset[int]


@dataclass(frozen=True, eq=False)
class Described:
    """Segments of some images.

    Attributes:
        table: One row a segment: ``image_id``, ``class``, ``S``, the box, dispersion, energy, ``unknown_fraction`` and
            ``void_fraction``, ring and mirror columns.
        arrays: Name of a depth → pooled features, ``(n, D)``; ``logits`` → mean logits ``(n, C)``.
    """

    table: pd.DataFrame
    arrays: dict[str, NDArray[np.float32]]

    def take(self, rows: NDArray[np.bool_]) -> "Described":
        """Some of them."""
        return Described(
            self.table[rows].reset_index(drop=True), {k: v[rows] for k, v in self.arrays.items()}
        )

    @classmethod
    def read(cls, path: Path) -> "Described":
        """What :meth:`write` wrote."""
        with np.load(path.with_suffix(".npz")) as content:
            arrays = {name: content[name].astype(np.float32) for name in content.files}
        return cls(pd.read_parquet(path.with_suffix(".parquet")), arrays)

    def write(self, path: Path) -> None:
        """Two files of this stem."""
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(
            path.with_suffix(".npz"),
            **{name: values.astype(np.float16) for name, values in self.arrays.items()},  # type: ignore[arg-type]
        )
        self.table.to_parquet(path.with_suffix(".parquet"))


class Describer:
    """Describes the segments of images by a segmentation network and an ImageNet network."""

    def __init__(self, entry: ModelEntry, *, mirror: bool = True) -> None:
        self.entry, self.mirror = entry, mirror
        self.network = load_model(entry).eval()
        self.imagenet = Backbone("tf_efficientnet_lite0", STRIDES, 16, "packaged").eval()
        self._decoded: list[Tensor] = []
        decoder: nn.Module = self.network.decoder  # type: ignore[assignment]
        decoder.register_forward_hook(lambda _, __, output: self._decoded.append(output))

    @torch.inference_mode()
    def __call__(self, sample: Sample, meaning: Meaning) -> Described:
        """Of one image with labels."""
        image, labels = sample.image, sample.labels
        assert labels is not None
        step = -(-max(labels.shape) // LONGEST)
        labels = labels[step // 2 :: step, step // 2 :: step]
        size = labels.shape
        height, width = image.shape[:2]
        image = resized_image(image, InferenceSettings().seen_size(height, width, self.entry.size))
        small = image_tensor(image, self.entry.mean, self.entry.std)
        self._decoded.clear()
        views = [small, small.flip(2)] if self.mirror else [small]
        low: Tensor = self.network.low_resolution_logits(torch.stack(views))  # type: ignore[operator]
        logits, mirrored = low[0].numpy(), low[-1].numpy()[..., :: -1 if self.mirror else 1]
        decoded = self._decoded[0][0].numpy()
        maps = [
            features[0].numpy() for features in self.imagenet(image_tensor(image, LITE_MEAN, LITE_STD)[None])
        ]
        full = resize_bilinear(logits, size)
        prediction = full.argmax(axis=2).astype(np.uint8)
        table, _ = segment_table_from_logits(
            logits, prediction, labels, label_to_pred=dict(meaning.to_pred), void_ids=meaning.void, threads=1
        )
        components = label_components(prediction)
        unknown = np.isin(labels, list(meaning.unknown)).ravel()
        void = np.isin(labels, list(meaning.void)).ravel()
        count = np.maximum(np.bincount(components.ravel())[1:], 1)
        table["unknown_fraction"] = np.bincount(components.ravel(), unknown)[1:] / count
        table["void_fraction"] = np.bincount(components.ravel(), void)[1:] / count
        table.insert(0, "image_id", sample.id)
        table["share"] = table["S"] / components.size
        table["S"] *= step**2
        for name, values in _mirror_scores(full, resize_bilinear(mirrored, size), prediction).items():
            table[name] = np.bincount(components.ravel(), values.ravel())[1:] / count
        heat = energy(full, axis=2)
        arrays = {name: pool_by_segment(maps[place], components) for name, place in MAPS.items()}
        arrays["decoder"] = pool_by_segment(decoded, components)
        arrays["logits"] = pool_by_segment(logits, components)
        kept = np.flatnonzero(table["S"].to_numpy() >= SMALLEST)
        ring = _ring(components, kept + 1, heat, maps[2])
        table = table.iloc[kept].reset_index(drop=True)
        table["ring_energy"] = ring[:, 0]
        for quantile in (0.1, 0.5, 0.9):
            table[f"energy_{quantile:g}"] = _quantile(components, heat, kept + 1, quantile)
        arrays = {name: values[kept] for name, values in arrays.items()}
        return Described(table, arrays | {"ring": ring[:, 1:].astype(np.float32)})


def _mirror_scores(full: Floats, mirrored: Floats, prediction: NDArray[np.uint8]) -> dict[str, Floats]:
    """How the mirror image was seen, ``(H, W)`` each, from the logits of both ``(H, W, C)``."""
    own, turned = softmax(full), softmax(mirrored)
    return {
        "mirror_energy": energy(mirrored, axis=2),
        "mirror_disagrees": (turned * np.log(np.maximum(turned, 1e-6) / np.maximum(own, 1e-6))).sum(2),
        "mirror_same": -np.take_along_axis(turned, prediction[..., None].astype(np.int64), 2)[..., 0],
    }


def _ring(
    components: NDArray[np.integer], ids: NDArray[np.integer], energy: Floats, features: Floats
) -> Floats:
    """Mean of energy ``(H, W)`` and of features ``(D, h, w)`` over the ring around each segment."""
    height, width = components.shape
    reach = max(2, round(RING * float(np.hypot(height, width))))
    step = max(1, reach // 8)
    boxes = ndimage.find_objects(components)
    rows = (2 * np.arange(height) + 1) * features.shape[1] // (2 * height)
    columns = (2 * np.arange(width) + 1) * features.shape[2] // (2 * width)
    found = np.zeros((len(ids), 1 + len(features)))
    for place, i in enumerate(ids):
        y, x = boxes[i - 1]
        top, left = max(0, y.start - reach), max(0, x.start - reach)
        bottom, right = min(height, y.stop + reach), min(width, x.stop + reach)
        mask = components[top:bottom:step, left:right:step] == i
        near = ndimage.distance_transform_cdt(~mask, "chessboard") * step
        ring = (near > 0) & (near <= reach)
        if not ring.any():
            ring = mask
        v, u = np.nonzero(ring)
        v, u = top + v * step, left + u * step
        found[place, 0] = energy[v, u].mean()
        cells = np.unique(rows[v] * 4096 + columns[u], return_counts=True)
        found[place, 1:] = (features[:, cells[0] // 4096, cells[0] % 4096] * cells[1]).sum(axis=1) / cells[
            1
        ].sum()
    return found


def _quantile(
    components: NDArray[np.integer], values: Floats, ids: NDArray[np.integer], quantile: float
) -> Floats:
    order = np.lexsort((values.ravel(), components.ravel()))
    starts = np.searchsorted(components.ravel()[order], ids)
    ends = np.searchsorted(components.ravel()[order], ids, side="right")
    return np.asarray(values.ravel()[order][(starts + quantile * (ends - 1 - starts)).astype(np.intp)])


def joined(parts: Iterable[Described]) -> Described:
    """Several as one."""
    found = list(parts)
    table = pd.concat([part.table for part in found], ignore_index=True)
    return Described(
        table, {name: np.concatenate([part.arrays[name] for part in found]) for name in found[0].arrays}
    )
