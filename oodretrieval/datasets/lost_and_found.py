"""Lost and Found: small obstacles left on the road, 112 video sequences, 2048×1024, in Cityscapes' layout.

Layout below ``root``, as in the dataset's archives (8-bit images)::

    leftImg8bit/<split>/<scene>/<scene>_<sequence>_<frame>_leftImg8bit.png
    gtCoarse/<split>/<scene>/<scene>_<sequence>_<frame>_gtCoarse_labelIds.png

Label ids of the ``labelIds`` files: 0 is everything that was not labelled (the published table puts
unlabeled, ego vehicle, rectification border, out of roi and background on this one id), 1 the free space of
the road, 2 … 43 the obstacles. The polygon files count obstacles from "01": the label id is that number plus
one. Predicted ids are Cityscapes' 19 classes: free space is road, 0 is void, every obstacle is unknown.

Two groups of obstacles stand out. *Random non-hazards* (flat or thin things) are obstacles here, while the
published two-class evaluation counts them as background: :data:`GROUPS` distinguishes them. A bicycle and
children are obstacles by the dataset's purpose, but classes that a network trained on Cityscapes knows: with
``known_things=True`` they map to bicycle and person (benchmarks for unknown objects leave these frames out).

Source: Pinggera et al., "Lost and Found: Detecting Small Road Hazards for Self-Driving Vehicles", IROS 2016,
arXiv:1609.04653; table of labels ``laf_table.pdf`` of its web page. Terms: non-commercial research.
"""

from dataclasses import replace
from pathlib import Path

from oodretrieval.colours import numbered_colour
from oodretrieval.datasets.cityscapes import CLASSES, PREDICTED, list_items
from oodretrieval.datasets.sample import FileDataset
from oodretrieval.errors import UnknownNameError
from oodretrieval.labels import NO_CLASS, LabelSet

VOID, FREE_SPACE, FIRST_OBSTACLE = 0, 1, 2

_OBSTACLES = (
    ("crate (black)", "standard objects"),
    ("crate (black, stacked)", "standard objects"),
    ("crate (black, upright)", "standard objects"),
    ("crate (grey)", "standard objects"),
    ("crate (grey, stacked)", "standard objects"),
    ("crate (grey, upright)", "standard objects"),
    ("bumper", "random hazards"),
    ("cardboard box 1", "random hazards"),
    ("crate (blue)", "random hazards"),
    ("crate (blue, small)", "random hazards"),
    ("crate (green)", "random hazards"),
    ("crate (green, small)", "random hazards"),
    ("exhaust pipe", "random hazards"),
    ("headlight", "random hazards"),
    ("euro pallet", "random hazards"),
    ("pylon", "random hazards"),
    ("pylon (large)", "random hazards"),
    ("pylon (white)", "random hazards"),
    ("rearview mirror", "random hazards"),
    ("tire", "random hazards"),
    ("ball", "emotional hazards"),
    ("bicycle", "emotional hazards"),
    ("dog (black)", "emotional hazards"),
    ("dog (white)", "emotional hazards"),
    ("kid dummy", "emotional hazards"),
    ("bobby car (grey)", "emotional hazards"),
    ("bobby car (red)", "emotional hazards"),
    ("bobby car (yellow)", "emotional hazards"),
    ("cardboard box 2", "random hazards"),
    ("marker pole (lying)", "random non-hazards"),
    ("plastic bag (bloated)", "random hazards"),
    ("post (red, lying)", "random non-hazards"),
    ("post stand", "random non-hazards"),
    ("styrofoam", "random hazards"),
    ("timber (small)", "random non-hazards"),
    ("timber (squared)", "random non-hazards"),
    ("wheel cap", "random non-hazards"),
    ("wood (thin)", "random non-hazards"),
    ("kid (walking)", "humans"),
    ("kid (on a bobby car)", "humans"),
    ("kid (on a small bobby car)", "humans"),
    ("kid (crawling)", "humans"),
)

GROUPS = {
    group: frozenset(i for i, (_, g) in enumerate(_OBSTACLES, FIRST_OBSTACLE) if g == group)
    for group in dict.fromkeys(group for _, group in _OBSTACLES)
}
"""Group of the published table → label ids of its obstacles."""


LABELS = LabelSet(
    label_mapping={
        VOID: ("background", (0, 0, 0)),
        FREE_SPACE: ("free space", CLASSES[PREDICTED["road"]][1]),
        **{
            # the published table paints all obstacles alike, which no plot can use
            i + FIRST_OBSTACLE: (name, numbered_colour(i, 0.9 - 0.35 * (i % 2), 0.95))
            for i, (name, _) in enumerate(_OBSTACLES)
        },
    },
    pred_mapping=CLASSES,
    label_to_pred={
        VOID: NO_CLASS,
        FREE_SPACE: PREDICTED["road"],
        **{i + FIRST_OBSTACLE: NO_CLASS for i in range(len(_OBSTACLES))},
    },
    void_ids=frozenset({VOID}),
)

_KNOWN_THINGS = {
    **dict.fromkeys(GROUPS["humans"], PREDICTED["person"]),
    **{i: PREDICTED["bicycle"] for i, (name, _) in LABELS.label_mapping.items() if name == "bicycle"},
}
SPLITS = ("train", "test")


class LostAndFound(FileDataset):
    """Lost and Found with its 44 label ids against Cityscapes' 19 classes.

    The id of a sample is its path below ``leftImg8bit`` without ``_leftImg8bit.png``, e.g.
    ``test/02_Hanns_Klemm_Str_44/02_Hanns_Klemm_Str_44_000000_000040``.

    Args:
        root: Folder that holds ``leftImg8bit`` and ``gtCoarse``.
        split: ``train`` or ``test``; both have truth.
        known_things: Whether children and the bicycle map to Cityscapes' person and bicycle; else they are
            unknown like every obstacle.

    Raises:
        DatasetNotFoundError: If a folder is missing or empty.
        UnpairedFilesError: If an image has no labels, or labels have no image.
        UnknownNameError: If the split does not exist.
    """

    video = True

    def __init__(self, root: str | Path, split: str = "test", known_things: bool = False) -> None:
        if split not in SPLITS:
            raise UnknownNameError("split of Lost and Found", split, SPLITS)
        label_set = LABELS
        if known_things:
            label_set = replace(LABELS, label_to_pred={**LABELS.label_to_pred, **_KNOWN_THINGS})
        super().__init__(list_items(Path(root), split, "gtCoarse"), label_set)
