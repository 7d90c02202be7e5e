"""A miniature dataset with unknown things in it, and the entries of a network that needs no training."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from oodretrieval.entries import DatasetEntry, MetaModelEntry, ModelEntry
from oodretrieval.experiment.configuration import Configuration

# CamVid's ids: 0 sky, 1 building, 3 road, 8 car, 9 pedestrian
COLOURS = {0: (120, 170, 230), 1: (150, 90, 70), 3: (90, 90, 95), 8: (30, 40, 150), 9: (240, 200, 60)}
NEVER = (255, 0, 255)
IMAGES = 6
SIZE = (96, 72)


def scene(rng: np.random.Generator) -> tuple[Image.Image, Image.Image]:
    """Boxes of buildings, cars and (unknown) pedestrians on a road, with noise; and their labels."""
    labels = Image.new("L", SIZE, 0)
    draw = ImageDraw.Draw(labels)
    draw.rectangle((0, 40, *SIZE), fill=3)
    for label, count, width, height in ((1, 3, 24, 30), (8, 2, 20, 12), (9, 2, 12, 20)):
        for _ in range(count):
            x, y = int(rng.integers(0, SIZE[0] - width)), int(rng.integers(10, SIZE[1] - height))
            draw.rectangle((x, y, x + width, y + height), fill=label)
    ids = np.asarray(labels)
    image = np.zeros((*ids.shape, 3), np.float64)
    for label, colour in COLOURS.items():
        image[ids == label] = colour
    image = (image + rng.normal(0, 12, image.shape)).clip(0, 255).astype(np.uint8)
    return Image.fromarray(image), labels


def write_miniature_camvid(root: Path, split: str, seed: int, clip: str = "0016E5") -> None:
    """A split of CamVid's layout: :data:`IMAGES` scenes of a clip, labels next to them."""
    rng = np.random.default_rng(seed)
    for folder in (split, f"{split}annot"):
        (root / folder).mkdir(parents=True)
    for number in range(IMAGES):
        image, labels = scene(rng)
        name = f"{clip}_{100 * number + 5000 * (split == 'train'):05d}.png"
        image.save(root / split / name)
        labels.save(root / f"{split}annot" / name)


def configuration_for(root: Path, folder: Path) -> Configuration:
    """Entries for the miniature and the network of colours."""
    known = [COLOURS.get(i, NEVER) for i in range(9)]

    def entry(split: str) -> DatasetEntry:
        arguments = {"root": str(root), "split": split, "unknown": ("pedestrian", "bicyclist")}
        return DatasetEntry("oodretrieval.datasets", "CamVid", arguments)

    images = DatasetEntry("oodretrieval.datasets", "ImageFolder", {"root": str(root / "val")})
    network = {"colours": known}
    return Configuration(
        path=folder / "configuration.py",
        datasets={"train": entry("train"), "val": entry("val"), "images": images},
        models={
            "colour": ModelEntry("colour_network", "ColourNetwork", network, mean=(0, 0, 0), std=(1, 1, 1)),
            "other": ModelEntry("colour_network", "ColourNetwork", network, mean=(0, 0, 0), std=(2, 2, 2)),
        },
        meta_models={
            "linear": MetaModelEntry("oodretrieval.meta_models", "LinearMetaModel"),
            "boosting": MetaModelEntry("oodretrieval.meta_models", "BoostedMetaModel"),
            "meta_nn": MetaModelEntry("oodretrieval.meta_models", "NeuralMetaModel"),
        },
        workspace=folder / "workspace",
        defaults={},
    )
