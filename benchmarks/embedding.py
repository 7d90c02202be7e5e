"""Throughput of embedding: batches of equal size compared with crops one by one at their own size, as published.

    python benchmarks/embedding.py --crops 200

Crops of rendered streets, of the sizes that segments have. Printed are crops a second, the ratio to one by one, and the
share of the ten nearest neighbours (cosine) that stay those of the crops one by one in whole float32; of the default,
own pixels in crops of 224 pixels, those of the same in float32. A line comes as soon as it is measured.
"""

import time
from collections.abc import Callable

import numpy as np
import torch
from command_line import command_line
from numpy.typing import NDArray

from oodretrieval.datasets import open_dataset
from oodretrieval.directions import unit_vectors
from oodretrieval.embedding import EmbeddingNetwork, View, embed_crops, embed_views, embedding_network
from oodretrieval.embedding.embed import full_float32
from oodretrieval.experiment.configuration import load_configuration
from oodretrieval.results.tables import markdown_head, markdown_row

NEIGHBOURS = 10
DEFAULT = "own pixels in 224×224"
Crops = list[NDArray[np.uint8]]


def street_crops(number: int, seed: int = 0) -> Crops:
    """Crops of 64 to 200 pixels a side of rendered streets."""
    name = "streets_val"
    dataset = open_dataset(load_configuration().dataset(name), name)
    random = np.random.default_rng(seed)
    crops = []
    for place in range(number):
        image = dataset[place % min(len(dataset), 20)].image
        height, width = (int(64 * 2 ** random.exponential(0.6)) for _ in range(2))
        height, width = min(height, 200, image.shape[0]), min(width, 200, image.shape[1])
        top, left = (
            int(random.integers(0, room + 1)) for room in (image.shape[0] - height, image.shape[1] - width)
        )
        crops.append(image[top : top + height, left : left + width].copy())
    return crops


def one_by_one(network: EmbeddingNetwork, crops: Crops, device: torch.device) -> NDArray[np.float32]:
    """As published: one crop at a time, at its own size, channels first."""
    network = network.to(device).to(memory_format=torch.contiguous_format).eval()
    mean, std = (torch.tensor(values, device=device)[:, None, None] for values in (network.mean, network.std))
    rows = []
    with torch.inference_mode(), full_float32():
        for crop in crops:
            image = torch.from_numpy(crop).to(device).permute(2, 0, 1).contiguous().float() / 255
            rows.append(network(((image - mean) / std)[None])[0].cpu().numpy())
    return np.stack(rows)


def masked(network: EmbeddingNetwork, crops: Crops, device: torch.device, mixed: bool) -> NDArray[np.float32]:
    """The default: the mean over an ellipse in each crop, of crops of one size."""
    views = []
    for crop in crops:
        y, x = (np.linspace(-1, 1, side) for side in crop.shape[:2])
        views.append(View(crop, [np.add.outer(y**2, x**2) <= 1]))
    return embed_views(network, views, device=device, size=224, mixed=mixed)


def kept_neighbours(vectors: NDArray[np.float32], reference: NDArray[np.float32]) -> float:
    """Share of the nearest neighbours of each row that are those of the reference, 0…1."""
    found = [_neighbours(rows) for rows in (vectors, reference)]
    return float(np.mean([len(np.intersect1d(a, b)) for a, b in zip(*found, strict=True)])) / NEIGHBOURS


def _neighbours(vectors: NDArray[np.float32]) -> NDArray[np.intp]:
    units = unit_vectors(vectors)
    products = units @ units.T
    np.fill_diagonal(products, -np.inf)
    return np.argsort(-products, axis=1, kind="stable")[:, :NEIGHBOURS]


def main() -> None:
    """Read the command line, measure, print."""
    parser = command_line(__doc__)
    parser.add_argument("--crops", type=int, default=200)
    parser.add_argument("--net", default="efficientnet_lite0")
    parser.add_argument("--device", default="cpu")
    chosen = parser.parse_args()
    network, device = embedding_network(chosen.net), torch.device(chosen.device)
    crops = street_crops(chosen.crops)
    ways: dict[str, Callable[[], NDArray[np.float32]]] = {
        "one by one, native": lambda: one_by_one(network, crops, device),
        "batches of equal size, native": lambda: embed_crops(network, crops, device=device),
        "batches, sides in steps of 32": lambda: embed_crops(network, crops, device=device, step=32),
        "batches in steps of 32, mixed precision": lambda: embed_crops(
            network, crops, device=device, step=32, mixed=True
        ),
        "batches of 224×224": lambda: embed_crops(network, crops, device=device, size=224),
        DEFAULT: lambda: masked(network, crops, device, mixed=False),
        f"{DEFAULT}, mixed precision": lambda: masked(network, crops, device, mixed=True),
    }
    one_by_one(network, crops[:4], device)
    print(f"{len(crops)} crops, {chosen.net} on {device}, {torch.get_num_threads()} threads")
    print(markdown_head("way", "crops a second", "ratio", "neighbours kept"), flush=True)
    found: dict[str, NDArray[np.float32]] = {}
    seconds: dict[str, float] = {}
    first = next(iter(ways))
    for name, way in ways.items():
        start = time.perf_counter()
        found[name] = way()
        seconds[name] = time.perf_counter() - start
        kept = kept_neighbours(found[name], found[DEFAULT if name.startswith(DEFAULT) else first])
        rate = len(crops) / seconds[name]
        ratio = seconds[first] / seconds[name]
        print(markdown_row(name, f"{rate:.1f}", f"{ratio:.2f}", f"{kept:.3f}"), flush=True)


if __name__ == "__main__":
    main()
