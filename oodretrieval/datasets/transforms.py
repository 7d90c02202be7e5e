"""From samples to training tensors: random scale, crop, flip and colour on image and labels together."""

from collections.abc import Sequence
from io import BytesIO
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import Dataset
from torchvision import tv_tensors
from torchvision.transforms import v2

from oodretrieval.choices import COLOUR_JITTER, TRAINED_SCALES
from oodretrieval.datasets.sample import Sample, SegmentationDataset, required_labels
from oodretrieval.errors import DatasetError
from oodretrieval.labels import NO_CLASS


def image_tensor(image: NDArray[np.uint8], mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Normalise an image for a network.

    Args:
        image: RGB, ``(H, W, 3)``, 0…255.
        mean: Mean of each channel on the scale 0…1.
        std: Standard deviation of each channel on the scale 0…1.

    Returns:
        ``(3, H, W)`` float32.
    """
    scaled = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255
    return (scaled - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]


class Transform(Protocol):
    """Image ``(3, H, W)`` uint8 and predicted ids ``(H, W)`` in; the same, changed together, out."""

    def __call__(self, image: tv_tensors.Image, target: tv_tensors.Mask) -> tuple[Tensor, Tensor]: ...  # noqa: D102


def training_transform(
    height: int,
    width: int,
    scale: tuple[float, float] = TRAINED_SCALES,
    flip: float = 0.5,
    colour: float = COLOUR_JITTER,
    photometric: float = 0.0,
    rotation: float = 0.0,
) -> Transform:
    """Random scale, rotation, crop, flip and colour; the image is padded with black, the labels with 255.

    Args:
        height: Height of the crop.
        width: Width of the crop.
        scale: Smallest and largest size of the scaled image; 1 is the largest that fits into the crop.
        flip: Probability of a flip.
        colour: Strength of brightness, contrast and saturation jitter; hue gets a tenth of it.
        photometric: Probability, 0…1, of each of blur, noise, equalised grey values, greyscale (half of it), JPEG
            artefacts and a colour cast: other cameras, light and weather than the training images'.
        rotation: Largest angle to either side, degrees.

    Returns:
        A transform of image and target together.
    """
    fill: dict[type, int] = {tv_tensors.Image: 0, tv_tensors.Mask: NO_CLASS}
    steps: list[nn.Module] = [
        v2.ScaleJitter((width, height), scale),  # it divides the second by the image's height
        v2.RandomCrop((height, width), pad_if_needed=True, fill=fill),
        v2.RandomHorizontalFlip(flip),
        v2.ColorJitter(colour, colour, colour, colour / 10),
    ]
    if rotation:
        turned = v2.RandomRotation(
            rotation, v2.InterpolationMode.BILINEAR, fill=fill
        )  # labels: nearest, always
        steps.insert(2, turned)
    if photometric:
        steps += _other_cameras(photometric)
    transform: Transform = v2.Compose(steps)
    return transform


def _other_cameras(probability: float) -> list[nn.Module]:
    """What other cameras, light and weather do to an image; labels stay as they are."""
    return [
        v2.RandomApply([v2.Lambda(colour_cast, tv_tensors.Image)], probability),
        v2.RandomEqualize(probability / 2),
        v2.RandomGrayscale(probability / 2),
        v2.RandomApply([v2.GaussianBlur(5, (0.1, 2.0))], probability),
        v2.RandomApply([v2.GaussianNoise(sigma=0.05)], probability),
        v2.RandomApply([v2.Lambda(jpeg_artefacts, tv_tensors.Image)], probability),
    ]


def jpeg_artefacts(image: Tensor) -> Tensor:
    """The image after compression to JPEG at a quality of 20 to 80.

    Args:
        image: ``(3, H, W)`` uint8.

    Returns:
        The same shape and type.
    """
    buffer = BytesIO()
    pixels = Image.fromarray(image.permute(1, 2, 0).numpy())
    pixels.save(buffer, "JPEG", quality=int(torch.randint(20, 81, ())))
    with Image.open(buffer) as compressed:
        return torch.from_numpy(np.array(compressed)).permute(2, 0, 1)


def colour_cast(image: Tensor) -> Tensor:
    """Another exponent (0.6…1.7) and gain (0.8…1.2) for each channel, as lamps, dusk and sensors have.

    Args:
        image: ``(3, H, W)`` uint8.

    Returns:
        The same shape and type.
    """
    shared, own = torch.empty(1).uniform_(-0.35, 0.35), torch.empty(3).uniform_(-0.15, 0.15)
    gain = torch.empty(3).uniform_(0.8, 1.2)
    levels = torch.linspace(0, 1, 256)[None] ** torch.exp(shared + own)[:, None] * gain[:, None]
    table = (levels.clamp(0, 1) * 255).round().to(torch.uint8)
    return torch.stack([curve[channel.long()] for curve, channel in zip(table, image, strict=True)])


class TrainingTensors(Dataset[tuple[Tensor, Tensor]]):
    """Samples as normalised images and targets of predicted ids.

    Args:
        dataset: Samples with truth.
        mean: Mean of each channel on the scale 0…1.
        std: Standard deviation of each channel on the scale 0…1.
        transform: Applied to image and target before normalisation.

    Raises:
        DatasetError: If the dataset has no truth.
    """

    def __init__(
        self,
        dataset: SegmentationDataset,
        mean: Sequence[float],
        std: Sequence[float],
        transform: Transform | None = None,
    ) -> None:
        if dataset.label_set is None:
            raise DatasetError("a network is trained on labelled images; this dataset has no truth")
        self.dataset = dataset
        self.label_set = dataset.label_set
        self.mean = tuple(mean)
        self.std = tuple(std)
        self.transform = transform

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Image ``(3, H, W)`` float32, target ``(H, W)`` int64 of predicted ids, 255 to be ignored."""
        sample = self.dataset[index]
        target = torch.from_numpy(self._target(sample))
        image = torch.from_numpy(np.array(sample.image)).permute(2, 0, 1)
        if self.transform is not None:
            image, target = self.transform(tv_tensors.Image(image), tv_tensors.Mask(target))
        array = image.permute(1, 2, 0).numpy()
        return image_tensor(array, self.mean, self.std), torch.as_tensor(target).long()

    def _target(self, sample: Sample) -> NDArray[np.uint8]:
        return self.label_set.to_predicted(required_labels(sample))
