"""Where everything lies on disk."""

from contextlib import AbstractContextManager
from pathlib import Path

from oodretrieval.errors import StoreError
from oodretrieval.local_copies import cache_folder
from oodretrieval.remote_paths import RemotePath, path_of
from oodretrieval.stores.locks import lock_folder
from oodretrieval.stores.stored import Stored


class Workspace:
    """The folders of one workspace. Creates nothing until something is written.

    Args:
        path: Its root; ``~`` is the home folder. Or an address of an object store, see
            :mod:`~oodretrieval.remote_paths`.

    Example:
        >>> Workspace("w").prediction_path(Stored("deeplab", "camvid_val"), "clip 1/0007").as_posix()
        'w/predictions/deeplab/camvid_val/clip 1/0007.h5'
    """

    def __init__(self, path: str | Path) -> None:
        self.path = path_of(path)

    def __repr__(self) -> str:
        return f"Workspace({str(self.path)!r})"

    @property
    def runs_folder(self) -> Path:
        """Folder of sacred's records; on this machine, where the workspace is in an object store."""
        if isinstance(self.path, RemotePath):
            return cache_folder().parent / "runs"
        return self.path / "runs"

    @property
    def reports_folder(self) -> Path:
        """Folder of the pages that report runs."""
        return self.path / "reports"

    @property
    def exports_folder(self) -> Path:
        """Folder of what is exported, a folder for each catalogue."""
        return self.path / "exports"

    @property
    def training_folder(self) -> Path:
        """Folder of trainings under way, a folder for each network."""
        return self.path / "training"

    @property
    def logit_statistics_folder(self) -> Path:
        """Folder of what the logits of training images are, a file for each network."""
        return self.path / "logit_statistics"

    @property
    def catalogues_folder(self) -> Path:
        """Folder of the catalogues."""
        return self.path / "catalogues"

    def prediction_folder(self, stored: Stored) -> Path:
        """Folder of the predictions of the work ``stored``.

        Args:
            stored: Of which network on which dataset.

        Returns:
            The folder.

        Raises:
            StoreError: If a name cannot be one of a folder.
        """
        return self.path / "predictions" / _name(stored.model) / _name(stored.dataset)

    def prediction_path(self, stored: Stored, image_id: str) -> Path:
        """File of one prediction; an id with ``/`` lies in nested folders.

        Args:
            stored: Of which network on which dataset.
            image_id: Id of the image.

        Returns:
            The file.

        Raises:
            StoreError: If the id is empty, absolute, or leads out of the folder.
        """
        return nested_path(self.prediction_folder(stored), image_id, ".h5")

    def segments_folder(self, stored: Stored) -> Path:
        """Folder of the segment table of the work ``stored``.

        Args:
            stored: Of which network on which dataset.

        Returns:
            The folder.

        Raises:
            StoreError: If a name cannot be one of a folder.
        """
        return self.path / "segments" / _name(stored.model) / _name(stored.dataset)

    def regions_folder(self, stored: Stored) -> Path:
        """Folder of the regions that may be objects, of a model on a dataset.

        Args:
            stored: Of which network on which dataset.

        Returns:
            The folder.

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
        return self.catalogues_folder / _name(name)

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


def _name(text: str, whole: str | None = None) -> str:
    if text in ("", ".", "..") or "/" in text or "\\" in text or "\0" in text:
        raise StoreError(
            f"{text if whole is None else whole!r} cannot name a file of the workspace; "
            "use a name without '..', empty parts, backslashes or a leading '/'"
        )
    return text
