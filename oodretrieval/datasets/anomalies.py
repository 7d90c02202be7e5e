"""Sets of street scenes with anomalies, whose labels only distinguish known things from unknown ones.

Label ids: 0 known, 1 unknown, 255 void. Nothing is said of which known class a pixel is, so the labels fit any network;
only unknown against known is evaluated on them. Layouts below ``root``:

``plain``
    ``images/<id>.png`` (or jpg, jpeg, webp) and ``labels/<id>.png``.
``segment_me_if_you_can``
    Of RoadAnomaly21 and RoadObstacle21: ``images/<id>.jpg`` (or webp, png) and
    ``labels_masks/<id>_labels_semantic.png``. Images without labels are the held-out test set and are left out.
``road_anomaly``
    ``frames/<id>.jpg`` (or webp) and ``frames/<id>.labels/labels_semantic.png``, whose ids are 0 background and 1 road,
    both known here, and 2 anomaly.
``fishyscapes``
    ``<number>_<frame>_labels.png``, and the photographs of Lost and Found or Cityscapes that they belong to,
    ``leftImg8bit/<split>/<place>/<frame>_leftImg8bit.png``, below ``root`` or ``images``. Where
    ``<number>*rgb.npz`` is there (Fishyscapes Static), its array ``rgb`` is added to the photograph.

Sources: Chan et al., "SegmentMeIfYouCan", NeurIPS 2021, arXiv:2104.14812; Lis, Nakka, Fua, Salzmann, "Detecting the
Unexpected via Image Resynthesis", ICCV 2019, arXiv:1904.07595; Blum, Sarlin, Nieto, Siegwart, Cadena, "The Fishyscapes
Benchmark", IJCV 2021, arXiv:1904.03215. Terms: each set's own, and those of the photographs below it.
"""

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from oodretrieval.datasets.folder import SUFFIXES
from oodretrieval.datasets.sample import FileDataset, FileItem, Sample, paired_items, require_folder, set_root
from oodretrieval.errors import DatasetNotFoundError, ImageError, UnknownNameError, UnpairedFilesError
from oodretrieval.images import read_label_image
from oodretrieval.labels import LabelSet

KNOWN, UNKNOWN, VOID = 0, 1, 255
LABELS = LabelSet.binary(KNOWN, UNKNOWN, VOID)
Layout = Literal["plain", "segment_me_if_you_can", "road_anomaly", "fishyscapes"]
ROAD_ANOMALY_IDS = {0: KNOWN, 1: KNOWN, 2: UNKNOWN, VOID: VOID}
LARGEST_VALUE, HEADER = 8, 1 << 14
"""Bytes of a value in an overlay, and of what describes them, at most."""


class AnomalySet(FileDataset):
    """Photographs with labels 0 known, 1 unknown, 255 void.

    Args:
        root: Folder of the set.
        layout: How its files lie: ``plain``, ``segment_me_if_you_can``, ``road_anomaly`` or ``fishyscapes``.
        images: Folder that holds ``leftImg8bit``, for the layout ``fishyscapes``; ``root`` if None.

    Raises:
        DatasetNotFoundError: If a folder is missing or empty.
        UnpairedFilesError: If an image has no labels, or labels have no image.
        UnknownNameError: If there is no such layout.
    """

    def __init__(self, root: str | Path, layout: Layout = "plain", images: str | Path | None = None) -> None:
        if layout not in _LAYOUTS:
            raise UnknownNameError("layout of an anomaly set", layout, _LAYOUTS)
        base = Path(root)
        self.layout, self.overlays = layout, dict[str, Path]()
        if layout == "fishyscapes":
            items = _fishyscapes(base, base if images is None else Path(images))
            self.overlays = _overlays(base)
        else:
            items = _LAYOUTS[layout](base)
        if not items:
            raise DatasetNotFoundError(
                f"no image with labels in the layout {layout!r} below {str(base)!r}; "
                f"{set_root('it')}, or choose another `layout` of {', '.join(_LAYOUTS)}"
            )
        super().__init__(items, LABELS)

    def __getitem__(self, index: int) -> Sample:
        sample = super().__getitem__(index)
        overlay = self.overlays.get(sample.id.partition("_")[0])
        return sample if overlay is None else sample._replace(image=_added(sample.image, overlay))

    def read_labels(self, path: Path) -> NDArray[np.unsignedinteger]:
        """Labels of one image, ``(H, W)``: 0 known, 1 unknown, 255 void.

        Raises:
            ImageError: If the file cannot be read, or holds other ids than the layout has.
        """
        labels = read_label_image(path)
        meaning = ROAD_ANOMALY_IDS if self.layout == "road_anomaly" else {i: i for i in LABELS.label_mapping}
        strange = sorted(set(np.unique(labels).tolist()) - meaning.keys())
        if strange:
            raise ImageError(
                f"{path} has the label ids {strange}, expected only {sorted(meaning)}; choose another `layout` of this "
                "dataset's entry, or correct the file"
            )
        table = np.full(256, VOID, np.uint8)
        table[list(meaning)] = list(meaning.values())
        read: NDArray[np.uint8] = table[labels]
        return read


