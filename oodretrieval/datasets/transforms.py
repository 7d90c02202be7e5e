"""From samples to training tensors: random scale, crop, flip and colour on image and labels together."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset
from torchvision import tv_tensors
from torchvision.transforms import v2

from oodretrieval.datasets.sample import Sample, SegmentationDataset
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
    scale: tuple[float, float] = (0.5, 2.0),
    flip: float = 0.5,
    colour: float = 0.3,
) -> Transform:
    """Random scale, crop, horizontal flip and colour; the image is padded with black, the labels with 255.

    Args:
        height: Height of the crop.
        width: Width of the crop.
        scale: Smallest and largest size of the scaled image; 1 is the largest that fits into the crop.
        flip: Probability of a flip.
        colour: Strength of brightness, contrast and saturation jitter; hue gets a tenth of it.

    Returns:
        A transform of image and target together.
    """
    fill: dict[type, int] = {tv_tensors.Image: 0, tv_tensors.Mask: NO_CLASS}
    transform: Transform = v2.Compose(
        [
            v2.ScaleJitter((width, height), scale),  # it divides the second by the image's height
            v2.RandomCrop((height, width), pad_if_needed=True, fill=fill),
            v2.RandomHorizontalFlip(flip),
            v2.ColorJitter(colour, colour, colour, colour / 10),
        ]
    )
    return transform


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
        if sample.labels is None:
            raise DatasetError(f"{sample.path} has no labels, but the dataset says that it has truth")
        return self.label_set.to_predicted(sample.labels)
