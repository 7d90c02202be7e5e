"""What ``scripts/export.py`` wrote as label images, as a dataset; and any dataset with the classes that it adds.

Entries of ``configuration.py``, the second to measure a network that was taught the new classes::

    "named": DatasetEntry("oodretrieval.datasets.exported", "ExportedLabels", {"root": "workspace/exports/x"}),
    "streets_test_named": DatasetEntry(
        "oodretrieval.datasets.exported",
        "with_new_classes",
        {"dataset": DATASETS["streets_test"], "names": ("cone", "wheelie bin")},
    )
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from oodretrieval.choices import EXPORTED_CLASSES
from oodretrieval.colours import NAMELESS, rgb_colour
from oodretrieval.datasets.adapt_labels import same_names
from oodretrieval.datasets.sample import FileDataset, FileItem, SegmentationDataset
from oodretrieval.datasets.subset import Relabelled, opened
from oodretrieval.entries import DatasetEntry
from oodretrieval.errors import DatasetError, DatasetNotFoundError
from oodretrieval.labels import ClassMapping, LabelSet


class ExportedLabels(FileDataset):
    """Images with tagged candidates: what the network predicted there, and the tags as further classes.

    Args:
        root: Folder that ``scripts/export.py`` wrote with ``labels`` among its forms.
        classes: Predicted id → (name, colour) that the labels are translated to, by name; those of the export by
            default. What it does not name is ignored.

    Raises:
        DatasetNotFoundError: If the folder holds no exported label images.
        DatasetError: If its list of classes is damaged.
    """

    def __init__(self, root: str | Path, classes: ClassMapping | None = None) -> None:
        self.root = Path(root)
        mapping, new, items = _contents(self.root)
        target = mapping if classes is None else classes
        super().__init__(items, LabelSet(mapping, target, same_names(mapping, target), frozenset()))
        self.new_classes: dict[str, tuple[int, int, int]] = {
            name: colour for key, (name, colour) in mapping.items() if key in new
        }
        """Name of a tag → its colour, as a class that the network did not have."""


def with_new_classes(
    dataset: SegmentationDataset | DatasetEntry,
    names: Iterable[str] | Mapping[str, tuple[int, int, int]],
    root: str | Path | None = None,
) -> Relabelled:
    """A dataset for a network that was taught further classes.

    Args:
        dataset: A dataset with truth, or the entry of one.
        names: Names of the classes in the order of their ids, with colours where they have some. Labels of these names
            that were unknown belong to them.
        root: Overrides the root of the entry.

    Returns:
        The dataset with these predicted classes, too.

    Raises:
        DatasetError: If the dataset has no truth.
    """
    coloured = dict(names) if isinstance(names, Mapping) else dict.fromkeys(names, NAMELESS)
    return Relabelled(
        opened(dataset, root), lambda labels: labels.with_new_classes(coloured), "get further classes"
    )


def _contents(root: Path) -> tuple[ClassMapping, set[int], list[FileItem]]:
    """Classes by id, which of them are new, and files."""
    path = root / EXPORTED_CLASSES
    if not path.is_file():
        raise DatasetNotFoundError(
            f"no file {str(path)!r}; write it by scripts/export.py with labels among args.formats"
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        classes = {int(key): entry for key, entry in content["classes"].items()}
        mapping = {key: (str(each["name"]), rgb_colour(each["colour"])) for key, each in classes.items()}
        new = {key for key, entry in classes.items() if entry["new"]}
        items = [
            FileItem(str(each["id"]), Path(each["image"]), root / each["labels"])
            for each in content["images"]
        ]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(f"{path} is damaged ({error}); write it again by scripts/export.py") from error
    return mapping, new, items
