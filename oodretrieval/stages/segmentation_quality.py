"""How good a network's segmentation is, judged image by image while it is trained."""

from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from oodretrieval.datasets.transforms import TrainingTensors, image_tensor
from oodretrieval.errors import DatasetError
from oodretrieval.evaluation import SegmentationQuality


@torch.inference_mode()
def judge(
    network: nn.Module, data: TrainingTensors, device: torch.device, background: bool = True
) -> dict[str, Any]:
    """Run a network over a dataset and compare it with the truth at full size.

    Args:
        network: In evaluation mode, on ``device``.
        data: Images with truth, and their normalisation.
        device: Where to compute.
        background: Also judge the background, where the labels have one; takes longer.

    Returns:
        Figures as of :class:`~oodretrieval.evaluation.SegmentationQuality`.

    Raises:
        DatasetError: If an image has no labels.
    """
    quality = SegmentationQuality(data.label_set)
    for index in tqdm(range(len(data)), "validating", disable=None):
        sample = data.dataset[index]
        if sample.labels is None:
            raise DatasetError(f"{sample.path} has no labels, but the dataset says that it has truth")
        logits = network(image_tensor(sample.image, data.mean, data.std)[None].to(device))[0]
        classes = logits.argmax(0).cpu().numpy()
        quality.update(classes, sample.labels, logits.float().cpu().numpy() if background else None)
    return quality.figures()


def rounded(figures: dict[str, Any]) -> dict[str, Any]:
    """Figures, also those per class, to four digits."""
    return {
        key: rounded(value)
        if isinstance(value, dict)
        else round(value, 4)
        if isinstance(value, float)
        else value
        for key, value in figures.items()
    }
