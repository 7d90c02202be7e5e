"""The one context of a stage: the configuration that names are looked up in, and the workspace that work lies in.

What it opens is imported when it is first asked for: the explorer has a run, too, and starts without torch.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from oodretrieval.experiment.configuration import Configuration
from oodretrieval.experiment.settings import CommonSettings, changed, flat
from oodretrieval.stores import Stored, Workspace

if TYPE_CHECKING:
    from oodretrieval.datasets import SegmentationDataset
    from oodretrieval.experiment.stored_work import StoredWork
    from oodretrieval.experiment.trained_models import TrainedModels

S = TypeVar("S")


@dataclass(frozen=True)
class Run:
    """What a stage runs in: opens what names stand for, and what stages before have left.

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

    def stored(self, model: str, dataset: str, common: CommonSettings = CommonSettings()) -> "StoredWork":
        """The predictions and segments of a network on a dataset; nothing is read yet.

        Args:
            model: Name of the network.
            dataset: Name of the dataset.
            common: ``root`` and ``limit`` of the dataset.

        Returns:
            What reads them.
        """
        from oodretrieval.experiment.stored_work import StoredWork

        return StoredWork(self.configuration, self.workspace, Stored(model, dataset), common)

    def weights_hash(self, model: str) -> str:
        """Hash of a network's weights; empty if there are none.

        Args:
            model: Name of the network.

        Returns:
            16 hexadecimal digits, or nothing.
        """
        from oodretrieval.experiment.provenance import weights_hash_if_there

        return weights_hash_if_there(self.configuration.model(model))

    def for_others(self) -> "Run":
        """The same, for processes that were started elsewhere: the workspace by its absolute path."""
        return replace(self, workspace=Workspace(self.workspace.path.absolute()))

    @property
    def trained(self) -> "TrainedModels":
        """The meta models and novelty models at hand."""
        from oodretrieval.experiment.trained_models import TrainedModels

        return TrainedModels(self.configuration, self.workspace)

    def with_meta_model(self, settings: S) -> S:
        """The same settings, with a meta model named where they name none.

        Args:
            settings: A dataclass with ``model_name`` and ``meta_model_name``.

        Returns:
            The settings; ``meta_model_name`` is as given, else as the network's entry says, else ``META_MODEL`` of the
            configuration.

        Raises:
            UnknownNameError: If there is no such network.
        """
        chosen = flat(settings)
        name = self.configuration.meta_model_for(chosen["model_name"], chosen["meta_model_name"])
        return changed(settings, {"meta_model_name": name})
