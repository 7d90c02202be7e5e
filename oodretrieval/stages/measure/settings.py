"""Settings of measuring segments."""

from dataclasses import dataclass

from oodretrieval.experiment.settings import CommonSettings, DatasetName, ModelName


@dataclass(frozen=True)
class MetricsSettings:
    """Which predictions to measure.

    Attributes:
        dataset: Name of the dataset.
        model_name: Name of the network.
    """

    dataset: DatasetName = ""
    model_name: ModelName = ""
    common: CommonSettings = CommonSettings()
