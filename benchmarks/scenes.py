"""Leave one scene out: networks that never saw the drive that they are evaluated on."""

import argparse
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from oodretrieval.datasets import open_dataset
from oodretrieval.entries import DatasetEntry
from oodretrieval.stages.configuration import Configuration, load_configuration
from oodretrieval.stages.train_segmentation import TrainSegmentationSettings, train_segmentation
from oodretrieval.stores import Workspace

SCENES = ("0001tp", "0006r0", "0016e5")
RECIPE: dict[str, Any] = {
    "crop_height": 256,
    "crop_width": 352,
    "scale_min": 0.9,  # CamVid at 0.64 of its size …
    "scale_max": 2.2,  # … to 1.56
    "batch_size": 8,
    "colour": 0.5,
    "photometric": 0.15,
    "rotation": 5.0,
}
STEPS = 800
EVERY = 16
"""Every so manieth training frame is also what the last epoch is measured on: a check, nothing is chosen by it."""


def train(scene: str, chosen: argparse.Namespace, configuration: Configuration, workspace: Workspace) -> None:
    """Train the network that never saw a scene; goes on where it broke off."""
    name, data = f"deeplabv3plus_without_{scene}", f"camvid_without_{scene}"
    frames = len(open_dataset(configuration.dataset(data), data))
    check = DatasetEntry(
        "oodretrieval.datasets.subset",
        "subset_by_index",
        {"dataset": configuration.dataset(data), "indices": range(0, frames, EVERY)},
    )
    datasets = {**configuration.datasets, f"{data}_check": check}
    epochs = max(1, round(chosen.steps / (frames // RECIPE["batch_size"])))
    settings = TrainSegmentationSettings(
        model_name=name,
        dataset=data,
        dataset_val=f"{data}_check",
        save_file=str(chosen.weights / f"{name}.safetensors"),
        gpu=chosen.gpu,
        epochs=epochs,
        validate_every=epochs,
        **RECIPE,
    )
    train_segmentation(settings, replace(configuration, datasets=datasets), workspace)


def main() -> None:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", choices=("train",))
    parser.add_argument("--scenes", nargs="+", choices=SCENES, default=SCENES)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--workspace", required=True)
    parser.add_argument("--gpu", type=int, default=-1)
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    configuration, workspace = load_configuration(), Workspace(chosen.workspace)
    chosen.weights.mkdir(parents=True, exist_ok=True)
    for scene in chosen.scenes:
        train(scene, chosen, configuration, workspace)


if __name__ == "__main__":
    main()
