"""The user's ``configuration.py``: loaded by its path, checked, and looked up by name."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import oodretrieval
from oodretrieval.entries import DatasetEntry, EmbeddingEntry, Entry, MetaModelEntry, ModelEntry
from oodretrieval.errors import ConfigurationError, UnknownNameError
from oodretrieval.experiment.settings import flat, names_in
from oodretrieval.remote_paths import RemotePath, path_of

VARIABLE = "OODRETRIEVAL_CONFIGURATION"
CHECKOUT = Path(oodretrieval.__file__).parents[1]
TABLES = {
    "DATASETS": DatasetEntry,
    "MODELS": ModelEntry,
    "META_MODELS": MetaModelEntry,
    "EMBEDDINGS": EmbeddingEntry,
}
OPTIONAL = ("EMBEDDINGS",)
"""What configurations of before do not define."""
DEFAULTS = ("DATASET", "TRAIN_DATASET", "VAL_DATASET", "MODEL", "META_MODEL", "EMBEDDING")
FOLDER = ("oodretrieval.datasets.folder", "ImageFolder")
E_ = TypeVar("E_", bound=Entry)


@dataclass(frozen=True)
class Configuration:
    """Named entries and defaults.

    Attributes:
        path: The file they come from; relative weights are looked up next to it.
        datasets: Name → entry.
        models: Name → entry.
        meta_models: Name → entry.
        workspace: Folder that all stages write to: ``OODRETRIEVAL_WORKSPACE`` where it is set, else the file's
            ``WORKSPACE``, next to the file where relative.
        defaults: Names used where the command line gives none: ``DATASET``, ``TRAIN_DATASET``, ….
        embeddings: Name → entry, of embedding networks.
    """

    path: Path
    datasets: Mapping[str, DatasetEntry]
    models: Mapping[str, ModelEntry]
    meta_models: Mapping[str, MetaModelEntry]
    workspace: Path
    defaults: Mapping[str, str]
    embeddings: Mapping[str, EmbeddingEntry] = field(default_factory=dict)

    def dataset(self, name: str) -> DatasetEntry:
        """Entry of the dataset named ``name``.

        Raises:
            UnknownNameError: If there is none of that name.
        """
        return _lookup("dataset", name, self.datasets)

    def model(self, name: str) -> ModelEntry:
        """Entry of the network named ``name``, its files as absolute paths.

        Raises:
            UnknownNameError: If there is none of that name.
        """
        entry = _lookup("model", name, self.models)
        weights, novelty = (
            None if file is None else self.resolve(file) for file in (entry.weights, entry.novelty)
        )
        return replace(entry, weights=weights, novelty=novelty)

    def meta_model(self, name: str) -> MetaModelEntry:
        """Entry of the meta model named ``name``, its path absolute.

        Raises:
            UnknownNameError: If there is none of that name.
        """
        entry = _lookup("meta model", name, self.meta_models)
        return entry if entry.path is None else replace(entry, path=self.resolve(entry.path))

    def embedding(self, name: str) -> EmbeddingEntry | str:
        """What ``args.net`` stands for.

        Args:
            name: Name of an entry, or of a network that needs none.

        Returns:
            The entry, its weights as an absolute path; else the name.
        """
        entry = self.embeddings.get(name)
        if entry is None or entry.weights is None:
            return name if entry is None else entry
        return replace(entry, weights=self.resolve(entry.weights))

    def meta_model_for(self, model_name: str, named: str = "") -> str:
        """Name of the meta model for a network.

        Args:
            model_name: Name of the network.
            named: Name that the command line gives; empty for none.

        Returns:
            ``named``, else that of the network's entry, else ``META_MODEL``.

        Raises:
            UnknownNameError: If there is no such network.
        """
        return named or self.model(model_name).meta_model or self.defaults.get("META_MODEL", "")

    def with_folder(self, name: str, root: str | Path) -> "Configuration":
        """The same, with a dataset more: a folder of photographs, which needs no entry.

        Args:
            name: Name of the dataset.
            root: The folder.

        Returns:
            The extended configuration.
        """
        entry = DatasetEntry(*FOLDER, {"root": str(Path(root).expanduser().resolve())})
        return replace(self, datasets={**self.datasets, name: entry})

    def free_name(self, root: str | Path) -> str:
        """What a folder of photographs is called as a dataset: as the folder, where no entry has that name.

        Args:
            root: The folder.

        Returns:
            A name that no dataset has.
        """
        name = Path(root).expanduser().resolve().name or "photographs"
        while name in self.datasets:
            name += "_folder"
        return name

    def with_named_folder(self, settings: object) -> "Configuration":
        """The same, or with the folder ``args.root`` where settings name a dataset as that folder is called.

        Args:
            settings: Of any stage.

        Returns:
            The configuration.
        """
        root = str(flat(settings).get("root", ""))
        name = Path(root).expanduser().resolve().name if root else ""
        asked = {name for kind, name in names_in(settings) if kind == "dataset"}
        return self.with_folder(name, root) if name in asked - self.datasets.keys() else self

    def find_classes(self) -> None:
        """Let this process, which did not run the file, import a user's own classes, which lie next to it."""
        if str(self.path.parent) not in sys.path:
            sys.path.append(str(self.path.parent))

    def require_names(self, settings: object) -> None:
        """Refuse settings that name an entry which does not exist, before anything is imported for them.

        Args:
            settings: Of any stage.

        Raises:
            UnknownNameError: If there is no dataset or network of a name; lists those that are there.
        """
        tables: dict[str, Mapping[str, Entry]] = {"dataset": self.datasets, "model": self.models}
        for kind, name in names_in(settings):
            _lookup(kind, name, tables[kind])

    def resolve(self, path: str | Path) -> Path:
        """``path`` itself where it is absolute, else next to the configuration, or in the checkout if it is there."""
        if isinstance(path, RemotePath):
            return path
        own = (self.path.parent / Path(path).expanduser()).resolve()
        shipped = CHECKOUT / path
        return shipped if shipped.is_file() and not own.exists() else own


