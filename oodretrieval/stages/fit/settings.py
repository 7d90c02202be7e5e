"""Settings of fitting meta models, novelty models and statistics of logits."""

from dataclasses import dataclass
from typing import Literal

from oodretrieval.choices import BACKBONE
from oodretrieval.errors import SettingsError
from oodretrieval.experiment.evaluation_settings import EvaluationSettings
from oodretrieval.experiment.settings import CommonSettings, DatasetName, ModelName, require_at_least

Kind = Literal["", "linear", "logistic", "boosting", "neural"]


@dataclass(frozen=True)
class LogitStatisticsSettings:
    """Which network, and what it was trained on.

    Attributes:
        dataset: Name of the network's training dataset, predicted with keep=logits.
        model_name: Name of the segmentation network.
        save_file: Where to write; by default in the workspace. ``<weights>.logits.safetensors`` next to the
            weights is found too, whatever the workspace.
    """

    dataset: DatasetName = ""
    model_name: ModelName = ""
    save_file: str = ""
    common: CommonSettings = CommonSettings()


@dataclass(frozen=True)
class RecipeSettings:
    """Which meta model, and how it is trained.

    Attributes:
        meta_model: Kind of meta model: linear, logistic (L1, refitted), boosting or neural (the published network).
            Empty to take the class of meta_model_name's entry.
        meta_model_name: Name under which it is saved and found by the other scripts: an entry of META_MODELS, or with
            meta_model any name. Empty for the kind's name, or META_MODEL of the configuration.
        features: Features to learn from: columns, derived features, and the groups published, dispersion, entropy,
            size, logits, shape, context, extended; empty for the entry's own, usually the published ones.
        epochs: Passes over the segments; the entry's own if 0, like all that follow.
        learning_rate: Adam's step, or the share of each tree.
        weight_decay: Adam's L2 penalty; the entry's own if negative.
        batch_size: Segments a step.
        seed: Of initial weights, order and split.
    """

    meta_model: Kind = ""
    meta_model_name: str = ""
    features: tuple[str, ...] = ()
    epochs: int = 0
    learning_rate: float = 0.0
    weight_decay: float = -1.0
    batch_size: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        require_at_least(self, 0, "epochs", "learning_rate", "batch_size")


@dataclass(frozen=True)
class TrainMetaSettings:
    """What a meta model learns from, and how it is evaluated.

    Attributes:
        dataset: Name of the dataset whose segments it learns from.
        dataset_val: Name of the dataset it is evaluated on; empty to hold out a fifth of the training images.
        folds: Evaluate it by cross-validation with this number of folds on dataset instead; 0 for not.
        groups: What is held out together: image, or clip, as the frames of a video resemble each other. Empty for
            clip in video, image elsewhere.
        model_name: Name of the segmentation network.
        strict: Leave out segments that are mostly void or unknown: nobody could name them in use.
    """

    dataset: DatasetName = ""
    dataset_val: DatasetName = ""
    folds: int = 0
    groups: Literal["", "image", "clip"] = ""
    model_name: ModelName = ""
    strict: bool = True
    recipe: RecipeSettings = RecipeSettings()
    evaluation: EvaluationSettings = EvaluationSettings()
    common: CommonSettings = CommonSettings()

    def __post_init__(self) -> None:
        require_at_least(self, 0, "folds")
        if self.folds == 1:
            raise SettingsError("args.folds must be at least 2, or 0 to evaluate on args.dataset_val; got 1")


@dataclass(frozen=True)
class TrainNoveltySettings:
    """What a novelty model is fitted on.

    Attributes:
        dataset: Name of the dataset whose known segments it learns from. Unknown and void ones are left out.
        model_name: Name of the segmentation network.
        backbone: ImageNet network that gives the features: ``tf_efficientnet_lite0``, ``1`` or ``2``.
        seed: Which segments are kept of classes that have many.
    """

    dataset: DatasetName = ""
    model_name: ModelName = ""
    backbone: str = BACKBONE
    seed: int = 0
    common: CommonSettings = CommonSettings()
