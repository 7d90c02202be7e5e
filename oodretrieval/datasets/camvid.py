"""CamVid: 701 labelled frames of driving video in Cambridge, in the 11-class, 480×360 arrangement of SegNet.

Layout below ``root``: ``train/*.png``, ``trainannot/*.png``, likewise ``val`` and ``test``.
Frames of one clip share the first part of their name; ``val`` is a single clip.

Source: Brostow, Fauqueur, Cipolla, "Semantic object classes in video", Pattern Recognition Letters 2009.
Terms: research use.
"""

from collections.abc import Sequence
from pathlib import Path

from oodretrieval.datasets.sample import FileDataset, paired_items, require_folder, set_root
from oodretrieval.errors import DatasetNotFoundError, UnknownNameError
from oodretrieval.labels import NO_CLASS, LabelSet

VOID = 11
CLASSES = {
    0: ("sky", (128, 128, 128)),
    1: ("building", (128, 0, 0)),
    2: ("pole", (192, 192, 128)),
    3: ("road", (128, 64, 128)),
    4: ("pavement", (60, 40, 222)),
    5: ("tree", (128, 128, 0)),
    6: ("sign", (192, 128, 128)),
    7: ("fence", (64, 64, 128)),
    8: ("car", (64, 0, 128)),
    9: ("pedestrian", (64, 64, 0)),
    10: ("bicyclist", (0, 128, 192)),
}
LABELS = LabelSet(
    label_mapping={**CLASSES, VOID: ("void", (0, 0, 0))},
    pred_mapping=CLASSES,
    label_to_pred={**{i: i for i in CLASSES}, VOID: NO_CLASS},
    void_ids=frozenset({VOID}),
)
SPLITS = ("train", "val", "test")


class CamVid(FileDataset):
    """CamVid with 11 classes and void.

    Args:
        root: Folder that holds ``train``, ``trainannot``, ….
        split: ``train``, ``val`` or ``test``.
        unknown: Names of classes that the network was not taught; the others close up to ids 0….

    Raises:
        DatasetNotFoundError: If a folder is missing or empty.
        UnpairedFilesError: If an image has no labels, or labels have no image.
    """

    video = True

    def __init__(self, root: str | Path, split: str = "train", unknown: Sequence[str] = ()) -> None:
        if split not in SPLITS:
            raise UnknownNameError("split of CamVid", split, SPLITS)
        remedy = set_root(f"{split}/ and {split}annot/")
        folder = require_folder(Path(root) / split, remedy)
        truth = require_folder(Path(root) / f"{split}annot", remedy)
        images = {path.stem: path for path in folder.glob("*.png")}
        labels = {path.stem: path for path in truth.glob("*.png")}
        if not images:
            raise DatasetNotFoundError(f"no *.png in {str(folder)!r}; {remedy}")
        super().__init__(paired_items(images, labels), LABELS.with_unknown(unknown))