def _lookup(kind: str, name: str, table: Mapping[str, E_]) -> E_:
    if name not in table:
        raise UnknownNameError(kind, name, table)
    return table[name]


def configuration_path() -> Path:
    """``OODRETRIEVAL_CONFIGURATION`` where it is set, else ``configuration.py`` of the checkout."""
    named = os.environ.get(VARIABLE)
    return Path(named).expanduser() if named else CHECKOUT / "configuration.py"


def load_configuration(path: Path | None = None) -> Configuration:
    """Run a configuration file and check what it defines; modules next to it can be imported from then on.

    Args:
        path: The file; by default :func:`configuration_path`.

    Returns:
        Its entries and defaults.

    Raises:
        ConfigurationError: If the file is missing, fails, or defines something of the wrong kind.
    """
    path = (path or configuration_path()).resolve()
    module = _run(path)
    for table, kind in TABLES.items():
        entries = getattr(module, table, {} if table in OPTIONAL else None)
        if not isinstance(entries, Mapping):
            raise ConfigurationError(f"{path} must define {table}, a dict of name → {kind.__name__}")
        for name, entry in entries.items():
            if not isinstance(entry, kind):
                raise ConfigurationError(
                    f"{path}: {table}[{name!r}] must be a {kind.__name__}, is a {type(entry).__name__}"
                )
    missing = [name for name in (*DEFAULTS, "WORKSPACE") if not hasattr(module, name)]
    if missing:
        raise ConfigurationError(f"{path} must define {', '.join(missing)}")
    named = os.environ.get("OODRETRIEVAL_WORKSPACE")
    workspace = path_of(named).absolute() if named else path_of(module.WORKSPACE)
    return Configuration(
        path=path,
        datasets=module.DATASETS,
        models=module.MODELS,
        meta_models=module.META_MODELS,
        workspace=workspace if isinstance(workspace, RemotePath) else path.parent / workspace,
        defaults={name: getattr(module, name) for name in DEFAULTS},
        embeddings=getattr(module, "EMBEDDINGS", {}),
    )


def _run(path: Path) -> Any:
    spec = spec_from_file_location("configuration", path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise ConfigurationError(
            f"no configuration {str(path)!r}; set {VARIABLE} to the path of yours, a file that ends in .py"
        )
    module: ModuleType = module_from_spec(spec)
    if str(path.parent) not in sys.path:  # a user's own classes lie next to the configuration
        sys.path.append(str(path.parent))
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever the user's file raises
        raise ConfigurationError(f"{path} fails: {type(error).__name__}: {error}") from error
    return module
