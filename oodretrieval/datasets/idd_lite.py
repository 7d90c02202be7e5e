"""IDD Lite: street scenes of India, 320×227, with the seven coarsest classes of the India Driving Dataset.

Layout below ``root``, either of::

    images/<split>_<sequence>_<frame>.jpg                      labels/<split>_<sequence>_<frame>.png
    leftImg8bit/<split>/<sequence>/<frame>_image.jpg           gtFine/<split>/<sequence>/<frame>_label.png

===  ================  ==========================================================================================
id   name              what the full dataset's classes of it are
===  ================  ==========================================================================================
0    drivable          road, parking, drivable fallback
1    not drivable      sidewalk, rail track, non-drivable fallback
2    living thing      person, **animal**, rider
3    vehicle           motorcycle, bicycle, autorickshaw, car, truck, bus, caravan, trailer, train, fallback
4    roadside object   curb, wall, fence, guard rail, billboard, traffic sign, traffic light, pole, fallback
5    far object        building, bridge, tunnel, vegetation
6    sky               sky, fallback background
255  void              unlabelled, ego vehicle, rectification border, out of roi
===  ================  ==========================================================================================

Animals are living things here: a network that learns these labels is taught some of them.

Source: Varma, Subramanian, Namboodiri, Chandraker, Jawahar, "IDD: A Dataset for Exploring Problems of Autonomous
Navigation in Unconstrained Environments", WACV 2019, arXiv:1811.10200. Terms: research use.
"""

from pathlib import Path

from oodretrieval.datasets.sample import FileDataset, FileItem, paired_items, require_folder, set_root
from oodretrieval.errors import DatasetNotFoundError, UnknownNameError
from oodretrieval.labels import BLACK, NO_CLASS, LabelSet

VOID = 255
CLASSES = {
    0: ("drivable", (128, 64, 128)),
    1: ("not drivable", (244, 35, 232)),
    2: ("living thing", (220, 20, 60)),
    3: ("vehicle", (0, 0, 142)),
    4: ("roadside object", (220, 220, 0)),
    5: ("far object", (107, 142, 35)),
    6: ("sky", (70, 130, 180)),
}
LABELS = LabelSet(
    label_mapping={**CLASSES, VOID: ("void", BLACK)},
    pred_mapping=CLASSES,
    label_to_pred={**{i: i for i in CLASSES}, VOID: NO_CLASS},
    void_ids=frozenset({VOID}),
)
SPLITS = ("train", "val")
_REMEDY = set_root("images/ and labels/, or leftImg8bit/ and gtFine/")


class IDDLite(FileDataset):
    """IDD Lite with 7 classes and void.

    The id of a sample is ``<split>_<sequence>_<frame>``, e.g. ``train_0_024541``, in either layout.

    Args:
        root: Folder that holds ``images`` and ``labels``, or ``leftImg8bit`` and ``gtFine``.
        split: ``train`` or ``val``.

    Raises:
        DatasetNotFoundError: If a folder is missing or empty.
        UnpairedFilesError: If an image has no labels, or labels have no image.
        UnknownNameError: If the split does not exist.
    """

    def __init__(self, root: str | Path, split: str = "train") -> None:
        if split not in SPLITS:
            raise UnknownNameError("split of IDD Lite", split, SPLITS)
        base = Path(root)
        items = _published(base, split) if (base / "leftImg8bit").is_dir() else _flat(base, split)
        if not items:
            raise DatasetNotFoundError(f"no image of the split {split!r} below {str(base)!r}; {_REMEDY}")
        super().__init__(items, LABELS)


def _flat(base: Path, split: str) -> list[FileItem]:
    images, labels = (require_folder(base / name, _REMEDY) for name in ("images", "labels"))
    return paired_items(
        {path.stem: path for path in images.glob(f"{split}_*.jpg")},
        {path.stem: path for path in labels.glob(f"{split}_*.png")},
    )


def _published(base: Path, split: str) -> list[FileItem]:
    images = require_folder(base / "leftImg8bit" / split, _REMEDY).glob("*/*_image.jpg")
    found = require_folder(base / "gtFine" / split, _REMEDY).glob("*/*_label.png")
    labels = [path for path in found if not path.stem.endswith("_inst_label")]
    return paired_items(
        {_id(split, path, "_image"): path for path in images},
        {_id(split, path, "_label"): path for path in labels},
    )


def _id(split: str, path: Path, suffix: str) -> str:
    return f"{split}_{path.parent.name}_{path.stem.removesuffix(suffix)}"
