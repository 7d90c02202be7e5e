"""One image through one network: predicted classes, logits at the network's stride, entropy."""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from oodretrieval.datasets import Sample, SegmentationDataset
from oodretrieval.datasets.transforms import image_tensor
from oodretrieval.entries import ModelEntry
from oodretrieval.errors import ConfigurationError, ImageError
from oodretrieval.labels import ClassMapping, LabelSet, background_in_front
from oodretrieval.models import load_model, read_metadata
from oodretrieval.segments import entropy
from oodretrieval.stores import Prediction

UINT8_CLASSES = 255


class Segmenter:
    """A network ready to predict images.

    Args:
        entry: The network's entry.
        device: Where it runs.

    Raises:
        ConfigurationError: If the entry cannot be built.
        WeightsError: If its weights are missing or do not fit.
    """

    def __init__(self, entry: ModelEntry, device: torch.device) -> None:
        model = load_model(entry)
        self.model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.entry, self.device = entry, device
        self.align_corners = bool(getattr(model, "align_corners", False))

    @torch.inference_mode()
    def __call__(self, sample: Sample, label_set: LabelSet | None) -> Prediction:
        """Predict one image.

        Args:
            sample: The image, and its labels where there is truth.
            label_set: Tables of the labels; None without truth.

        Returns:
            Everything that can be kept: classes, logits and entropy.

        Raises:
            ImageError: If the network's output is not finite.
            ConfigurationError: If it has another number of classes than ``label_set``.
        """
        batch = image_tensor(sample.image, self.entry.mean, self.entry.std)[None].to(self.device)
        logits = self._low_resolution_logits(batch.contiguous(memory_format=torch.channels_last)).float()
        self._check(logits, sample, label_set)
        height, width = sample.image.shape[:2]
        full = F.interpolate(logits, (height, width), mode="bilinear", align_corners=self.align_corners)[0]
        classes = full.argmax(0).cpu().numpy()
        softmax = full.softmax(0).permute(1, 2, 0).cpu().numpy()
        return Prediction(
            prediction=classes.astype(np.uint8 if len(full) <= UINT8_CLASSES else np.uint16),
            labels=sample.labels,
            image_path=sample.path,
            image_id=sample.id,
            label_to_pred=dict(label_set.label_to_pred) if label_set else {},
            void_ids=label_set.void_ids if label_set else frozenset(),
            logits=logits[0].cpu().numpy(),
            align_corners=self.align_corners,
            num_classes=len(full),
            entropy=entropy_map(softmax),
        )

    def _low_resolution_logits(self, batch: Tensor) -> Tensor:
        offered = getattr(self.model, "low_resolution_logits", self.model)
        logits: Tensor = offered(batch)
        return logits

    def _check(self, logits: Tensor, sample: Sample, label_set: LabelSet | None) -> None:
        if not bool(torch.isfinite(logits).all()):
            raise ImageError(
                f"{sample.path}: the network's output is not finite; check its weights and mean, std"
            )
        require_classes(logits.shape[1], label_set)


def require_classes(count: int, label_set: LabelSet | None) -> None:
    """Refuse predictions of another number of classes than the dataset has.

    Raises:
        ConfigurationError: If the numbers differ.
    """
    if label_set is not None and count != label_set.num_classes:
        raise ConfigurationError(
            f"the network has {count} classes, the dataset's pred_mapping {label_set.num_classes}; "
            "choose a dataset entry made for this network (with background, if it has one), or give it its own "
            "label_to_pred"
        )


def entropy_map(softmax: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Entropy over ``ln C`` of ``(H, W, C)``, times 255 and rounded: ``(H, W)``, 0 certain … 255 uniform."""
    return np.round(entropy(softmax) * 255).clip(0, 255).astype(np.uint8)


def predicted_classes(entry: ModelEntry, dataset: SegmentationDataset, num_classes: int) -> ClassMapping:
    """Names and colours of the predicted ids, from whoever knows them.

    Args:
        entry: The network, whose weights may carry its classes.
        dataset: A dataset, which knows them where it has truth.
        num_classes: C, for networks and datasets that know nothing.

    Returns:
        Predicted id → (name, colour).
    """
    if dataset.label_set is not None:
        return dataset.label_set.pred_mapping
    metadata = read_metadata(entry.weights) if entry.weights is not None else {}
    if noted := metadata.get("classes"):
        classes = {
            int(key): (name, (colour[0], colour[1], colour[2])) for key, (name, colour) in noted.items()
        }
        if entry.implicit_background == bool(metadata.get("implicit_background")):
            return classes
        added = entry.implicit_background  # to weights trained without it, or else the other way round
        return background_in_front(classes) if added else {i - 1: shown for i, shown in classes.items() if i}
    greys = np.linspace(0, 255, max(num_classes, 2)).astype(int).tolist()
    return {i: (f"class {i}", (greys[i], greys[i], greys[i])) for i in range(num_classes)}
