"""Settings of training a segmentation network."""

from dataclasses import dataclass
from typing import Literal

from oodretrieval.choices import COLOUR_JITTER, TRAINED_SCALES, Similarity
from oodretrieval.errors import SettingsError
from oodretrieval.experiment.settings import CommonSettings, DatasetName, ModelName, require_at_least


@dataclass(frozen=True)
class TrainSegmentationSettings:
    """Recipe of a training run.

    Attributes:
        dataset: Name of the dataset to learn from.
        dataset_val: Name of the dataset to choose the best epoch by.
        model_name: Name of the network.
        exports: Folders that scripts/export.py wrote, as a list: their tags become further classes of the network. It
            starts from its own weights, and args.save_file must name another file.
        sure: Probability from which on what the network predicted in exported images, and nobody named, teaches there,
            too, 0…1 (docs/naming.md).
        save_file: File for the weights; by default the one that the network's entry names.
        crop_height: Height of the training crops, pixels.
        crop_width: Width of the training crops, pixels.
        batch_size: Images a step and process.
        epochs: Passes over the training set.
        learning_rate: At the start, of everything but the encoder.
        encoder_factor: Share of it at which the encoder learns.
        weight_decay: On weights.
        optimiser: adamw or sgd; both follow the poly schedule.
        average_decay: Decay of the moving average of the weights; 0 for none.
        validate_every: Epochs between validations.
        scale_min: Smallest random scale, relative to the image just fitting into the crop.
        scale_max: Largest random scale, likewise.
        colour: Strength of the colour jitter, 0…1.
        photometric: Probability of each of blur, noise, equalised grey values, greyscale (half of it), JPEG
            artefacts and a colour cast, 0…1.
        rotation: Largest random rotation, degrees.
        class_weight_power: 0 weighs classes alike, 1 undoes their frequencies.
        attraction: Weight of the template loss that draws the pixels of a class to its best pixel; 0 for none.
        repulsion: Weight of the one that pushes the best pixels of different classes apart; 0 for none.
        similarity: Of logits in both: cosine or correlation.
        accumulation: Steps whose gradients are added up before an update.
        mixed_precision: no, bf16 or fp16; auto is bf16 on a GPU and no on the CPU.
        pretrained: Start from ImageNet weights: packaged, where they come with an installed package; download,
            from their hub if need be; or no.
        half: Store the result as float16.
        num_cores: Worker processes that read and augment images; 0 reads in the main process.
        seed: Of augmentation, order and initial weights.
    """

    dataset: DatasetName = ""
    dataset_val: DatasetName = ""
    model_name: ModelName = ""
    exports: tuple[str, ...] = ()
    sure: float = 0.9
    save_file: str = ""
    crop_height: int = 352
    crop_width: int = 480
    batch_size: int = 8
    epochs: int = 40
    learning_rate: float = 1e-3
    encoder_factor: float = 0.3
    weight_decay: float = 1e-2
    optimiser: str = "adamw"
    average_decay: float = 0.99
    validate_every: int = 1
    scale_min: float = TRAINED_SCALES[0]
    scale_max: float = TRAINED_SCALES[1]
    colour: float = COLOUR_JITTER
    photometric: float = 0.0
    rotation: float = 0.0
    class_weight_power: float = 0.25
    attraction: float = 0.0
    repulsion: float = 0.0
    similarity: Similarity = "cosine"
    accumulation: int = 1
    mixed_precision: str = "auto"
    pretrained: Literal["packaged", "download", "no"] = "packaged"
    half: bool = True
    seed: int = 0
    common: CommonSettings = CommonSettings(num_cores=0)

    def __post_init__(self) -> None:
        require_at_least(self, 1, "crop_height", "crop_width", "batch_size", "epochs", "validate_every")
        require_at_least(self, 1, "accumulation")
        require_at_least(self, 0, "learning_rate", "weight_decay", "average_decay", "colour")
        require_at_least(self, 0, "photometric", "rotation")
        require_at_least(self, 0, "attraction", "repulsion")
        if not 0 <= self.sure <= 1:
            raise SettingsError(f"args.sure is a probability, 0…1, got {self.sure}")
