"""What the comparisons of recipes share: one entry and training a variant and seed, means with their spread."""

import argparse
import statistics
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from oodretrieval.entries import LITE_MEAN, LITE_STD, ModelEntry
from oodretrieval.stages.configuration import Configuration, load_configuration
from oodretrieval.stages.train_segmentation import TrainSegmentationSettings, train_segmentation
from oodretrieval.stores import Workspace

ROOT = Path(__file__).resolve().parents[1]
NETWORK = {"backbone": "tf_efficientnet_lite0", "channels": 96, "low_level_channels": 24}
RECIPE: dict[str, Any] = {"crop_height": 176, "crop_width": 240, "scale_min": 1.0, "scale_max": 2.5}
"""Crops at half of CamVid's 360×480; 1 is the scale at which an image just fits into the crop."""


def arguments(doc: str | None, output: str, epochs: int) -> argparse.Namespace:
    """Command line of a comparison."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=epochs, help="of every training")
    parser.add_argument("--seeds", type=int, default=3, help="trainings of every variant")
    parser.add_argument("--gpu", type=int, default=-1)
    parser.add_argument("--workspace", help="what is done is kept there and not done again")
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / output, help="the table, Markdown")
    return parser.parse_args()


def set_up(workspace: str | None, entries: dict[str, ModelEntry]) -> tuple[Configuration, Workspace]:
    """The configuration with these entries, their weights in the workspace."""
    configuration = load_configuration()
    place = Workspace(Path(workspace) if workspace else configuration.workspace / "comparisons")
    weights = place.path.resolve() / "weights"
    weights.mkdir(parents=True, exist_ok=True)
    kept = {name: replace(entry, weights=weights / f"{name}.safetensors") for name, entry in entries.items()}
    return replace(configuration, models=kept), place


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


def train(
    name: str, chosen: argparse.Namespace, configuration: Configuration, workspace: Workspace, **options: Any
) -> dict[str, Any]:
    """Train one variant and seed by the common recipe; returns the quality of the kept weights."""
    settings = TrainSegmentationSettings(
        model_name=name,
        gpu=chosen.gpu,
        epochs=chosen.epochs,
        validate_every=chosen.epochs,
        **RECIPE,
        **options,
    )
    return train_segmentation(settings, configuration, workspace)


def with_spread(values: Sequence[float]) -> str:
    """Mean and, of several values, their standard deviation.

    Example:
        >>> with_spread([0.5, 0.6, 0.7])
        '0.600 ± 0.100'
    """
    spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.3f}{spread}"
