"""Settings of the evaluation of a selection."""

from dataclasses import dataclass

from oodretrieval.choices import LARGE_SEGMENT, SMALLEST_SIDE
from oodretrieval.experiment.evaluation_settings import EvaluationSettings
from oodretrieval.experiment.settings import CommonSettings, DatasetName, ModelName
from oodretrieval.stages.select.settings import SelectionRule


@dataclass(frozen=True)
class SelectionSettings:
    """Which selection to evaluate.

    Attributes:
        dataset: Name of the dataset, which must have truth.
        model_name: Name of the segmentation network.
        meta_model_name: Name of the meta model, which only ``select_by=predicted_iou`` needs; empty for the one that
            the entry of model_name names.
        orders: Further columns of the segment table to inspect in the order of, lowest values first; with a - in front
            highest first.
        min_pixels: Only segments of at least this number of pixels are inspected.
        min_height: Smallest height of a true object that counts, pixels.
        min_width: Smallest width of a true object that counts, pixels.
        published: Count found and hit objects as the published code does (see the documentation of true_objects).
        seed: Of the random orders.
    """

    dataset: DatasetName = ""
    model_name: ModelName = ""
    meta_model_name: str = ""
    orders: tuple[str, ...] = ()
    min_pixels: int = LARGE_SEGMENT
    min_height: int = SMALLEST_SIDE
    min_width: int = SMALLEST_SIDE
    published: bool = False
    seed: int = 0
    rule: SelectionRule = SelectionRule()
    evaluation: EvaluationSettings = EvaluationSettings()
    common: CommonSettings = CommonSettings()
