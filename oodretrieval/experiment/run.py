"""The one context of a stage: the configuration that names are looked up in, and the workspace that work lies in."""

from dataclasses import dataclass
from typing import TypeVar

from oodretrieval.experiment.configuration import Configuration
from oodretrieval.experiment.settings import changed, flat
from oodretrieval.stores import Workspace

S = TypeVar("S")


@dataclass(frozen=True)
class Run:
    """What a stage runs in.

    Attributes:
        configuration: Named datasets, networks and meta models, and the defaults.
        workspace: Where all stages read and write.
    """

    configuration: Configuration
    workspace: Workspace

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
