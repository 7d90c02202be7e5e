"""Fixations and the methods that stand next to them: what each of them takes out of a segment."""

from dataclasses import dataclass

import numpy as np
import torch
from captum.attr import FeatureAblation, LayerAttribution, LayerGradCam, Saliency
from numpy.typing import NDArray
from pixel_replacement import blurred
from scipy.ndimage import gaussian_filter, minimum_filter
from torch import Tensor, nn

from oodretrieval.explain import Evidence, heat_map
from oodretrieval.explain.maps import WIDTH

FIXATIONS, RANDOM, SQUARES = "fixations", "random, of the segment", "random squares of the segment"
SALIENCY, CAM, ABLATION = "gradient saliency", "Seg-Grad-CAM", "feature ablation"
DIFFERENCE = "gradient × difference"
RANDOM_SETS = 2
"""Sets of random pixels of a segment; their drops are averaged."""
AREA = 0.5
"""Size of the areas, of the segment's."""
SQUARE = 11
"""Side of random squares in pixels."""
GRID = (5, 6)
"""Cells, down and across, that feature ablation takes out one by one."""


@dataclass(frozen=True, eq=False)
class Chosen:
    """What a method takes out of a segment: pixels, as many as there are fixations, and an area; each ``(k, 2)``."""

    area: NDArray[np.int64]
    pixels: NDArray[np.int64] | None = None


def explained(
    model: nn.Module,
    image: Tensor,
    segments: list[tuple[NDArray[np.bool_], int]],
    generator: np.random.Generator,
) -> list[dict[str, Chosen]]:
    """Method → what it chooses, of each segment."""
    masks = torch.tensor(np.stack([mask for mask, _ in segments]))
    classes = [target for _, target in segments]

    def mean_logits(x: Tensor) -> Tensor:
        logits = model(x)
        return torch.stack(
            [logits[0, target][mask].mean() for mask, target in zip(masks, classes, strict=True)]
        )

    cells = torch.nn.functional.interpolate(
        torch.arange(float(np.prod(GRID))).view(1, 1, *GRID), image.shape[2:], mode="nearest"
    ).long()
    ablated = FeatureAblation(mean_logits).attribute(image, feature_mask=cells)
    different, found = image - blurred(image), []
    for number, ((mask, _), fixated) in enumerate(
        zip(segments, Evidence(model, image).fixations(segments), strict=True)
    ):
        size = int(AREA * mask.sum())

        def of_segment(x: Tensor, number: int = number) -> Tensor:
            return mean_logits(x)[number][None]

        gradient = Saliency(of_segment).attribute(image.clone().requires_grad_(), abs=False)[0].detach()
        cam = LayerGradCam(of_segment, model.get_submodule("pyramid.project")).attribute(
            image.clone(), relu_attributions=True
        )
        cam = LayerAttribution.interpolate(cam, tuple(image.shape[2:]), "bilinear")[0, 0]
        scores = {
            SALIENCY: gradient.abs().amax(0),
            DIFFERENCE: (gradient * different[0]).sum(0),
            CAM: cam.detach(),
            ABLATION: ablated[number].sum(0).detach(),
        }
        methods = {FIXATIONS: Chosen(top(heat_map(fixated, mask.shape), size, generator), fixated)}
        for name, values in scores.items():
            heat = values.numpy() if name in (CAM, ABLATION) else gaussian_filter(values.numpy(), bell(mask))
            pixels = top(values.numpy(), len(fixated), generator)
            methods[name] = Chosen(top(heat, size, generator), pixels)
        for number_of_set in range(RANDOM_SETS):
            pixels = generator.permutation(np.argwhere(mask))
            methods[f"{RANDOM} {number_of_set}"] = Chosen(pixels[:size], pixels[: len(fixated)])
        methods[SQUARES] = Chosen(squares(mask, size, generator))
        found.append(methods)
    return found


def bell(mask: NDArray[np.bool_]) -> float:
    """Standard deviation of the bells of a heat map, in pixels."""
    return WIDTH * float(np.hypot(*mask.shape))


def squares(mask: NDArray[np.bool_], size: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """Pixels of random squares within a segment, ``(size, 2)``."""
    order = np.full(mask.shape, np.inf)
    centres = generator.permutation(np.argwhere(mask))
    order[centres[:, 0], centres[:, 1]] = np.arange(len(centres))
    first = minimum_filter(order, SQUARE, mode="constant", cval=np.inf)
    return top(np.where(mask, -first, -np.inf), size, generator)


def top(scores: NDArray[np.floating], number: int, generator: np.random.Generator) -> NDArray[np.int64]:
    """The pixels of the highest scores, ``(number, 2)``; of equal ones, any."""
    order = np.lexsort((generator.random(scores.size), -scores.ravel()))[:number]
    return np.stack(np.unravel_index(order, scores.shape), 1)
