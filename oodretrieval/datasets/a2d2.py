"""A2D2: Audi's driving dataset, semantic part, 1920×1208, six cameras, colour-coded labels.

Layout below ``root``, as in the dataset's archive::

    camera_lidar_semantic/class_list.json                                    {"#ff0000": "Car 1", …}
    camera_lidar_semantic/<sequence>/camera/cam_<position>/*_camera_*.png
    camera_lidar_semantic/<sequence>/label/cam_<position>/*_label_*.png

``class_list.json`` (below ``camera_lidar_semantic`` or ``root``) gives 55 colours; several of one class
distinguish neighbouring instances ("Car 1" … "Car 4"). These numbers carry no meaning from image to image, so they
are merged: 38 classes, whose **label ids 0 … 37 are fixed here**, by name in alphabetical order, whatever the
order of the file. Black, which the list does not name, stands for pixels without a label (undistorted label
images have such borders): id 255, void.

Predicted ids are Cityscapes' 19 classes. A class maps to one of them where both mean the same; what only
resembles one stays unknown. Void are the car's own bonnet, blur and dirt, and "Non-drivable street", which
Cityscapes calls ground and ignores too. "Nature object" holds vegetation and terrain and maps to vegetation,
the larger part; the categories of :data:`LABELS` treat both alike, and give some unknown classes a place (a
tractor is a vehicle). Classes without a category (animals, trash, …) take no part in an evaluation by
category.

Source: Geyer et al., "A2D2: Audi Autonomous Driving Dataset", arXiv:2004.06320. Terms: CC BY-ND 4.0.
"""

import json
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from oodretrieval.datasets.cityscapes import CATEGORIES, CLASSES, PREDICTED
from oodretrieval.datasets.sample import FileDataset, FileItem, paired_items, require_folder, set_root
from oodretrieval.errors import (
    DatasetError,
    DatasetNotFoundError,
    ImageError,
    UnknownNameError,
)
from oodretrieval.images import read_image
from oodretrieval.labels import NO_CLASS, LabelSet


class _Class(NamedTuple):
    name: str
    colour: tuple[int, int, int]
    cityscapes: str | None = None
    category: str | None = None
    void: bool = False


_CLASSES = (
    _Class("Animals", (204, 255, 153)),
    _Class("Bicycle", (182, 89, 6), "bicycle", "vehicle"),
    _Class("Blurred area", (96, 69, 143), void=True),
    _Class("Buildings", (241, 230, 255), "building", "construction"),
    _Class("Car", (255, 0, 0), "car", "vehicle"),
    _Class("Curbstone", (128, 128, 0), "sidewalk", "flat"),
    _Class("Dashed line", (128, 0, 255), "road", "flat"),
    _Class("Drivable cobblestone", (180, 50, 180), "road", "flat"),
    _Class("Ego car", (72, 209, 204), void=True),
    _Class("Electronic traffic", (255, 70, 185)),
    _Class("Grid structure", (238, 162, 173), "fence", "construction"),
    _Class("Irrelevant signs", (64, 0, 64), None, "object"),
    _Class("Nature object", (147, 253, 194), "vegetation", "nature"),
    _Class("Non-drivable street", (139, 99, 108), void=True),
    _Class("Obstacles / trash", (255, 0, 128)),
    _Class("Painted driv. instr.", (200, 125, 210), "road", "flat"),
    _Class("Parking area", (150, 150, 200), None, "flat"),
    _Class("Pedestrian", (204, 153, 255), "person", "human"),
    _Class("Poles", (255, 246, 143), "pole", "object"),
    _Class("RD normal street", (255, 0, 255), "road", "flat"),
    _Class("RD restricted area", (150, 0, 150), "road", "flat"),
    _Class("Rain dirt", (53, 46, 82), void=True),
    _Class("Road blocks", (185, 122, 87), None, "construction"),
    _Class("Sidebars", (233, 100, 0)),
    _Class("Sidewalk", (180, 150, 200), "sidewalk", "flat"),
    _Class("Signal corpus", (33, 44, 177), "traffic light", "object"),
    _Class("Sky", (135, 206, 255), "sky", "sky"),
    _Class("Slow drive area", (238, 233, 191), "road", "flat"),
    _Class("Small vehicles", (0, 255, 0), "motorcycle", "vehicle"),
    _Class("Solid line", (255, 193, 37), "road", "flat"),
    _Class("Speed bumper", (110, 110, 0), "road", "flat"),
    _Class("Tractor", (0, 0, 100), None, "vehicle"),
    _Class("Traffic guide obj.", (159, 121, 238), None, "object"),
    _Class("Traffic sign", (0, 255, 255), "traffic sign", "object"),
    _Class("Traffic signal", (0, 128, 255), "traffic light", "object"),
    _Class("Truck", (255, 128, 0), "truck", "vehicle"),
    _Class("Utility vehicle", (255, 255, 0), None, "vehicle"),
    _Class("Zebra crossing", (210, 50, 115), "road", "flat"),
)
_IDS = {c.name: i for i, c in enumerate(_CLASSES)}
UNLABELLED = 255
"""Label id of black pixels."""

