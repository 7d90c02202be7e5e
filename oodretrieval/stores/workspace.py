"""Where everything lies on disk, and how it gets there: whole or not at all."""

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from oodretrieval.errors import ChecksumError, SettingsMismatchError, StoreError
from oodretrieval.files import (
    CHECKSUM,
    TEMPORARY,
    UNSEALED,
    atomic_path,
    require_checksum,
    sealed_path,
    verify,
)
from oodretrieval.stores.stored import Stored

_LOCK = ".lock"
FORMAT_VERSION = 1
"""Version of every file that the stores write; files of another one are refused."""


class Workspace:
    """The folders of one workspace. Creates nothing until something is written.

    Args:
        path: Its root; ``~`` is the home folder.

    Example:
        >>> Workspace("w").prediction_path(Stored("deeplab", "camvid_val"), "clip 1/0007").as_posix()
        'w/predictions/deeplab/camvid_val/clip 1/0007.h5'
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser()

    def __repr__(self) -> str:
        return f"Workspace({str(self.path)!r})"

    @property
    def runs_folder(self) -> Path:
        """Folder of sacred's records."""
        return self.path / "runs"

    def prediction_folder(self, stored: Stored) -> Path:
        """Folder of the predictions of a network on a dataset.

        Raises:
            StoreError: If a name cannot be one of a folder.
        """
        return self.path / "predictions" / _name(stored.model) / _name(stored.dataset)

    def prediction_path(self, stored: Stored, image_id: str) -> Path:
        """File of one prediction; an id with ``/`` lies in nested folders.

        Raises:
            StoreError: If the id is empty, absolute, or leads out of the folder.
        """
        return nested_path(self.prediction_folder(stored), image_id, ".h5")

    def segments_folder(self, stored: Stored) -> Path:
        """Folder of the segment table of a network on a dataset.

        Raises:
            StoreError: If a name cannot be one of a folder.
        """
        return self.path / "segments" / _name(stored.model) / _name(stored.dataset)

    def regions_folder(self, stored: Stored) -> Path:
        """Folder of the regions that may be objects, of a network on a dataset.

        Raises:
            StoreError: If a name cannot be one of a folder.
        """
        return self.path / "regions" / _name(stored.model) / _name(stored.dataset)

    def meta_model_path(self, name: str, suffix: str = ".safetensors") -> Path:
        """File of a meta model.

        Args:
            name: Of the meta model.
            suffix: Of the file; scikit-learn's trees are ``.skops``.

        Returns:
            The path, whether there is a file or not.

        Raises:
            StoreError: If the name cannot be one of a file.
        """
        return self.path / "meta_models" / f"{_name(name)}{suffix}"

    def novelty_model_path(self, model: str) -> Path:
        """File of the novelty model of the network named ``model``.

        Raises:
            StoreError: If the name cannot be one of a file.
        """
        return self.path / "novelty_models" / f"{_name(model)}.safetensors"

    def catalogue_folder(self, name: str) -> Path:
        """Folder of the catalogue named ``name``.

        Raises:
            StoreError: If the name cannot be one of a folder.
        """
        return self.path / "catalogues" / _name(name)

    def lock(self, folder: Path) -> AbstractContextManager[None]:
        """Work on ``folder`` alone; see :func:`lock_folder`.

        Returns:
            A context; the folder is locked inside it.
        """
        return lock_folder(folder)


def nested_path(folder: Path, image_id: str, suffix: str) -> Path:
    """The file of an image below a folder; an id with ``/`` lies in nested folders.

    Args:
        folder: Folder of all images.
        image_id: Id of the image.
        suffix: Of the file.

    Returns:
        The path, whether there is a file or not.

    Raises:
        StoreError: If the id is empty, absolute, or leads out of the folder.
    """
    *folders, stem = (_name(part, image_id) for part in image_id.split("/"))
    return folder.joinpath(*folders, f"{stem}{suffix}")


