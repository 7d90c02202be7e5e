"""Pixels taken out of an image: what they are replaced with, and what a network says of the image without them."""

from collections.abc import Callable
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.sparse import lil_array
from scipy.sparse.linalg import spsolve
from torch import Tensor, nn

NOISE = 0.01
"""Standard deviation of what is added to imputed pixels, of colours from 0 to 1."""
BLUR = 8
"""Standard deviation of the blurred image that areas are replaced with, in pixels."""
Fill = Callable[[Tensor, NDArray[np.int64]], Tensor]
"""An image ``(1, 3, H, W)`` and pixels ``(k, 2)`` → the colours that they get, ``(3, k)``."""


def fills(std: Tensor, generator: np.random.Generator) -> dict[str, Fill]:
    """What single pixels are replaced with: what is imputed from their neighbours, or the mean colour."""

    def imputed(image: Tensor, pixels: NDArray[np.int64]) -> Tensor:
        noise = torch.tensor(generator.normal(0, NOISE, (3, len(pixels)))).float()
        return imputation(image, pixels) + noise / std[:, None]

    def mean_colour(image: Tensor, pixels: NDArray[np.int64]) -> Tensor:
        return torch.zeros(3, len(pixels))

    return {"imputation": imputed, "mean colour": mean_colour}


def surroundings(image: Tensor, pixels: NDArray[np.int64]) -> Tensor:
    """What areas are replaced with: the blurred image."""
    return blurred(image)[0][:, pixels[:, 0], pixels[:, 1]]


def blurred(image: Tensor) -> Tensor:
    """Without what is finer than a few pixels."""
    return torch.tensor(gaussian_filter(image.numpy(), (0, 0, BLUR, BLUR)))


def imputation(image: Tensor, pixels: NDArray[np.int64]) -> Tensor:
    """Colours so that each pixel is the weighted mean of its eight neighbours, those taken out like it among them.

    Args:
        image: ``(1, 3, H, W)``.
        pixels: Rows and columns, ``(k, 2)``, distinct; not every pixel of the image.

    Returns:
        ``(3, k)``. A direct neighbour weighs twice as much as a diagonal one.

    Source: Rong et al., A Consistent and Efficient Evaluation Strategy for Attribution Methods, ICML 2022 (ROAD).
    """
    height, width = image.shape[2:]
    numbers = np.full((height + 2, width + 2), -2)  # -2: beyond the image, -1: kept
    numbers[1:-1, 1:-1] = -1
    row, column = pixels.T + 1
    count = np.arange(len(pixels))
    numbers[row, column] = count
    colours = np.pad(image[0].double().numpy(), ((0, 0), (1, 1), (1, 1)))
    system, known = lil_array((len(pixels), len(pixels))), np.zeros((len(pixels), 3))
    total = np.zeros(len(pixels))
    for down, across in set(product((-1, 0, 1), repeat=2)) - {(0, 0)}:
        weight = 1.0 if down and across else 2.0
        neighbours = numbers[row + down, column + across]
        total += weight * (neighbours > -2)
        removed, kept = neighbours >= 0, neighbours == -1
        system[count[removed], neighbours[removed]] = -weight
        known[kept] += weight * colours[:, row[kept] + down, column[kept] + across].T
    system[count, count] = total
    return torch.tensor(spsolve(system.tocsc(), known).reshape(-1, 3).T).float()


@torch.no_grad()
def deleted(
    model: nn.Module,
    image: Tensor,
    fill: Fill,
    pixels: NDArray[np.int64],
    mask: NDArray[np.bool_],
    target: int,
) -> float:
    """The class's mean logit in the segment where pixels are replaced by ``fill``."""
    without, (row, column) = image.clone(), torch.tensor(pixels).unbind(1)
    without[0, :, row, column] = fill(image, pixels)
    return float(model(without)[0, target][torch.tensor(mask)].mean())
