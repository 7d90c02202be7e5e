"""Exported labels without what the network that predicted them is not sure of."""

import numpy as np
import torch
from numpy.typing import NDArray

from oodretrieval.datasets.sample import Sample, SegmentationDataset
from oodretrieval.datasets.subset import Subset, read_labels_at
from oodretrieval.datasets.transforms import image_tensor
from oodretrieval.entries import ModelEntry
from oodretrieval.execution import progress
from oodretrieval.labels import NO_CLASS
from oodretrieval.models import load_model


class SureLabels(Subset):
    """Exported images in which what the network predicted teaches only where it is sure of it.

    Next to what a person named there is often more of its kind, which the network takes for something else, and is
    less sure of.

    Args:
        exported: The images, with labels.
        entry: Of the network that predicted them.
        least: Probability of the predicted class from which on it is sure, 0…1; of 0 nothing is left out.
        device: Where it computes.
    """

    def __init__(
        self, exported: SegmentationDataset, entry: ModelEntry, least: float, device: torch.device
    ) -> None:
        super().__init__(exported, range(len(exported)))
        self._unsure: list[NDArray[np.uint8]] = []
        if least > 0:
            network = load_model(entry).to(device)
            for index in progress(range(len(exported)), "what the network is sure of"):
                self._unsure.append(np.packbits(_unsure(exported, index, network, entry, least, device)))

    def __getitem__(self, index: int) -> Sample:
        sample = super().__getitem__(index)
        return sample if sample.labels is None else sample._replace(labels=self._sure(index, sample.labels))

    def labels_at(self, index: int) -> NDArray[np.unsignedinteger] | None:
        """Labels of one image.

        Args:
            index: Its place.

        Returns:
            ``(H, W)``, 255 where the network predicted them and is not sure; None without labels.
        """
        labels = read_labels_at(self.dataset, index)
        return None if labels is None else self._sure(index, labels)

    def _sure(self, index: int, labels: NDArray[np.unsignedinteger]) -> NDArray[np.unsignedinteger]:
        if not self._unsure:
            return labels
        unsure = np.unpackbits(self._unsure[index], count=labels.size).reshape(labels.shape) > 0
        return np.where(unsure, NO_CLASS, labels).astype(labels.dtype)


@torch.no_grad()
def _unsure(
    exported: SegmentationDataset,
    index: int,
    network: torch.nn.Module,
    entry: ModelEntry,
    least: float,
    device: torch.device,
) -> NDArray[np.bool_]:
    """Where an image has the label that the network predicts, which it is not sure of, ``(H, W)``."""
    sample, label_set = exported[index], exported.label_set
    assert sample.labels is not None and label_set is not None, "an export has labels"
    image = image_tensor(sample.image, entry.mean, entry.std).to(device)
    probabilities = torch.softmax(network(image[None])[0].float(), 0)[int(entry.implicit_background) :]
    largest, predicted = (found.cpu().numpy() for found in probabilities.max(dim=0))
    unsure: NDArray[np.bool_] = (largest < least) & (label_set.to_predicted(sample.labels) == predicted)
    return unsure
