"""Configuration and workspace alone: what a run is, without what it opens."""

import shlex
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self

from oodretrieval.experiment.configuration import Configuration
from oodretrieval.experiment.settings import CommonSettings
from oodretrieval.remote_paths import path_of
from oodretrieval.stores import Workspace

if TYPE_CHECKING:
    from oodretrieval.datasets import SegmentationDataset


@dataclass(frozen=True)
class BareRun:
    """Where names are looked up, and where work lies: all that stored work and trained models need to know.

    Attributes:
        configuration: Named datasets, networks and meta models, and the defaults.
        workspace: Where all stages read and write.
    """

    configuration: Configuration
    workspace: Workspace

    def dataset(self, name: str, common: CommonSettings = CommonSettings()) -> "SegmentationDataset":
        """Open a dataset.

        Args:
            name: Of its entry.
            common: Its ``root`` and ``limit``.

        Returns:
            The dataset, opened.

        Raises:
            UnknownNameError: If there is no such entry.
            DatasetError: If it cannot be opened.
        """
        from oodretrieval.experiment.datasets import dataset_in_use

        return dataset_in_use(self.configuration, name, common)

    def weights_hash(self, model: str) -> str:
        """Hash of a network's weights; empty if there are none.

        Args:
            model: Name of the network.

        Returns:
            16 hexadecimal digits, or nothing.
        """
        from oodretrieval.experiment.provenance import weights_hash_if_there

        return weights_hash_if_there(self.configuration.model(model))

    def novelty_model_path(self, model: str) -> Path:
        """Where a network's novelty model is read from and saved to: its entry's path, else the workspace.

        Args:
            model: Name of the network.

        Returns:
            The file, whether it is there or not.
        """
        own = self.configuration.model(model).novelty
        return path_of(own) if own is not None else self.workspace.novelty_model_path(model)

    def with_folder(self, root: str) -> tuple[Self, str]:
        """The same, with an entry for a folder of photographs that has none.

        Args:
            root: The folder.

        Returns:
            The run, and the name of the entry: that of the folder.
        """
        name = self.configuration.free_name(root)
        return replace(self, configuration=self.configuration.with_folder(name, root)), name

    def command(self, script: str, **arguments: object) -> str:
        """What to type so that a script works on the same workspace.

        Args:
            script: Its name.
            **arguments: Its settings.

        Returns:
            A command that can be pasted, names with spaces in quotes.
        """
        words = [f"args.{name}={value}" for name, value in arguments.items()]
        if self.workspace.path != Workspace(self.configuration.workspace).path:
            words.append(f"args.workspace={self.workspace.path}")
        return shlex.join((f"scripts/{script}.py", "with", *words))

    def for_others(self) -> Self:
        """The same, for processes that were started elsewhere: the workspace by its absolute path."""
        return replace(self, workspace=Workspace(self.workspace.path.absolute()))