def _plain(base: Path) -> list[FileItem]:
    images, labels = _folders(base, "images", "labels")
    return paired_items(_images(images), {path.stem: path for path in labels.glob("*.png")})


def _segment_me_if_you_can(base: Path) -> list[FileItem]:
    images, masks = _folders(base, "images", "labels_masks")
    suffix = "_labels_semantic.png"
    labels = {path.name.removesuffix(suffix): path for path in masks.glob(f"*{suffix}")}
    return paired_items({key: path for key, path in _images(images).items() if key in labels}, labels)


def _road_anomaly(base: Path) -> list[FileItem]:
    (frames,) = _folders(base, "frames")
    labels = {
        path.parent.name.removesuffix(".labels"): path for path in frames.glob("*.labels/labels_semantic.png")
    }
    return paired_items(_images(frames), labels)


def _fishyscapes(base: Path, images: Path) -> list[FileItem]:
    what = "<number>_<frame>_labels.png"
    labels = require_folder(base, set_root(what)).glob("*_labels.png")
    named = {path: re.fullmatch(r"\d+_(.+)_labels\.png", path.name) for path in sorted(labels)}
    folder = require_folder(
        images / "leftImg8bit",
        "set `images` of this dataset's entry to the folder that holds leftImg8bit/ of Lost and Found or Cityscapes",
    )
    frames = {
        path.name.removesuffix("_leftImg8bit.png"): path for path in folder.glob("*/*/*_leftImg8bit.png")
    }
    items = []
    for path, match in named.items():
        if match is None:
            continue
        if match[1] not in frames:
            raise UnpairedFilesError(
                f"{path} has no photograph {match[1]}_leftImg8bit.png below {str(folder)!r}; "
                "add it or remove the labels"
            )
        items.append(FileItem(path.name.removesuffix("_labels.png"), frames[match[1]], path))
    return items


def _overlays(base: Path) -> dict[str, Path]:
    """Number of a sample → what is to be added to its photograph."""
    return {path.name.partition("_")[0]: path for path in base.glob("*rgb.npz")}


def _added(image: NDArray[np.uint8], overlay: Path) -> NDArray[np.uint8]:
    try:
        with zipfile.ZipFile(
            overlay
        ) as archive:  # nothing is unpacked that claims more than the photograph takes
            size = archive.getinfo("rgb.npy").file_size
        if size > LARGEST_VALUE * image.size + HEADER:
            raise ValueError(f"it unpacks to {size} bytes, the photograph has {image.size} values")
        with np.load(overlay, allow_pickle=False) as content:
            difference = content["rgb"].astype(np.int64)
    except Exception as error:  # zip files fail in many ways
        raise ImageError(f"cannot read {str(overlay)!r} ({error}); replace or remove it") from error
    if difference.shape != image.shape:
        raise ImageError(
            f"{overlay} has the shape {difference.shape}, its photograph {image.shape}; replace one of them"
        )
    shown: NDArray[np.uint8] = (image + difference).clip(0, 255).astype(np.uint8)
    return shown


def _folders(base: Path, *names: str) -> list[Path]:
    remedy = set_root(" and ".join(f"{name}/" for name in names))
    return [require_folder(base / name, remedy) for name in names]


def _images(folder: Path) -> dict[str, Path]:
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    images = {path.stem: path for path in found}
    if len(images) < len(found):
        twice = next(path for path in found if images[path.stem] != path)
        raise UnpairedFilesError(
            f"{twice} and {images[twice.stem].name} have the same id; remove one of them"
        )
    return images


_LAYOUTS: dict[str, Callable[[Path], list[FileItem]]] = {
    "plain": _plain,
    "segment_me_if_you_can": _segment_me_if_you_can,
    "road_anomaly": _road_anomaly,
    "fishyscapes": lambda base: _fishyscapes(base, base),
}
