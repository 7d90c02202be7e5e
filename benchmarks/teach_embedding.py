r"""Teach an embedding to distinguish what labelled scenes name, and write what it learned.

    python benchmarks/teach_embedding.py camvid_0006r0:2 camvid_0016e5:5 camvid_0001tp_12:3 \
        --output pretrained/embedding_camvid.safetensors --left-out taught

Each argument is a dataset with truth, one scene, and of its images every how manyth. Things are the connected
components of its labels, at least 16 pixels high and wide and 150 in all, the 40 largest of an image; each is embedded
as a candidate is by default (its own pixels of its crop). ``--left-out`` names a folder for further files, one a scene,
each of all scenes but that one: what is measured on a scene shall not have been taught by it (docs/retrieval.md).
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from checkout import ROOT
from command_line import command_line, note_progress
from numpy.typing import NDArray
from scipy import ndimage

from oodretrieval.choices import DEFAULT_NET, MASKED
from oodretrieval.datasets import SegmentationDataset
from oodretrieval.embedding import ImageCandidates, embed_candidates, embedding_network
from oodretrieval.embedding.taught import save_directions
from oodretrieval.embedding.teaching import taught_directions
from oodretrieval.experiment.configuration import load_configuration
from oodretrieval.experiment.datasets import dataset_in_use
from oodretrieval.experiment.settings import CommonSettings
from oodretrieval.masks import encode_mask
from oodretrieval.segments import Box, enlarge_box

SIDE, PIXELS, MOST = 16, 150, 40
"""Least height and width, and least pixels, of a thing; most of an image."""
CROP, SIZE = 64, 224
"""Least side of a crop, and what all are resized to."""


class Thing(NamedTuple):
    """A connected component of one label."""

    label: int
    box: Box
    mask: NDArray[np.bool_]


class Taught(NamedTuple):
    """Vectors of labelled things of a scene, ``n``."""

    vectors: NDArray[np.float32]
    classes: NDArray[np.str_]
    scenes: NDArray[np.str_]


def things(labels: NDArray[np.integer], void: frozenset[int]) -> list[Thing]:
    """The things of an image, the largest first."""
    found = []
    for label in np.setdiff1d(np.unique(labels), list(void)):
        components, _ = ndimage.label(labels == label)
        for number, (rows, columns) in enumerate(ndimage.find_objects(components), 1):
            box = Box(columns.start, rows.start, columns.stop, rows.stop)
            mask = components == number
            if min(box.right - box.left, box.bottom - box.top) >= SIDE and mask.sum() >= PIXELS:
                found.append(Thing(int(label), box, mask))
    return sorted(found, key=lambda thing: -int(thing.mask.sum()))[:MOST]


def embedded(dataset: SegmentationDataset, name: str, every: int) -> Taught:
    """Embed the things of a scene."""
    assert dataset.label_set is not None, f"{name} has no truth"
    label_set = dataset.label_set
    classes: list[str] = []

    def images() -> Iterator[ImageCandidates]:
        for index in range(0, len(dataset), every):
            sample = dataset[index]
            assert sample.labels is not None
            found = things(sample.labels, label_set.void_ids)
            classes.extend(label_set.label_name(thing.label) for thing in found)
            boxes = [enlarge_box(thing.box, CROP, CROP, *sample.labels.shape) for thing in found]
            yield ImageCandidates(sample.image, boxes, [encode_mask(thing.mask) for thing in found])

    vectors = embed_candidates(embedding_network(), images(), (MASKED,), size=SIZE)
    logging.info("%d things of %s", len(vectors), name)
    return Taught(vectors, np.array(classes), np.full(len(vectors), name))


def write(scenes: dict[str, Taught], asked: dict[str, int], path: Path) -> None:
    """Find the directions of some scenes, and write them."""
    parts = list(scenes.values())
    vectors, classes, places = (np.concatenate(column) for column in zip(*parts, strict=True))
    directions = taught_directions(vectors, classes, places)
    made_by = {
        "datasets": {name: {"every": asked[name], "things": len(scenes[name].vectors)} for name in scenes},
        "embedded": f"{MASKED}, crops of {SIZE}",
        "recipe": "benchmarks/teach_embedding.py",
    }
    save_directions(directions, DEFAULT_NET, path, made_by)
    logging.info("%s: %d directions of %d things", path.name, directions.shape[1], len(vectors))


def main() -> None:
    """Read the command line and run."""
    parser = command_line(__doc__)
    parser.add_argument("datasets", nargs="+", help="dataset:every how manyth image")
    parser.add_argument("--output", type=Path, default=ROOT / "pretrained" / "embedding_camvid.safetensors")
    parser.add_argument("--left-out", type=Path, help="folder for what all scenes but one teach")
    chosen = parser.parse_args()
    note_progress()
    configuration, common = load_configuration(), CommonSettings()
    asked = {name: int(every or 1) for name, _, every in (one.partition(":") for one in chosen.datasets)}
    scenes = {
        name: embedded(dataset_in_use(configuration, name, common), name, every)
        for name, every in asked.items()
    }
    write(scenes, asked, chosen.output)
    for left_out in scenes if chosen.left_out else ():
        others = {name: taught for name, taught in scenes.items() if name != left_out}
        write(others, asked, chosen.left_out / f"without_{left_out}.safetensors")


if __name__ == "__main__":
    main()