LABELS = LabelSet(
    label_mapping={
        **{i: (c.name, c.colour) for i, c in enumerate(_CLASSES)},
        UNLABELLED: ("unlabelled", (0, 0, 0)),
    },
    pred_mapping=CLASSES,
    label_to_pred={
        **{i: PREDICTED[c.cityscapes] if c.cityscapes else NO_CLASS for i, c in enumerate(_CLASSES)},
        UNLABELLED: NO_CLASS,
    },
    void_ids=frozenset({UNLABELLED, *(i for i, c in enumerate(_CLASSES) if c.void)}),
    category_mapping={
        category: (frozenset(i for i, c in enumerate(_CLASSES) if c.category == category), predicted)
        for category, (_, predicted) in CATEGORIES.items()
    },
)

_NO_SUCH_COLOUR = 254
_REMEDY = set_root("camera_lidar_semantic/")


class A2D2(FileDataset):
    """A2D2 with 38 label ids against Cityscapes' 19 classes.

    The id of a sample is the image's path below ``camera_lidar_semantic`` without suffix, e.g.
    ``20180807_145028/camera/cam_front_center/20180807145028_camera_frontcenter_000000091``.

    Args:
        root: Folder that holds ``camera_lidar_semantic``.
        cameras: Positions to use, of ``front_center``, ``front_left``, ``front_right``, ``side_left``,
            ``side_right``, ``rear_center``. A sequence that lacks a position contributes the others.

    Raises:
        DatasetNotFoundError: If a folder or ``class_list.json`` is missing.
        DatasetError: If ``class_list.json`` cannot be understood.
        UnknownNameError: If no sequence has one of ``cameras``; the message lists the positions that exist.
        UnpairedFilesError: If an image has no labels, or labels have no image.
    """

    video = True

    def __init__(self, root: str | Path, cameras: Sequence[str] = ("front_center",)) -> None:
        positions = (cameras,) if isinstance(cameras, str) else tuple(cameras)
        base = require_folder(Path(root) / "camera_lidar_semantic", _REMEDY)
        self._colours = tuple(sorted(read_class_list(_find_class_list(base)).items()))
        super().__init__(_list_items(base, positions), LABELS)

    def read_labels(self, path: Path) -> NDArray[np.unsignedinteger]:
        """Read one colour-coded label file.

        Returns:
            Label ids, ``(H, W)`` uint8.

        Raises:
            ImageError: If the file cannot be read, or holds a colour that ``class_list.json`` does not name.
        """
        return labels_from_colours(read_image(path), self._colours, path)


