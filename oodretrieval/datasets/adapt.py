"""Opening the dataset of an entry, whatever form its class has.

Three forms are accepted:

1. Ours (:class:`~oodretrieval.datasets.sample.SegmentationDataset`): handed on as it is, or, if the class is a
   user's, wrapped in :class:`AdaptedDataset`, too, which checks every sample against the contract.
2. A class of a user whose items are ``(image, labels, path, id)`` and which offers ``label_mapping``,
   ``pred_mapping``, ``label_to_pred`` and ``void_ids`` instead of ``label_set``.
3. The published project's: items ``(image, ground_truth, path)``, a constructor with ``transform``,
   attributes ``label_mapping`` and ``pred_mapping``, and ``mean``, ``std``, ``pred_class_selection`` in its
   module. It is built with ``transform=None``, so that images come as PIL images or uint8 arrays; ids are the
   paths relative to the folder that holds them all, without suffix.

How 2 and 3 get their tables is said at :func:`~oodretrieval.datasets.adapt_labels.label_set_of`.
"""

import inspect
import logging
import os
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch.utils.data import Dataset

from oodretrieval.datasets.adapt_labels import attribute, label_set_of
from oodretrieval.datasets.contract import CONTRACT, check_contract, image_array, label_array
from oodretrieval.datasets.sample import Sample, SegmentationDataset, files_at
from oodretrieval.entries import DatasetEntry, build, code_of, described, is_ours, raised_in
from oodretrieval.errors import (
    ConfigurationError,
    DatasetError,
    DatasetNotFoundError,
    ImageError,
    OODRetrievalError,
    SampleCodeError,
    SettingsError,
    UnpairedFilesError,
)
from oodretrieval.labels import LabelSet

logger = logging.getLogger(__name__)


class AdaptedDataset(Dataset[Sample]):
    """A dataset of another form, seen as one of ours.

    Attributes:
        ids: Id of every sample, in order.
        label_set: Tables of the labels; None without truth.
        pred_class_selection: Predicted ids worth inspecting; None for all.
        video: Whether neighbouring samples are frames of one video.
        mean: What the class's module says about normalisation, for reference: the model's entry decides.
        std: Likewise.
    """

    def __init__(self, source: Any, label_set: LabelSet | None, where: str) -> None:
        self.source = source
        self.label_set = label_set
        self.where = where
        self.pred_class_selection: Sequence[int] | None = attribute(source, "pred_class_selection")
        self.video = bool(getattr(source, "video", False))
        self.mean: Sequence[float] | None = attribute(source, "mean")
        self.std: Sequence[float] | None = attribute(source, "std")
        self.ids: list[str] = _ids(source, where)

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> Sample:
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} of {len(self)} samples")
        try:
            item = self.source[index]
        except OODRetrievalError:
            raise
        except Exception as error:
            raise self._unreadable(index, error) from error
        image, labels, path = _parts(item, self.where)
        if len(item) == 4 and str(item[3]) != self.ids[index]:
            raise ConfigurationError(
                f"{self.where}: ids[{index}] is {self.ids[index]!r}, but the sample's id is {item[3]!r}"
            )
        where = f"{self.where}, {path}"
        rgb = image_array(image, where)
        truth = None if self.label_set is None or labels is None else label_array(labels, where)
        return Sample(rgb, truth, path, self.ids[index])

    def labels_at(self, index: int) -> NDArray[np.unsignedinteger] | None:
        """Label ids of one sample, without reading its image where the class can.

        Args:
            index: Place of the sample in the dataset.

        Returns:
            ``(H, W)``; None without truth.

        Raises:
            ImageError: If the class's own code fails on it.
        """
        reader = getattr(self.source, "labels_at", None)
        if reader is None or self.label_set is None:
            return self[index].labels
        try:
            labels = reader(index)
        except OODRetrievalError:
            raise
        except Exception as error:
            raise self._unreadable(index, error) from error
        return None if labels is None else label_array(labels, f"{self.where}, {self.ids[index]}")

    def files_at(self, index: int) -> list[Path]:
        """The files that one sample is read from, where the class says so by a method of this name.

        Args:
            index: Place of the sample in the dataset.

        Returns:
            The image first; nothing where they are not known.
        """
        return files_at(self.source, index)

    def _unreadable(self, index: int, error: Exception) -> Exception:
        """The failure of one image; an error in which the class's own code had no part is no such thing."""
        if isinstance(error, OSError | SyntaxError):  # Pillow calls a broken PNG a syntax error
            return ImageError(f"{self.where}: cannot read {self.ids[index]!r} ({error})")
        line = raised_in(error, self.source)
        return SampleCodeError(f"{self.where}: {self.ids[index]!r} fails at {line}") if line else error