@contextmanager
def lock_folder(folder: Path, timeout: float = 0) -> Iterator[None]:
    """Keep other processes from working on a folder; it is created where missing.

    A process that dies lets go of its lock. What a killed writer left half-written below the folder is
    removed, since nobody else can be at work there; folders below that have a lock of their own are left alone.

    Args:
        folder: The folder.
        timeout: Seconds to wait for another process that holds the lock.

    Yields:
        Nothing.

    Raises:
        StoreError: If another process holds the lock all the time, or the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / _LOCK, timeout=timeout, is_singleton=False)
        lock.acquire()
    except Timeout:
        raise StoreError(
            f"{folder} is in use by another run; wait until it is done, or choose another args.workspace"
        ) from None
    except (OSError, NotImplementedError) as error:
        raise StoreError(
            f"cannot lock {folder} ({error}); make it writable, or choose another args.workspace"
        ) from error
    try:
        _remove_leftovers(folder)
        yield
    finally:
        lock.release()


def _remove_leftovers(folder: Path) -> None:
    for here, folders, files in os.walk(folder):
        # Whoever works in a folder with a lock of its own does not ask for ours.
        folders[:] = [name for name in folders if not Path(here, name, _LOCK).exists()]
        for name in filter(TEMPORARY.fullmatch, files):
            Path(here, name).unlink(missing_ok=True)


def write_json(path: Path, content: Any) -> None:
    """Write a value as JSON, atomically; an object gets a checksum.

    Args:
        path: The file.
        content: What :func:`plain` accepts.

    Raises:
        StoreError: If JSON cannot hold the value, or the file cannot be written.
    """
    value = plain(content)
    described = isinstance(value, dict)
    if described:
        value = {**{key: item for key, item in value.items() if key != CHECKSUM}, CHECKSUM: UNSEALED}
    text = json.dumps(value, indent=1, ensure_ascii=False)
    with (sealed_path if described else atomic_path)(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read_json(path: Path, remedy: str) -> dict[str, Any]:
    """Read a JSON object that this format version wrote.

    Args:
        path: The file.
        remedy: What to do when it is missing or damaged; ends the message.

    Returns:
        The object, without its checksum.

    Raises:
        StoreError: If the file is missing, damaged, or of another format version.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError("no JSON object")
        require_checksum(verify(path), content.pop(CHECKSUM, None))
    except FileNotFoundError as error:
        raise StoreError(f"no file {str(path)!r}; {remedy}") from error
    except (OSError, ValueError, ChecksumError) as error:
        raise StoreError(f"{path} is damaged ({error}); {remedy}") from error
    require_format(path, content.get("format_version"))
    return content


def require_format(path: Path, version: object) -> None:
    """Refuse a file of another format version.

    Args:
        path: The file, for the message.
        version: What it says of itself.

    Raises:
        StoreError: If ``version`` is not :data:`FORMAT_VERSION`.
    """
    if version != FORMAT_VERSION:
        raise StoreError(
            f"{path} has format version {version}, this version reads {FORMAT_VERSION}; "
            "make it again with args.overwrite=True, or use the version that wrote it"
        )


def plain(content: Any) -> Any:
    """A value as JSON gives it back: tuples become lists, paths texts, sets sorted lists, keys texts.

    Args:
        content: The value.

    Returns:
        Its plain form.

    Raises:
        StoreError: If JSON cannot hold it.

    Example:
        >>> plain({"size": (1, 2), 7: Path("a/b")})
        {'size': [1, 2], '7': 'a/b'}
    """
    try:
        return json.loads(json.dumps(content, default=_plain_value))
    except (TypeError, ValueError) as error:
        raise StoreError(
            f"cannot record {content!r} ({error}); use numbers, texts, lists and dicts"
        ) from error


def require_same_settings(
    where: object,
    recorded: Mapping[str, Any],
    asked: Mapping[str, Any],
    instead: str = "another args.workspace",
) -> None:
    """Refuse to go on with work that was made with other settings.

    Args:
        where: The existing work, for the message.
        recorded: Settings it was made with.
        asked: Settings wanted now. Both are compared in their :func:`plain` form.
        instead: What can be chosen so that both works are kept, for the message.

    Raises:
        SettingsMismatchError: Naming every key that differs or is missing on one side.
    """
    if differences := differing_settings(recorded, asked):
        remedy = f"add args.overwrite=True to make it again, or choose {instead}"
        raise SettingsMismatchError(where, differences, remedy)


def differing_settings(
    recorded: Mapping[str, Any], asked: Mapping[str, Any]
) -> dict[str, tuple[object, object]]:
    """Compare settings, in their :func:`plain` form.

    Args:
        recorded: Name → value, as they were.
        asked: Name → value, as they are asked for.

    Returns:
        Name of every setting that differs, or is missing on one side → both values.

    Example:
        >>> differing_settings({"size": (1, 2), "flip": False}, {"size": [1, 2], "flip": True})
        {'flip': (False, True)}
    """
    old, new = plain(dict(recorded)), plain(dict(asked))
    return {
        key: (old.get(key, _NOT_SET), new.get(key, _NOT_SET))
        for key in sorted(old.keys() | new.keys())
        if key not in old or key not in new or old[key] != new[key]
    }


class _NotSet:
    def __repr__(self) -> str:
        return "not set"


_NOT_SET = _NotSet()


def _plain_value(value: Any) -> Any:
    if isinstance(value, PurePath):
        return value.as_posix()
    if isinstance(value, (set, frozenset)):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is no plain value")


def _name(text: str, whole: str | None = None) -> str:
    if text in ("", ".", "..") or "/" in text or "\\" in text or "\0" in text:
        raise StoreError(
            f"{text if whole is None else whole!r} cannot name a file of the workspace; "
            "use a name without '..', empty parts, backslashes or a leading '/'"
        )
    return text
