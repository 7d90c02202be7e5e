"""How good a network's segmentation is, measured image by image while it is trained."""

import logging
from typing import Any

import torch
from torch import nn

from oodretrieval.datasets.sample import required_labels
from oodretrieval.datasets.transforms import TrainingTensors, image_tensor
from oodretrieval.evaluation import SegmentationQuality
from oodretrieval.execution import progress

logger = logging.getLogger(__name__)


@torch.inference_mode()
def evaluate_network(
    network: nn.Module, data: TrainingTensors, device: torch.device, background: bool = True
) -> SegmentationQuality:
    """Run a network over a dataset and compare it with the truth at full size.

    Args:
        network: In evaluation mode, on ``device``.
        data: Images with truth, and their normalisation.
        device: Where to compute.
        background: Also evaluate the background, where the labels have one; takes longer.

    Returns:
        What was counted.

    Raises:
        DatasetError: If an image has no labels.
    """
    quality = SegmentationQuality(data.label_set)
    for index in progress(range(len(data)), "validating"):
        sample = data.dataset[index]
        labels = required_labels(sample)
        logits = network(image_tensor(sample.image, data.mean, data.std)[None].to(device))[0]
        classes = logits.argmax(0).cpu().numpy()
        quality.update(classes, labels, logits.float().cpu().numpy() if background else None)
    return quality


def rounded(measures: dict[str, Any]) -> dict[str, Any]:
    """The ``measures``, also those per class, to four digits."""
    return {
        key: rounded(value)
        if isinstance(value, dict)
        else round(value, 4)
        if isinstance(value, float)
        else value
        for key, value in measures.items()
    }


def log_quality(measures: dict[str, Any]) -> None:
    """Log the ``measures``, one a line, and those per class side by side."""
    per_class = {key: values for key, values in measures.items() if isinstance(values, dict)}
    for key, value in measures.items():
        if isinstance(value, float):
            logger.info("  %-24s %.4f", key.replace("_", " "), value)
    logger.info("  %-24s %s", "", "  ".join(f"{key:>8}" for key in per_class))
    for name in next(iter(per_class.values()), {}):
        values = (column[name] for column in per_class.values())
        row = "  ".join("       –" if value is None else f"{value:8.4f}" for value in values)
        logger.info("  %-24s %s", name, row)
