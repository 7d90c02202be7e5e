"""What region proposals cost, beyond the network: seconds of one image, by part.

    python benchmarks/regions.py
    python benchmarks/regions.py --image photograph.jpg --sizes 480x360 2048x1024

Prints processor and wall-clock seconds of the fastest of several rounds, next to scikit-image's Felzenszwalb at one
scale on the same image: a ratio that holds on a loaded machine too. Kernels are compiled before. Logits (9 classes,
stride 4), features (320 channels, stride 16) and known features (3600) are noise: their values do not change the cost.
The last line is all that compute_embeddings does for an image beyond the networks, and what the target is for.
"""

import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from command_line import command_line
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from skimage.segmentation import felzenszwalb

from oodretrieval.datasets.streets import Streets
from oodretrieval.novelty import NoveltyModel, WindowBank
from oodretrieval.novelty.neighbours import FeatureBank
from oodretrieval.novelty.standardisation import Standardisation
from oodretrieval.regions import (
    RegionReference,
    ScoreWeights,
    best_cut,
    choose_regions,
    pool_evidence,
    propose_regions,
    region_shapes,
    score_regions,
)
from oodretrieval.regions.description import class_probabilities
from oodretrieval.results.tables import markdown_head, markdown_row
from oodretrieval.stages.select.region_description import described_regions
from oodretrieval.stores import Prediction
from oodretrieval.stores.regions import read_regions, write_regions

ROUNDS = 3
SHALLOW = 112
"""Channels of the features that windows are made of."""
KNOWN, WINDOWS = 3600, 2000
"""Known features that distances are measured to: 400 of each of nine classes."""


def main() -> None:
    """Measure every size that was asked for."""
    parser = command_line(__doc__)
    parser.add_argument("--image", help="any photograph; a rendered street by default")
    parser.add_argument("--sizes", nargs="+", default=["480x360", "1280x720", "2048x1024"])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    options = parser.parse_args()
    picture = (
        Image.open(options.image).convert("RGB")
        if options.image
        else Image.fromarray(Streets("test")[0].image)
    )
    print(markdown_head("size", "part", "CPU s", "wall s", "of Felzenszwalb's CPU"))
    for text in options.sizes:
        width, height = (int(side) for side in text.split("x"))
        image = np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC))
        _report(text, image, options.rounds)


def _report(size: str, image: NDArray[np.uint8], rounds: int) -> None:
    rng = np.random.default_rng(0)
    noisy = np.clip(image + rng.normal(0, 4, image.shape), 0, 255).astype(np.uint8)
    logits, features = (_smooth_noise(rng, k, image.shape[:2], stride) for k, stride in ((9, 4), (320, 16)))
    tree = propose_regions(noisy, logits=logits, features=features)
    values = rng.normal(size=len(tree))
    parts: dict[str, Callable[[], object]] = {
        "scikit-image's Felzenszwalb, one scale": lambda: felzenszwalb(noisy, scale=50, sigma=0.8),
        f"propose_regions ({len(tree)} regions)": lambda: propose_regions(
            noisy, logits=logits, features=features
        ),
        "pool_evidence, 5 maps": lambda: pool_evidence(tree, logits[:5]),
        "region_shapes": lambda: region_shapes(tree),
        "best_cut": lambda: best_cut(tree, values),
        "masks of 50 regions": lambda: tree.masks[:50],
    }
    size_of = image.shape[0], image.shape[1]
    prediction = Prediction(
        prediction=class_probabilities(logits, size_of)[0].argmax(axis=2).astype(np.uint8),
        logits=logits,
        num_classes=len(logits),
    )
    known = rng.normal(size=(KNOWN, len(features))).astype(np.float16)
    ones = np.ones(len(features), np.float32)
    bank = FeatureBank(0 * ones, ones, known, np.zeros(KNOWN, np.int64))
    usual = Standardisation.of(rng.normal(size=9))
    windows = WindowBank.of(rng.normal(size=(WINDOWS, SHALLOW)))
    model = NoveltyModel(bank, usual, usual, usual, {}, len(logits), windows=windows)
    shallow = _smooth_noise(rng, SHALLOW, image.shape[:2], 16)
    described = described_regions(noisy, prediction, features, model, window_features=shallow)
    reference = RegionReference.of([described.columns], ScoreWeights().standardised)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "regions.h5"

        def everything() -> None:
            write_regions(
                path, described_regions(noisy, prediction, features, model, window_features=shallow), {}
            )
            stored = read_regions(path)
            chosen = choose_regions(stored.tree, score_regions(stored.columns, reference))
            for region in chosen:
                _ = stored.tree.masks[int(region)]

        parts["described, kept, read, scored, chosen, with masks"] = everything
        _print(size, parts, rounds)


def _print(size: str, parts: dict[str, Callable[[], object]], rounds: int) -> None:
    base = 0.0
    for name, part in parts.items():
        cpu, wall = _fastest(part, rounds)
        base = base or cpu
        print(markdown_row(size, name, f"{cpu:.3f}", f"{wall:.3f}", f"{cpu / base:.2f}"))


def _smooth_noise(
    rng: np.random.Generator, channels: int, size: tuple[int, ...], stride: int
) -> NDArray[np.float32]:
    shape = channels, -(-size[0] // stride), -(-size[1] // stride)
    return 20 * ndimage.gaussian_filter(rng.normal(size=shape), (0, 4, 4)).astype(np.float32)


def _fastest(part: Callable[[], object], rounds: int) -> tuple[float, float]:
    part()
    seconds = []
    for _ in range(rounds):
        cpu, wall = time.process_time(), time.perf_counter()
        part()
        seconds.append((time.process_time() - cpu, time.perf_counter() - wall))
    cpus, walls = zip(*seconds, strict=True)
    return min(cpus), min(walls)


if __name__ == "__main__":
    main()
