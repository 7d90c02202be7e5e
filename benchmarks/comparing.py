"""What the comparisons of recipes share: one entry and training a variant and seed, means with their spread."""

import argparse
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from checkout import ROOT
from command_line import command_line
from numpy.typing import NDArray
from PIL import Image

from oodretrieval.choices import BACKBONE
from oodretrieval.datasets import Sample, Subset, open_dataset
from oodretrieval.entries import LITE_MEAN, LITE_STD, DatasetEntry, ModelEntry
from oodretrieval.experiment.configuration import load_configuration
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import from_mapping
from oodretrieval.stages.train.settings import TrainSegmentationSettings
from oodretrieval.stages.train.train_segmentation import train_segmentation
from oodretrieval.stores import Workspace

NETWORK = {"backbone": BACKBONE, "channels": 96, "low_level_channels": 24}
RECIPE: dict[str, Any] = {
    "crop_height": 144,
    "crop_width": 192,
    "scale_min": 1.0,  # at 1 an image just fits into the crop, at 1.25 CamVid has half its size
    "scale_max": 1.75,
    "batch_size": 4,
    "average_decay": 0.0,  # a moving average would still remember the start of so short a training
}


class HalfSize(Subset):
    """A dataset at half of its height and width, to be evaluated at the scale of short trainings."""

    def __init__(self, dataset: DatasetEntry) -> None:
        whole = open_dataset(dataset)
        super().__init__(whole, range(len(whole)))

    def __getitem__(self, index: int) -> Sample:
        """Area-averaged image, every second label."""
        sample = super().__getitem__(index)
        labels = None if sample.labels is None else np.ascontiguousarray(sample.labels[::2, ::2])
        return sample._replace(image=np.asarray(Image.fromarray(sample.image).reduce(2)), labels=labels)

    def labels_at(self, index: int) -> NDArray[np.unsignedinteger] | None:
        """Every second label of one sample."""
        return self[index].labels


def arguments(doc: str | None, output: str, epochs: int) -> argparse.Namespace:
    """Command line of a comparison."""
    parser = command_line(doc)
    parser.add_argument("--epochs", type=int, default=epochs, help="of every training")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of every variant")
    parser.add_argument("--gpu", type=int, default=-1)
    parser.add_argument("--workspace", help="what is done is kept there and not done again")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / output, help="the table, Markdown")
    return parser.parse_args()


def names_of(variants: Iterable[str], seeds: int, kind: str) -> dict[tuple[str, int], str]:
    """Variant and seed of every training, all of one seed first → name of its entry."""
    numbered = list(enumerate(variants))
    return {
        (variant, seed): f"{kind}_{number}_{seed}" for seed in range(seeds) for number, variant in numbered
    }


def set_up(workspace: str | None, entries: dict[str, ModelEntry], evaluated_on: str) -> Run:
    """A configuration with these networks, their weights in the workspace, and a dataset at half its size.

    Args:
        workspace: Folder, or None for one next to the configuration's.
        entries: Name → network.
        evaluated_on: Name of a dataset, which gets an entry ``<name>_half``.
    """
    configuration = load_configuration()
    place = Workspace(Path(workspace) if workspace else configuration.workspace / "comparisons")
    weights = place.path.resolve() / "weights"
    weights.mkdir(parents=True, exist_ok=True)
    kept = {name: replace(entry, weights=weights / f"{name}.safetensors") for name, entry in entries.items()}
    half = DatasetEntry("comparing", "HalfSize", {"dataset": configuration.dataset(evaluated_on)})
    datasets = {**configuration.datasets, f"{evaluated_on}_half": half}
    return Run(replace(configuration, models=kept, datasets=datasets), place)


def deeplab(num_classes: int, implicit_background: bool = False) -> ModelEntry:
    """The network of all comparisons."""
    return ModelEntry(
        "oodretrieval.models",
        "DeepLabV3Plus",
        {**NETWORK, "num_classes": num_classes},
        mean=LITE_MEAN,
        std=LITE_STD,
        implicit_background=implicit_background,
    )


def train(name: str, chosen: argparse.Namespace, run: Run, **options: Any) -> dict[str, Any]:
    """Train one variant and seed by the common recipe; returns the quality of the kept weights."""
    settings = from_mapping(
        TrainSegmentationSettings,
        {
            "model_name": name,
            "gpu": chosen.gpu,
            "epochs": chosen.epochs,
            "validate_every": chosen.epochs,
            **RECIPE,
            **options,
        },
    )
    return train_segmentation(settings, run)


def with_spread(values: Sequence[float]) -> str:
    """Mean and, of several values, their standard deviation.

    Example:
        >>> with_spread([0.5, 0.6, 0.7])
        '0.600 ± 0.100'
    """
    spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.3f}{spread}"
