"""Settings of the evaluation of discovery."""

from dataclasses import dataclass

from oodretrieval.choices import NOVELTY, PUBLISHED, SIMULATED_LOOKS, SIMULATIONS, SelectBy
from oodretrieval.errors import SettingsError
from oodretrieval.experiment.evaluation_settings import EvaluationSettings
from oodretrieval.experiment.settings import CommonSettings, DatasetName, ModelName, require_at_least
from oodretrieval.stages.select.settings import ObjectSettings


@dataclass(frozen=True)
class DiscoverySettings:
    """Which candidates are inspected, and on which datasets.

    Attributes:
        dataset: Name of a dataset with truth, or several as a list: each is a scene of its own, and the mean over
            scenes is measured, too.
        model_name: Name of the segmentation network.
        select_by: Score that candidates are ordered by, see compute_embeddings.
        looks: Candidates that the simulated person inspects and answers; 0 for no simulation.
        seeds: Random orders, and simulations of a person, that the mean is taken of.
        sheet: Candidates on the picture of the first ones inspected.
    """

    dataset: tuple[DatasetName, ...] = ()
    model_name: ModelName = ""
    select_by: SelectBy = NOVELTY
    looks: int = SIMULATED_LOOKS
    seeds: int = SIMULATIONS
    sheet: int = 60
    objects: ObjectSettings = ObjectSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    common: CommonSettings = CommonSettings()

    def __post_init__(self) -> None:
        require_at_least(self, 0, "looks")
        require_at_least(self, 1, "seeds", "sheet")
        if self.select_by == PUBLISHED:
            raise SettingsError(
                "args.select_by=predicted_iou is a score of predicted segments, not of objects; choose novelty, "
                "nearest_neighbour, energy, max_logit, entropy or variation_ratio"
            )
