"""The one context of a stage: the configuration that names are looked up in, and the workspace that work lies in."""

from dataclasses import dataclass

from oodretrieval.experiment.configuration import Configuration
from oodretrieval.stores import Workspace


@dataclass(frozen=True)
class Run:
    """What a stage runs in.

    Attributes:
        configuration: Named datasets, networks and meta models, and the defaults.
        workspace: Where all stages read and write.
    """

    configuration: Configuration
    workspace: Workspace
