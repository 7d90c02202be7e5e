"""Settings of the demo."""

from dataclasses import dataclass

from oodretrieval.choices import DEFAULT_NET
from oodretrieval.experiment.settings import CommonSettings, DatasetName, ModelName
from oodretrieval.stages.select.settings import SelectionRule


@dataclass(frozen=True)
class DemoSettings:
    """What the demo runs on.

    Attributes:
        dataset: Name of a dataset with unknown objects.
        model_name: Name of the segmentation network.
        meta_model_name: Name of a trained meta model.
        net: Embedding network.
        save_dir: Folder for the pictures.
        explore: Open the explorer at the end, where there is a display.
    """

    dataset: DatasetName = "streets_test"
    model_name: ModelName = "deeplabv3plus_streets"
    meta_model_name: str = "meta_nn_streets"
    net: str = DEFAULT_NET
    save_dir: str = "demo"
    explore: bool = True
    rule: SelectionRule = SelectionRule(select_quantile=0.9)
    common: CommonSettings = CommonSettings()
