"""CamVid by drive, with the full labels of the original next to the 12 classes of SegNet's arrangement.

Layout below ``root``, that of :class:`~oodretrieval.datasets.CamVid`, and for the full labels::

    labels32/<frame>.png     index of one of the 32 classes below, for the frames for which it is known

A **drive** is what a frame's name says before its first ``_``: 0001TP, 0006R0, 0016E5. The frames of one drive
resemble each other, so a network that was trained on some of them has seen the scene of all: leave whole drives out.

===========  ==================================================================================================
predicted    full labels
===========  ==================================================================================================
sky          Sky
building     Building, Wall
pole         Column_Pole
road         Road, LaneMkgsDriv, LaneMkgsNonDriv, RoadShoulder
pavement     Sidewalk, ParkingBlock
tree         Tree, VegetationMisc
sign         SignSymbol, Misc_Text, TrafficLight
fence        Fence
car          Car, SUVPickupTruck, Truck_Bus
unknown      Animal, CartLuggagePram, Child, TrafficCone, OtherMoving (mostly parked bicycles), Pedestrian,
             Bicyclist, MotorcycleScooter
void         Void, Archway, Bridge, Tunnel, Train
===========  ==================================================================================================

In the 12 classes Animal, CartLuggagePram, Child, TrafficCone and OtherMoving are void: there, much of what looks
like a false alarm is an unknown object without a label.

Source: Brostow, Fauqueur, Cipolla, "Semantic object classes in video", Pattern Recognition Letters 2009.
Terms: research use.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from oodretrieval.choices import CAMVID_UNKNOWN
from oodretrieval.datasets import camvid
from oodretrieval.datasets.adapt_labels import ids_of_members
from oodretrieval.datasets.sample import FileDataset, FileItem, require_folder, set_root
from oodretrieval.errors import DatasetNotFoundError, UnknownNameError
from oodretrieval.labels import NO_CLASS, LabelSet

FULL_CLASSES: dict[int, tuple[str, tuple[int, int, int]]] = {
    0: ("Animal", (64, 128, 64)),
    1: ("Archway", (192, 0, 128)),
    2: ("Bicyclist", (0, 128, 192)),
    3: ("Bridge", (0, 128, 64)),
    4: ("Building", (128, 0, 0)),
    5: ("Car", (64, 0, 128)),
    6: ("CartLuggagePram", (64, 0, 192)),
    7: ("Child", (192, 128, 64)),
    8: ("Column_Pole", (192, 192, 128)),
    9: ("Fence", (64, 64, 128)),
    10: ("LaneMkgsDriv", (128, 0, 192)),
    11: ("LaneMkgsNonDriv", (192, 0, 64)),
    12: ("Misc_Text", (128, 128, 64)),
    13: ("MotorcycleScooter", (192, 0, 192)),
    14: ("OtherMoving", (128, 64, 64)),
    15: ("ParkingBlock", (64, 192, 128)),
    16: ("Pedestrian", (64, 64, 0)),
    17: ("Road", (128, 64, 128)),
    18: ("RoadShoulder", (128, 128, 192)),
    19: ("Sidewalk", (0, 0, 192)),
    20: ("SignSymbol", (192, 128, 128)),
    21: ("Sky", (128, 128, 128)),
    22: ("SUVPickupTruck", (64, 128, 192)),
    23: ("TrafficCone", (0, 0, 64)),
    24: ("TrafficLight", (0, 64, 64)),
    25: ("Train", (192, 64, 128)),
    26: ("Tree", (128, 128, 0)),
    27: ("Truck_Bus", (192, 128, 192)),
    28: ("Tunnel", (64, 0, 64)),
    29: ("VegetationMisc", (192, 192, 0)),
    30: ("Void", (0, 0, 0)),
    31: ("Wall", (64, 192, 0)),
}
KNOWN = {
    "sky": ("Sky",),
    "building": ("Building", "Wall"),
    "pole": ("Column_Pole",),
    "road": ("Road", "LaneMkgsDriv", "LaneMkgsNonDriv", "RoadShoulder"),
    "pavement": ("Sidewalk", "ParkingBlock"),
    "tree": ("Tree", "VegetationMisc"),
    "sign": ("SignSymbol", "Misc_Text", "TrafficLight"),
    "fence": ("Fence",),
    "car": ("Car", "SUVPickupTruck", "Truck_Bus"),
}
"""Predicted class → full labels that it stands for."""
VOID = ("Void", "Archway", "Bridge", "Tunnel", "Train")


def _full_labels() -> LabelSet:
    predicted = camvid.LABELS.with_unknown(CAMVID_UNKNOWN).pred_mapping
    class_of = ids_of_members(predicted, KNOWN)
    return LabelSet(
        label_mapping=FULL_CLASSES,
        pred_mapping=predicted,
        label_to_pred={number: class_of.get(name, NO_CLASS) for number, (name, _) in FULL_CLASSES.items()},
        void_ids=frozenset(number for number, (name, _) in FULL_CLASSES.items() if name in VOID),
    )


LABELS = {"full": _full_labels(), "12 classes": camvid.LABELS.with_unknown(CAMVID_UNKNOWN)}
"""Which labels → their tables; the predicted classes are the same."""

Labels = Literal["full", "12 classes"]


class CamVidDrives(FileDataset):
    """The frames of some drives of CamVid, whatever their split; pedestrians and bicyclists are unknown.

    The id of a sample is its frame's name, e.g. ``0016E5_07959``.

    Args:
        root: Folder that holds ``train``, ``trainannot``, …, and ``labels32``.
        drives: Beginnings of the frames' names up to the first ``_``.
        labels: ``full`` labels, of those frames that have them; or the ``12 classes``, of all.
        splits: Where frames are looked for.

    Raises:
        DatasetNotFoundError: If a folder is missing, or there is no frame of a drive, or none with full labels.
        UnpairedFilesError: If a frame has no labels of the 12 classes, or labels have no frame.
        UnknownNameError: If ``labels`` or a split does not exist.
    """

    video = True

    def __init__(
        self,
        root: str | Path,
        drives: Sequence[str] = ("0001TP", "0006R0", "0016E5"),
        labels: Labels = "full",
        splits: Sequence[str] = ("train", "val"),
    ) -> None:
        if labels not in LABELS:
            raise UnknownNameError("labels of CamVid", labels, LABELS)
        found = [item for split in splits for item in camvid.CamVid(root, split).items]
        by_drive = {drive: [item for item in found if drive_of(item.id) == drive] for drive in drives}
        for drive, items in by_drive.items():
            if not items:
                raise UnknownNameError("drive of CamVid", drive, {drive_of(item.id) for item in found})
        items = sorted(item for items in by_drive.values() for item in items)
        if labels == "full":
            items = _with_full_labels(items, Path(root) / "labels32", drives)
        super().__init__(items, LABELS[labels])


def drive_of(frame: str) -> str:
    """The drive that ``frame`` is of, by the frame's name.

    Example:
        >>> drive_of("0016E5_07959")
        '0016E5'
    """
    return frame.partition("_")[0]


def _with_full_labels(items: Sequence[FileItem], folder: Path, drives: Sequence[str]) -> list[FileItem]:
    """The frames that have full labels, with these."""
    remedy = set_root("train/, trainannot/ and labels32/")
    known = {path.stem: path for path in require_folder(folder, remedy).glob("*.png")}
    kept = [item._replace(labels=known[item.id]) for item in items if item.id in known]
    if not kept:
        raise DatasetNotFoundError(
            f"none of the {len(items)} frames of {', '.join(drives)} has full labels in {str(folder)!r}; add them "
            "there, or use the entry with 12 classes"
        )
    return kept