def read_class_list(path: Path) -> dict[int, int]:
    """Read ``class_list.json``.

    Args:
        path: A JSON object, ``"#rrggbb"`` → name, instances distinguished by a number behind it.

    Returns:
        Colour as ``red << 16 | green << 8 | blue`` → label id; black is :data:`UNLABELLED` unless it has a
        name.

    Raises:
        DatasetError: If the file is not of this form, or names a class that A2D2 does not have.
    """
    try:
        named = json.loads(path.read_text(encoding="utf-8"))
        names = {_packed(key): re.sub(r" \d+$", "", name.strip()) for key, name in named.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise DatasetError(
            f'{str(path)!r} must be a JSON object "#rrggbb": "name" ({error}); restore it from the archive'
        ) from error
    odd = sorted(set(names.values()) - _IDS.keys())
    if odd:
        raise DatasetError(
            f"{str(path)!r} names classes that are none of A2D2's {len(_IDS)}: {', '.join(odd)}; "
            "restore it from the archive"
        )
    return {0: UNLABELLED, **{colour: _IDS[name] for colour, name in names.items()}}


def _packed(colour: str) -> int:
    """``"#rrggbb"`` as one number."""
    if not re.fullmatch("#[0-9a-fA-F]{6}", colour):
        raise ValueError(f"{colour!r} is no colour")
    return int(colour[1:], 16)


def labels_from_colours(
    image: NDArray[np.uint8], colours: Iterable[tuple[int, int]], path: Path
) -> NDArray[np.uint8]:
    """Translate colours to label ids, exactly.

    Args:
        image: RGB, ``(H, W, 3)``.
        colours: Pairs of packed colour (``red << 16 | green << 8 | blue``) and label id.
        path: Where the image comes from, for the message.

    Returns:
        Label ids, ``(H, W)``.

    Raises:
        ImageError: If the image holds a colour that is not in ``colours``.

    Example:
        >>> labels_from_colours(np.array([[[255, 0, 0]]], np.uint8), [(0xFF0000, 4)], Path("x.png")).tolist()
        [[4]]
    """
    channels = image.astype(np.int32)
    packed = channels[..., 0] << 16 | channels[..., 1] << 8 | channels[..., 2]
    labels: NDArray[np.uint8] = _colour_table(tuple(colours))[packed]
    strange = packed[labels == _NO_SUCH_COLOUR]
    if strange.size:
        raise ImageError(
            f"{path}: {strange.size} pixel(s) of colours that class_list.json does not name, e.g. "
            f"#{int(strange[0]):06x}; restore the file, lossless and without resizing"
        )
    return labels


@lru_cache(maxsize=2)
def _colour_table(colours: tuple[tuple[int, int], ...]) -> NDArray[np.uint8]:
    """Packed colour → label id, 16 MiB; shared by all datasets of a process and never sent to another."""
    table = np.full(1 << 24, _NO_SUCH_COLOUR, np.uint8)
    for colour, label in colours:
        table[colour] = label
    return table


def _find_class_list(base: Path) -> Path:
    for folder in (base, base.parent):
        if (folder / "class_list.json").is_file():
            return folder / "class_list.json"
    raise DatasetNotFoundError(
        f"no class_list.json in {str(base)!r} or above it; copy it there from A2D2's archive "
        "(it says which colour is which class)"
    )


def _list_items(base: Path, positions: Sequence[str]) -> list[FileItem]:
    """All pairs of image and labels of these positions, in order of sequence, position and file name."""
    folders = sorted(path for path in base.glob("*/camera/cam_*") if path.is_dir())
    existing = {folder.name.removeprefix("cam_") for folder in folders}
    if not existing:
        raise DatasetNotFoundError(f"no <sequence>/camera/cam_<position>/ in {str(base)!r}; {_REMEDY}")
    for position in positions:
        if position not in existing:
            raise UnknownNameError("camera position of A2D2", position, existing)
    chosen = [folder for folder in folders if folder.name.removeprefix("cam_") in positions]
    items = [item for folder in chosen for item in _pair(folder, base)]
    if not items:
        raise DatasetNotFoundError(
            f"no *_camera_*.png of {', '.join(positions) or 'no camera'} in {str(base)!r}"
        )
    return items


def _pair(folder: Path, base: Path) -> list[FileItem]:
    """Images of one camera folder with the labels that lie in the folder ``label`` next to ``camera``."""
    label_folder = folder.parents[1] / "label" / folder.name
    within = folder.relative_to(base)
    images = {(within / path.stem).as_posix(): path for path in folder.glob("*_camera_*.png")}
    labels = {
        (within / path.stem.replace("_label_", "_camera_")).as_posix(): path
        for path in label_folder.glob("*_label_*.png")
    }
    return paired_items(images, labels)