def open_dataset(entry: DatasetEntry, name: str = "", root: str | Path | None = None) -> SegmentationDataset:
    """Build the dataset of an entry and check that it keeps the contract.

    Args:
        entry: What to build, in any of the forms above.
        name: Its name in ``configuration.py``, for messages.
        root: Overrides the root that the entry names (``args.root``).

    Returns:
        A dataset in our form. Its first readable sample has been checked.

    Raises:
        SettingsError: If ``root`` is given, but the class takes none.
        ConfigurationError: If the entry cannot be built, or what it yields is of no form that we know.
        DatasetError: If the dataset is missing, empty or inconsistent, or no sample can be read.
    """
    where = f"dataset {name!r}" if name else f"dataset {entry.module}.{entry.class_name}"
    built = build(entry, **_overrides(entry, where, root))
    named = where if is_ours(built) else f"{where} (class {described(built)})"
    with code_of(built, named, CONTRACT):
        _require_samples(built, where)
        dataset: SegmentationDataset = (
            built
            if is_ours(built) and isinstance(built, SegmentationDataset)
            else AdaptedDataset(built, label_set_of(built, named), named)
        )
        check_contract(dataset, named)
    return dataset


def _require_samples(built: Any, where: str) -> None:
    if not (hasattr(built, "__len__") and hasattr(built, "__getitem__")):
        raise ConfigurationError(
            f"{where}: a dataset needs a length and items by index, {described(built)} has not; give the class "
            "`__len__` and `__getitem__`"
        )
    if len(built) == 0:
        raise DatasetNotFoundError(f"{where} is empty; check the arguments of its entry in configuration.py")


def _overrides(entry: DatasetEntry, where: str, root: str | Path | None) -> dict[str, Any]:
    """Keyword arguments over the entry's: ``root`` where asked for, ``transform=None`` where there is one."""
    parameters = _parameters(entry)
    overrides: dict[str, Any] = {}
    if root is not None:
        if "root" not in parameters:
            raise SettingsError(
                f"args.root={str(root)!r} was given, but {where} takes no `root` "
                f"(it takes: {', '.join(parameters) or 'nothing'}); leave args.root out"
            )
        overrides["root"] = root
    if "transform" in parameters:
        overrides["transform"] = None
    return overrides


def _parameters(entry: DatasetEntry) -> list[str]:
    """Names that the entry's class takes; none where it cannot be imported, which ``build`` then explains."""
    try:
        factory: Callable[..., Any] = getattr(import_module(entry.module), entry.class_name)
        return list(inspect.signature(factory).parameters)
    except (ImportError, AttributeError, TypeError, ValueError):
        return []


def _parts(item: Any, where: str) -> tuple[Any, Any, str]:
    """Image, truth and path of an item of any form."""
    if not isinstance(item, tuple | list) or len(item) not in (3, 4):
        got = (
            f"{type(item).__name__} of {len(item)}" if isinstance(item, tuple | list) else type(item).__name__
        )
        raise ConfigurationError(
            f"{where}: expected items (image, labels, path, id) or (image, ground_truth, path), got {got}"
        )
    if not isinstance(item[2], str | os.PathLike):
        raise ConfigurationError(
            f"{where}: the third part of an item must be the image's path, got {type(item[2]).__name__}"
        )
    return item[0], item[1], os.fspath(item[2])


