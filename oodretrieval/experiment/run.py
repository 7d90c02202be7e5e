"""The one context of a stage: the configuration that names are looked up in, and the workspace that work lies in.

What it opens is imported when it is first asked for: the explorer has a run, too, and starts without torch.
"""

from typing import TYPE_CHECKING, TypeVar

from oodretrieval.experiment.bare_run import BareRun
from oodretrieval.experiment.settings import CommonSettings, changed, flat
from oodretrieval.stores import Stored

if TYPE_CHECKING:
    from oodretrieval.experiment.stored_work import StoredWork
    from oodretrieval.experiment.trained_models import TrainedModels

S = TypeVar("S")


class Run(BareRun):
    """What a stage runs in: opens what names stand for, and what stages before have left."""

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

        return StoredWork(self, Stored(model, dataset, common.places), common)

    @property
    def trained(self) -> "TrainedModels":
        """The meta models and novelty models at hand."""
        from oodretrieval.experiment.trained_models import TrainedModels

        return TrainedModels(self)

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
