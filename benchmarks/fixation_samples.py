"""What fixations are measured on: images in a random order, each of them once, and their large predicted segments."""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from oodretrieval.choices import LARGE_SEGMENT
from oodretrieval.datasets import SegmentationDataset
from oodretrieval.segments import label_components


def go_through(
    name: str,
    dataset: SegmentationDataset,
    measure: Callable[[str, int], list[dict[str, Any]]],
    chosen: argparse.Namespace,
    after: int = 0,
) -> None:
    """Measure images in a random order, ``after`` the first ones; those that are done are not done again."""
    path = chosen.work / f"{name}.jsonl"
    done = {json.loads(line)["image"] for line in path.read_text().splitlines()} if path.is_file() else set()
    for index in np.random.default_rng(0).permutation(len(dataset))[after : after + chosen.images].tolist():
        image = dataset.ids[index]
        if image in done:
            continue
        began = time.process_time()
        rows = measure(image, index)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"image": image, "segments": rows}) + "\n")
        print(
            f"{name}: {image}, {len(rows)} segments, {time.process_time() - began:.1f} s of CPU", flush=True
        )


def segments_of(
    logits: Tensor, generator: np.random.Generator, most: int
) -> Iterator[tuple[NDArray[np.bool_], int]]:
    """Large predicted segments, at most ``most`` of them, and their classes."""
    prediction = logits[0].argmax(0).numpy()
    components = label_components(prediction)
    ids, sizes = np.unique(components, return_counts=True)
    large = ids[(sizes >= LARGE_SEGMENT) & (ids > 0)]
    for number in generator.permutation(large)[:most]:
        mask = components == number
        yield mask, int(prediction[mask][0])
