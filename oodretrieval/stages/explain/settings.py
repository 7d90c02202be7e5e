"""Settings of explanations."""

from dataclasses import dataclass

from oodretrieval.experiment.settings import CommonSettings, DatasetName, ModelName, require_at_least
from oodretrieval.stages.predict.settings import InferenceSettings


@dataclass(frozen=True)
class ExplainSettings:
    """Which images are explained, and what of them.

    Attributes:
        dataset: Name of the dataset.
        model_name: Name of the segmentation network.
        images: Ids of images; empty for the first ones of the dataset.
        number: How many of the first ones.
        classes: Names of predicted classes; empty for all that are predicted.
        segment: Number of the one segment that is explained, as ``segment_id`` of the segment table; 0 for classes as
            a whole.
        outliers: Also show fixations that lie by themselves.
        save_dir: Folder of the pictures; by default ``evaluation/fixations`` in the workspace.
    """

    dataset: DatasetName = ""
    model_name: ModelName = ""
    images: tuple[str, ...] = ()
    number: int = 4
    classes: tuple[str, ...] = ()
    segment: int = 0
    outliers: bool = True
    save_dir: str = ""
    inference: InferenceSettings = InferenceSettings()
    common: CommonSettings = CommonSettings()

    def __post_init__(self) -> None:
        require_at_least(self, 1, "number")
        require_at_least(self, 0, "segment")
