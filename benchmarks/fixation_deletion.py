"""Deletion: how much a class's logit falls where pixels or areas are taken out that a method chooses."""

import argparse
from typing import Any

import numpy as np
import torch
from fixation_methods import FIXATIONS, RANDOM, RANDOM_SETS, explained
from fixation_samples import go_through, segments_of
from numpy.typing import NDArray
from pixel_replacement import Fill, deleted, fills, surroundings
from scipy.ndimage import distance_transform_edt

from oodretrieval.datasets import open_dataset
from oodretrieval.datasets.transforms import image_tensor
from oodretrieval.experiment.configuration import Configuration
from oodretrieval.models import load_model

PER_IMAGE = 6
COMPARED_BEFORE = 40
"""Images of the random order that deletion leaves out."""


def measure_deletion(chosen: argparse.Namespace, configuration: Configuration) -> None:
    """Go through CamVid's validation images."""
    entry = configuration.model("deeplabv3plus_camvid")
    model, dataset = load_model(entry).eval(), open_dataset(configuration.dataset("camvid_val"), "camvid_val")

    def measure(image_id: str, index: int) -> list[dict[str, Any]]:
        generator = np.random.default_rng(index)
        image = image_tensor(dataset[index].image, entry.mean, entry.std)[None]
        with torch.no_grad():
            logits = model(image)
        segments = list(segments_of(logits, generator, PER_IMAGE))
        rows, filled = [], fills(torch.tensor(entry.std), generator)
        for (mask, target), methods in zip(
            segments, explained(model, image, segments, generator), strict=True
        ):
            before = float(logits[0, target][torch.tensor(mask)].mean())
            away = distance_transform_edt(~mask)
            row: dict[str, Any] = {
                "image": image_id,
                "class": target,
                "pixels": int(mask.sum()),
                "logit": before,
            }
            for name, taken in methods.items():
                ways: dict[str, tuple[Fill, NDArray[np.int64]]] = {"area": (surroundings, taken.area)}
                if taken.pixels is not None:
                    ways |= {kind: (fill, taken.pixels) for kind, fill in filled.items()}
                if name == FIXATIONS:
                    row["points"] = len(ways["imputation"][1])
                drops = {
                    kind: before - deleted(model, image, fill, pixels, mask, target)
                    for kind, (fill, pixels) in ways.items()
                }
                row[name] = {"drop": drops} | {
                    kind: {"inside": float((distance == 0).mean()), "near": float((distance <= 10).mean())}
                    for kind, (_, pixels) in ways.items()
                    for distance in [away[pixels[:, 0], pixels[:, 1]]]
                }
            rows.append(row | averaged([row.pop(f"{RANDOM} {each}") for each in range(RANDOM_SETS)]))
        return rows

    go_through("deletion", dataset, measure, chosen, after=COMPARED_BEFORE)


def averaged(sets: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Several sets of random pixels of a segment as one; all of them lie in it."""
    drops = {kind: float(np.mean([each["drop"][kind] for each in sets])) for kind in sets[0]["drop"]}
    return {RANDOM: sets[0] | {"drop": drops}}
