"""Cityscapes: street scenes of 50 cities, 2048×1024, finely labelled.

Layout below ``root``, as in the dataset's archives::

    leftImg8bit/<split>/<city>/<city>_<sequence>_<frame>_leftImg8bit.png
    gtFine/<split>/<city>/<city>_<sequence>_<frame>_gtFine_labelIds.png

Label ids are the 34 ids of ``labelIds`` files, predicted ids the 19 train ids. Of the ids that are no train
id, the category "void" (0 … 6: unlabeled, ego vehicle, rectification border, out of roi, static, dynamic,
ground) is void: these are borders of the picture and leftovers that the labelling did not distinguish, so
nobody can say whether a segment on them is right. "dynamic" does hold some unusual things (bags, bins,
animals), but mixed with everything else that moves. The eight others are things that the network was not
taught, hence **unknown**: parking, rail track, guard rail, bridge, tunnel, polegroup, caravan, trailer.

The licence plate has the id -1 in the official table, which an 8-bit file cannot hold: the official tool does
not draw it, so its pixels carry the id of the vehicle. Files of other origin that store it as 255 are read as
void.

Source: Cordts et al., "The Cityscapes Dataset for Semantic Urban Scene Understanding", CVPR 2016,
arXiv:1604.01685. Terms: non-commercial research.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from oodretrieval.datasets.sample import FileDataset, FileItem, paired_items, require_folder, set_root
from oodretrieval.errors import DatasetNotFoundError, UnknownNameError
from oodretrieval.labels import NO_CLASS, LabelSet


class _Class(NamedTuple):
    name: str
    train_id: int
    category: str
    colour: tuple[int, int, int]


_CLASSES = (
    _Class("unlabeled", NO_CLASS, "void", (0, 0, 0)),
    _Class("ego vehicle", NO_CLASS, "void", (0, 0, 0)),
    _Class("rectification border", NO_CLASS, "void", (0, 0, 0)),
    _Class("out of roi", NO_CLASS, "void", (0, 0, 0)),
    _Class("static", NO_CLASS, "void", (0, 0, 0)),
    _Class("dynamic", NO_CLASS, "void", (111, 74, 0)),
    _Class("ground", NO_CLASS, "void", (81, 0, 81)),
    _Class("road", 0, "flat", (128, 64, 128)),
    _Class("sidewalk", 1, "flat", (244, 35, 232)),
    _Class("parking", NO_CLASS, "flat", (250, 170, 160)),
    _Class("rail track", NO_CLASS, "flat", (230, 150, 140)),
    _Class("building", 2, "construction", (70, 70, 70)),
    _Class("wall", 3, "construction", (102, 102, 156)),
    _Class("fence", 4, "construction", (190, 153, 153)),
    _Class("guard rail", NO_CLASS, "construction", (180, 165, 180)),
    _Class("bridge", NO_CLASS, "construction", (150, 100, 100)),
    _Class("tunnel", NO_CLASS, "construction", (150, 120, 90)),
    _Class("pole", 5, "object", (153, 153, 153)),
    _Class("polegroup", NO_CLASS, "object", (153, 153, 153)),
    _Class("traffic light", 6, "object", (250, 170, 30)),
    _Class("traffic sign", 7, "object", (220, 220, 0)),
    _Class("vegetation", 8, "nature", (107, 142, 35)),
    _Class("terrain", 9, "nature", (152, 251, 152)),
    _Class("sky", 10, "sky", (70, 130, 180)),
    _Class("person", 11, "human", (220, 20, 60)),
    _Class("rider", 12, "human", (255, 0, 0)),
    _Class("car", 13, "vehicle", (0, 0, 142)),
    _Class("truck", 14, "vehicle", (0, 0, 70)),
    _Class("bus", 15, "vehicle", (0, 60, 100)),
    _Class("caravan", NO_CLASS, "vehicle", (0, 0, 90)),
    _Class("trailer", NO_CLASS, "vehicle", (0, 0, 110)),
    _Class("train", 16, "vehicle", (0, 80, 100)),
    _Class("motorcycle", 17, "vehicle", (0, 0, 230)),
    _Class("bicycle", 18, "vehicle", (119, 11, 32)),
)

CLASSES = {c.train_id: (c.name, c.colour) for c in _CLASSES if c.train_id != NO_CLASS}
"""Predicted (train) id → (name, colour): the 19 classes of every network trained on Cityscapes."""

LABELS = LabelSet(
    label_mapping={i: (c.name, c.colour) for i, c in enumerate(_CLASSES)},
    pred_mapping=CLASSES,
    label_to_pred={i: c.train_id for i, c in enumerate(_CLASSES)},
    void_ids=frozenset(i for i, c in enumerate(_CLASSES) if c.category == "void"),
)

CATEGORIES = {
    category: (
        frozenset(i for i, c in enumerate(_CLASSES) if c.category == category),
        frozenset(c.train_id for c in _CLASSES if c.category == category and c.train_id != NO_CLASS),
    )
    for category in dict.fromkeys(c.category for c in _CLASSES if c.category != "void")
}
"""Category → (label ids, predicted ids): flat, construction, object, nature, sky, human, vehicle."""

PREDICTED = {name: train_id for train_id, (name, _) in CLASSES.items()}
"""Name → predicted id."""

SPLITS = ("train", "val", "test")


class Cityscapes(FileDataset):
    """Cityscapes with 34 label ids and 19 predicted ids.

    The id of a sample is its path below ``leftImg8bit`` without ``_leftImg8bit.png``, e.g.
    ``train/aachen/aachen_000000_000019``. The split ``test`` has no truth: ``label_set`` and labels are None,
    and the dummy files that its archive holds in place of labels are not read.

    Args:
        root: Folder that holds ``leftImg8bit`` and ``gtFine``.
        split: ``train``, ``val`` or ``test``.
        unknown: Names of classes that the network was not taught; the others close up to ids 0….

    Raises:
        DatasetNotFoundError: If a folder is missing or empty.
        UnpairedFilesError: If an image has no labels, or labels have no image.
        UnknownNameError: If the split or a name in ``unknown`` does not exist.
    """

    def __init__(self, root: str | Path, split: str = "train", unknown: Sequence[str] = ()) -> None:
        if split not in SPLITS:
            raise UnknownNameError("split of Cityscapes", split, SPLITS)
        label_set = LABELS.with_unknown(unknown)
        has_truth = split != "test"
        items = list_items(Path(root), split, "gtFine", has_truth=has_truth)
        super().__init__(items, label_set if has_truth else None)


def list_items(root: Path, split: str, truth: str, *, has_truth: bool = True) -> list[FileItem]:
    """Files of a split in the layout of Cityscapes.

    Args:
        root: Folder that holds ``leftImg8bit`` and ``truth``.
        split: Name of the folder below both.
        truth: Name of the folder of labels and part of their file names, e.g. ``"gtFine"``.
        has_truth: Whether labels are looked for.

    Returns:
        Items in order of their ids.

    Raises:
        DatasetNotFoundError: If a folder is missing or empty.
        UnpairedFilesError: If an image has no labels, or labels have no image.
    """
    remedy = set_root(f"leftImg8bit/ and {truth}/")
    images = _by_id(root / "leftImg8bit", split, "_leftImg8bit.png", remedy)
    if not images:
        raise DatasetNotFoundError(
            f"no <city>/*_leftImg8bit.png in {str(root / 'leftImg8bit' / split)!r}; {remedy}"
        )
    if not has_truth:
        return [FileItem(key, path, None) for key, path in images.items()]
    labels = _by_id(root / truth, split, f"_{truth}_labelIds.png", remedy)
    return paired_items(images, labels)


def _by_id(folder: Path, split: str, suffix: str, remedy: str) -> dict[str, Path]:
    """Id → file, for the files ``<folder>/<split>/<city>/*<suffix>``, in order of their ids."""
    files = require_folder(folder / split, remedy).glob(f"*/*{suffix}")
    found = {path.relative_to(folder).as_posix().removesuffix(suffix): path for path in files}
    return dict(sorted(found.items()))
