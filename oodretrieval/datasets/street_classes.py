"""Coarse classes of streets, which datasets of different labels have in common.

They are IDD Lite's seven. What the labels of the others are among them, by name:

===============  ===========================================  =====================================================
class            CamVid, 12 classes                           CamVid, full labels
===============  ===========================================  =====================================================
drivable         road                                         Road, LaneMkgsDriv, LaneMkgsNonDriv, RoadShoulder
not drivable     pavement                                     Sidewalk, ParkingBlock
living thing     pedestrian, bicyclist (rider and bicycle)    Pedestrian, Child, Bicyclist
vehicle          car                                          Car, SUVPickupTruck, Truck_Bus, MotorcycleScooter, Train
roadside object  pole, sign, fence                            Column_Pole, SignSymbol, TrafficLight, Misc_Text, Fence,
                                                              Wall
far object       building, tree                               Building, Tree, VegetationMisc, Archway, Bridge, Tunnel
sky              sky                                          Sky
unknown                                                       Animal, CartLuggagePram, TrafficCone, OtherMoving
===============  ===========================================  =====================================================

Two differences remain: CamVid's 12 classes count walls as building, IDD as roadside object; and IDD counts animals as
living things, so a network of these classes was taught some.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from oodretrieval.datasets import idd_lite
from oodretrieval.datasets.adapt_labels import ids_of_members
from oodretrieval.datasets.sample import SegmentationDataset
from oodretrieval.datasets.subset import Relabelled, opened
from oodretrieval.entries import DatasetEntry
from oodretrieval.errors import UnknownNameError
from oodretrieval.labels import NO_CLASS, LabelSet

CLASSES = idd_lite.CLASSES
MEMBERS = {
    "drivable": ("drivable", "road", "Road", "LaneMkgsDriv", "LaneMkgsNonDriv", "RoadShoulder"),
    "not drivable": ("not drivable", "pavement", "Sidewalk", "ParkingBlock"),
    "living thing": ("living thing", "pedestrian", "bicyclist", "Pedestrian", "Child", "Bicyclist"),
    "vehicle": ("vehicle", "car", "Car", "SUVPickupTruck", "Truck_Bus", "MotorcycleScooter", "Train"),
    "roadside object": (
        *("roadside object", "pole", "sign", "fence"),
        *("Column_Pole", "SignSymbol", "TrafficLight", "Misc_Text", "Fence", "Wall"),
    ),
    "far object": (
        *("far object", "building", "tree"),
        *("Building", "Tree", "VegetationMisc", "Archway", "Bridge", "Tunnel"),
    ),
    "sky": ("sky", "Sky"),
}
"""Class → names of the labels that belong to it."""
UNKNOWN = ("Animal", "CartLuggagePram", "TrafficCone", "OtherMoving")
"""Labels that are something, but none of the classes."""
VOID = ("void", "Void")


def street_labels(label_set: LabelSet) -> LabelSet:
    """The same label ids, mapped to the coarse classes by their names.

    Args:
        label_set: Labels whose names are all in the table above, or void.

    Returns:
        Labels of which the predicted ids are :data:`CLASSES`.

    Raises:
        UnknownNameError: If a label is not in the table.
    """
    class_of = ids_of_members(CLASSES, MEMBERS)
    nothing = dict.fromkeys((*UNKNOWN, *VOID), NO_CLASS)
    names = {label: name for label, (name, _) in label_set.label_mapping.items()}
    for name in names.values():
        if name not in class_of and name not in nothing:
            raise UnknownNameError("label with a street class", name, {*class_of, *nothing})
    return replace(
        label_set,
        pred_mapping=CLASSES,
        label_to_pred={label: {**class_of, **nothing}[name] for label, name in names.items()},
        void_ids=frozenset(label for label, name in names.items() if name in VOID),
        category_mapping=None,
    )


class StreetClassDataset(Relabelled):
    """All samples of a dataset, with the coarse classes as predicted ids; label ids stay as they are.

    Args:
        dataset: A dataset with truth.

    Raises:
        DatasetError: If it has no truth.
        UnknownNameError: If one of its labels is not in the table.
    """

    def __init__(self, dataset: SegmentationDataset) -> None:
        super().__init__(dataset, street_labels, "be mapped to street classes")

    @property
    def pred_class_selection(self) -> Sequence[int] | None:
        """None: what the dataset itself selects are other classes."""
        return None


def with_street_classes(
    dataset: SegmentationDataset | DatasetEntry, root: str | Path | None = None
) -> StreetClassDataset:
    """A dataset for a network of the coarse classes.

    Args:
        dataset: A dataset with truth, or the entry of one.
        root: Overrides the root of the entry.

    Returns:
        The dataset with the coarse classes as predicted ids.

    Raises:
        DatasetError: If the dataset has no truth.
        UnknownNameError: If one of its labels is not in the table.
    """
    return StreetClassDataset(opened(dataset, root))
