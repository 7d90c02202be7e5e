"""What fixations say of unknown objects and of ordinary errors, on drives that the network never saw."""

import argparse
from dataclasses import replace
from typing import Any

import numpy as np
from fixation_samples import go_through, segments_of
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from torch import nn

from oodretrieval.datasets import SegmentationDataset, open_dataset
from oodretrieval.datasets.transforms import image_tensor
from oodretrieval.entries import ModelEntry
from oodretrieval.errors import DatasetNotFoundError
from oodretrieval.experiment.configuration import Configuration
from oodretrieval.explain import Evidence
from oodretrieval.models import load_model


def measure_signal(chosen: argparse.Namespace, configuration: Configuration) -> None:
    """Go through the frames of every drive, by the network that never saw it."""
    for drive in chosen.scenes:
        name = f"deeplabv3plus_without_{drive}"
        weights = (chosen.weights / f"{name}.safetensors").resolve()
        if not weights.is_file():
            print(f"{weights} is not there yet; left out")
            continue
        entry = replace(configuration.model(name), weights=weights)
        model = load_model(entry).eval()
        dataset = dataset_of(drive, configuration)
        tables = dataset.label_set
        assert tables is not None, "these drives have truth"
        to_pred = np.array([tables.label_to_pred.get(i, 255) for i in range(256)])
        void = np.isin(np.arange(256), list(tables.void_ids))

        def measure(
            image_id: str,
            index: int,
            model: nn.Module = model,
            entry: ModelEntry = entry,
            dataset: SegmentationDataset = dataset,
            to_pred: NDArray[np.int64] = to_pred,
            void: NDArray[np.bool_] = void,
        ) -> list[dict[str, Any]]:
            sample = dataset[index]
            evidence = Evidence(model, image_tensor(sample.image, entry.mean, entry.std)[None])
            truth = to_pred[sample.labels]
            unknown = (truth == 255) & ~void[sample.labels]
            segments = list(segments_of(evidence.logits, np.random.default_rng(index), 1000))
            kept = [(mask, target) for mask, target in segments if void[sample.labels][mask].mean() <= 0.5]
            probabilities = evidence.logits[0].softmax(0).numpy()
            entropy = -(probabilities * np.log(probabilities + 1e-12)).sum(0) / np.log(len(probabilities))
            energy = -evidence.logits[0].logsumexp(0).numpy()
            rows = []
            for (mask, target), pixels in zip(kept, evidence.fixations(kept), strict=True):
                rows.append(
                    {
                        "image": image_id,
                        "unknown": bool(unknown[mask].mean() > 0.5),
                        "error": bool((truth[mask] == target).mean() < 0.5),
                        "scores": signals(mask, pixels)
                        | {
                            "mean entropy": float(entropy[mask].mean()),
                            "mean energy": float(energy[mask].mean()),
                        },
                    }
                )
            return rows

        go_through(f"signal_{drive}", dataset, measure, chosen)


def signals(mask: NDArray[np.bool_], pixels: NDArray[np.int64]) -> dict[str, float]:
    """What fixations say of a segment, each higher where less of it lies in the segment."""
    if not len(pixels):
        return dict.fromkeys(
            ("share outside", "spread", "spread over size", "distance", "points per pixel"), 0.0
        )
    away = distance_transform_edt(~mask)[pixels[:, 0], pixels[:, 1]]
    spread = float(np.linalg.norm(pixels - np.median(pixels, axis=0), axis=1).mean())
    return {
        "share outside": float((away > 0).mean()),
        "spread": spread,
        "spread over size": spread / float(mask.sum()) ** 0.5,
        "distance": float(away.mean()),
        "points per pixel": len(pixels) / float(mask.sum()),
    }


def dataset_of(drive: str, configuration: Configuration) -> SegmentationDataset:
    """A drive with full labels, if it has any, else with the 12 classes."""
    name = f"camvid_{drive}"
    try:
        return open_dataset(configuration.dataset(name), name)
    except DatasetNotFoundError:
        return open_dataset(configuration.dataset(f"{name}_12"), f"{name}_12")