def _ids(source: Any, where: str) -> list[str]:
    """Ids that the dataset offers, or that its items carry, or else made of its paths."""
    offered = getattr(source, "ids", None)
    if offered is not None:
        ids = _texts(offered, where)
        if len(ids) != len(source):
            raise DatasetError(f"{where}: `ids` has {len(ids)} entries for {len(source)} samples")
    elif paths := _listed_paths(source):
        ids = _ids_from_paths(paths)
    else:
        logger.info("%s offers neither `ids` nor a list of its files: reading all samples once", where)
        items = [_read(source, index, where) for index in range(len(source))]
        paths = [_parts(item, where)[2] for item in items]
        carried = [item[3] for item in items if len(item) == 4]
        ids = _texts(carried, where) if len(carried) == len(items) else _ids_from_paths(paths)
    _require_unique(ids, source, where)
    return ids


def _texts(offered: Any, where: str) -> list[str]:
    """Ids as they are offered, if they are texts."""
    ids = list(offered) if isinstance(offered, Iterable) and not isinstance(offered, str) else None
    odd = offered if ids is None else next((key for key in ids if not isinstance(key, str)), None)
    if ids is None or odd is not None:
        raise ConfigurationError(
            f"{where}: ids must be a list of texts, one an image, got {odd!r} ({type(odd).__name__}); they name files, "
            "and must stay the same when images come or go: take the images' names, as in "
            "[path.stem for path in files]"
        )
    return [str(key) for key in ids]


def _require_unique(ids: Sequence[str], source: Any, where: str) -> None:
    """Refuse ids that occur twice, naming two samples and, where they can be read, their files."""
    first: dict[str, int] = {}
    for index, key in enumerate(ids):
        if first.setdefault(key, index) != index:
            named = [f"{i} ({_parts(_read(source, i, where), where)[2]})" for i in (first[key], index)]
            raise UnpairedFilesError(
                f"{where}: samples {' and '.join(named)} have one id, {key!r}; {len(ids) - len(set(ids))} id(s) occur "
                "again. An id must be unique: take the path below the root, without suffix"
            )


def _read(source: Any, index: int, where: str) -> Any:
    try:
        return source[index]
    except OSError as error:
        raise DatasetError(
            f"{where}: cannot read sample {index} ({error}), and without it its id is not known; repair the "
            "file, or give the class an attribute `ids`"
        ) from error


def _listed_paths(source: Any) -> list[str] | None:
    """An attribute that lists the paths of all images, found by comparing its ends with the items."""
    ends = (0, len(source) - 1)
    try:
        items = [source[index] for index in ends]
        if any(len(item) != 3 for item in items):
            return None
        expected = [os.fspath(item[2]) for item in items]
    except (OSError, TypeError):
        return None
    for value in getattr(source, "__dict__", {}).values():
        if isinstance(value, list | tuple) and len(value) == len(source):
            paths = [entry[0] if isinstance(entry, list | tuple) and entry else entry for entry in value]
            if all(isinstance(path, str | os.PathLike) for path in paths):
                texts = [os.fspath(path) for path in paths]
                if [texts[index] for index in ends] == expected:
                    return texts
    return None


def _ids_from_paths(paths: Sequence[str]) -> list[str]:
    """Paths relative to the folder that holds them all, without suffix.

    Example:
        >>> _ids_from_paths(["data/a/1.png", "data/b/1.jpg"])
        ['a/1', 'b/1']
    """
    whole = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100 - resolve() would follow links
    base = os.path.commonpath([path.parent for path in whole])
    return [path.relative_to(base).with_suffix("").as_posix() for path in whole]
