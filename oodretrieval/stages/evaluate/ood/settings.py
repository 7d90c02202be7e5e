"""Settings of the evaluation of scores of unknown things."""

from dataclasses import dataclass
from typing import Literal

from oodretrieval.choices import EXACT_PIXELS, MIN_PREDICTED, MIN_TRUE, NOVELTY, PICTURED, PIXEL_SCORES
from oodretrieval.errors import SettingsError, UnknownNameError
from oodretrieval.experiment.evaluation_settings import EvaluationSettings
from oodretrieval.experiment.settings import CommonSettings, DatasetName, ModelName, require_at_least

SCORES = (*PIXEL_SCORES, NOVELTY)
"""Scores of the logits and of the meta model, and the one of the novelty model."""


@dataclass(frozen=True)
class ScoreSettings:
    """Which scores of which predictions.

    Attributes:
        dataset: Name of the dataset, which must have truth and unknown things.
        model_name: Name of the segmentation network.
        meta_model_name: Name of the meta model, for the expected IoU; empty for the one that the entry of model_name
            names, where it is there.
        scores: Names of the scores; all that the predictions allow if empty.
        temperature: T of the energy.
    """

    dataset: DatasetName = ""
    model_name: ModelName = ""
    meta_model_name: str = ""
    scores: tuple[str, ...] = ()
    temperature: float = 1.0
    evaluation: EvaluationSettings = EvaluationSettings()
    common: CommonSettings = CommonSettings()

    def __post_init__(self) -> None:
        if not self.temperature > 0:
            raise SettingsError(f"args.temperature must be above 0, got {self.temperature:g}")
        for name in self.scores:
            if name not in SCORES:
                raise UnknownNameError("score", name, SCORES)


@dataclass(frozen=True)
class OodSettings:
    """What to evaluate, and how thresholds are chosen.

    Attributes:
        dataset_val: Name of the dataset on which the thresholds of the components are chosen, predicted by the same
            network; empty for the oracle alone. All of its images are read: args.limit is of the evaluated ones.
        threshold_rule: f1: of the highest F1 of pixels, which needs unknown things in dataset_val; or fpr: at
            most a share of its known pixels is above.
        false_positive_rate: That share.
        min_predicted: Smaller predicted components are dropped; pixels at 1280×720, scaled by the area of the image.
        min_true: Smaller true components become void; likewise.
        exact_pixels: Up to this number of pixels every score is kept and the measures are exact; beyond, scores are
            counted in bins, and the bound on the error of that is reported.
        pictures: Number of images whose scores are drawn.
    """

    dataset_val: DatasetName = ""
    threshold_rule: Literal["f1", "fpr"] = "f1"
    false_positive_rate: float = 0.01
    min_predicted: int = MIN_PREDICTED
    min_true: int = MIN_TRUE
    exact_pixels: int = EXACT_PIXELS
    pictures: int = PICTURED
    scoring: ScoreSettings = ScoreSettings()

    def __post_init__(self) -> None:
        require_at_least(self, 0, "exact_pixels", "pictures", "min_predicted", "min_true")
        if not 0 <= self.false_positive_rate < 1:
            raise SettingsError(
                f"args.false_positive_rate must be at least 0 and below 1, got {self.false_positive_rate:g}"
            )
        if self.dataset_val and self.dataset_val == self.scoring.dataset:
            raise SettingsError(
                "args.dataset_val is the evaluated dataset itself; thresholds chosen there are the oracle's, which is "
                "reported anyway: leave args.dataset_val empty, or name another dataset"
            )
