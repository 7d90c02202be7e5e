"""Settings of the evaluation of meta models."""

from dataclasses import dataclass

from oodretrieval.choices import PICTURED, SHUFFLES
from oodretrieval.experiment.evaluation_settings import EvaluationSettings
from oodretrieval.experiment.settings import CommonSettings, DatasetName, ModelName, require_at_least


@dataclass(frozen=True)
class EvalMetaSettings:
    """Which meta model to analyse, on what.

    Attributes:
        dataset: Name of the dataset with truth, which the meta model has not learned from.
        dataset_train: Name of the dataset on whose segments the lasso path is computed; the evaluated one if empty.
        model_name: Name of the segmentation network.
        meta_model_name: Name of the meta model; empty for the one that the entry of model_name names.
        others: Names of trained meta models to compare it with, by the difference of R².
        images: Ids of the images to draw rating pictures of; the first ones if empty.
        pictures: Number of rating pictures, where no images are named.
        permutations: How often each metric is shuffled.
        seed: Of that.
    """

    dataset: DatasetName = ""
    dataset_train: DatasetName = ""
    model_name: ModelName = ""
    meta_model_name: str = ""
    others: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    pictures: int = PICTURED
    permutations: int = SHUFFLES
    seed: int = 0
    evaluation: EvaluationSettings = EvaluationSettings()
    common: CommonSettings = CommonSettings()

    def __post_init__(self) -> None:
        require_at_least(self, 0, "pictures")
        require_at_least(self, 1, "permutations")
