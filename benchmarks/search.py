"""How long a query for nearest neighbours takes, next to one matrix-vector product and to the published formula.

    python benchmarks/search.py [--sizes 10000x1920 100000x1920 1000000x512] [--repetitions 7] [--faiss] [--cpu]

Every number is the median of repetitions taken in turn within this run, after one that does not count; what counts are
the ratios, since a busy machine slows all of them. With --cpu they are CPU time, of all threads of the process. Vectors
are noise after a rectifier, as embeddings are: no neighbour stands out, which is the hardest case for a search that
bounds distances before it measures them. At 1 million x 512 it takes 4 GB of memory.

The published formulas (``cos_dist`` and ``lp_dist`` of the published explorer, with the full sort that follows them)
are left out where their temporary arrays would take more than a quarter of the free memory. With --faiss an index of
faiss is built at each size, of vectors that lie in clouds: its queries next to exact ones, the share of the neighbours
that it finds, and after how many queries it has paid for itself. Then it compares average precision with its quadratic
definition, and the density behind the points with scipy's ``gaussian_kde``.
"""

import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from command_line import command_line
from measuring import alternate, load
from numpy.typing import NDArray
from scipy.stats import gaussian_kde

from oodretrieval.choices import CENTRED, EUCLIDEAN, OF_TWO_VECTORS
from oodretrieval.evaluation import average_precision
from oodretrieval.search import NearestNeighbours, density
from oodretrieval.search.approximate import ApproximateNeighbours

NEIGHBOURS = 50
SIZES = ("10000x1920", "100000x1920", "1000000x512")


def embeddings(n: int, size: int) -> NDArray[np.float32]:
    """Vectors as a network's last rectifier gives them, ``(n, size)``."""
    random = np.random.default_rng(0)
    vectors = np.empty((n, size), np.float32)
    for start in range(0, n, 8192):
        block = random.standard_normal((min(8192, n - start), size), dtype=np.float32)
        np.maximum(block, 0, out=vectors[start : start + 8192])
    return vectors


def published(vectors: NDArray[np.float32], query: NDArray[np.float32], metric: str) -> NDArray[np.intp]:
    """What the published explorer computes for a right click."""
    if metric != EUCLIDEAN:
        scale = np.linalg.norm(query) * np.linalg.norm(vectors, axis=1)
        return np.argsort(1 - (query * vectors).sum(1) / scale)[1 : NEIGHBOURS + 1]
    return np.argsort(((vectors - query) ** 2).sum(1) ** 0.5)[1 : NEIGHBOURS + 1]


def free_bytes() -> int:
    """Memory that is free, Linux and macOS."""
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def latencies(n: int, size: int, repetitions: int, clock: Callable[[], float]) -> list[str]:
    """One line for each metric: milliseconds and ratios."""
    vectors = embeddings(n, size)
    query = vectors[n // 2].copy()
    with_published = vectors.nbytes < free_bytes() / 4
    lines = []
    for metric in OF_TWO_VECTORS:
        index = short = None  # the copy of the metric before goes first
        index, short = NearestNeighbours(vectors, metric), NearestNeighbours(vectors, metric, short=True)
        cases: dict[str, Callable[[], Any]] = {
            "product": lambda: vectors @ query,
            "query": partial(index.query, query, NEIGHBOURS + 1),
            "short query": partial(short.query, query, NEIGHBOURS + 1),
        }
        if with_published:
            cases["published"] = partial(published, vectors, query, metric)
        seconds = alternate(cases, repetitions, clock)
        times = {name: f"{1000 * value:.1f} ms" for name, value in seconds.items()}
        said = ", ".join(f"{name} {value}" for name, value in times.items())
        for name in ("query", "short query"):
            said += f"; a {name} is {seconds[name] / seconds['product']:.2f} products"
            if with_published:
                said += f" and {seconds['published'] / seconds[name]:.1f} times as fast as published"
        same = all(map(np.array_equal, index.query(query, NEIGHBOURS), short.query(query, NEIGHBOURS)))
        lines.append(
            f"{n} x {size}, {metric}: {said}; short ones have {'the same' if same else 'OTHER'} neighbours"
        )
    return lines


def clouds(n: int, size: int) -> NDArray[np.float32]:
    """Two hundred kinds of things in forty dimensions, with noise in all, after a rectifier, ``(n, size)``."""
    random = np.random.default_rng(0)
    kinds = random.standard_normal((200, 40), dtype=np.float32)
    turned = random.standard_normal((40, size), dtype=np.float32)
    vectors = np.empty((n, size), np.float32)
    for start in range(0, n, 8192):
        some = slice(start, min(start + 8192, n))
        own = kinds[random.integers(0, len(kinds), some.stop - start)]
        own = own + 0.7 * random.standard_normal(own.shape, dtype=np.float32)
        noise = 0.5 * random.standard_normal((len(own), size), dtype=np.float32)
        np.maximum(own @ turned + noise, 0, out=vectors[some])
    return vectors


def faiss_line(n: int, size: int, repetitions: int) -> str:
    """An index of faiss next to the exact search."""
    vectors = clouds(n, size)
    exact = NearestNeighbours(vectors, CENTRED)
    exact.query(vectors[0], NEIGHBOURS)  # lengths about the centre are computed once
    start = time.perf_counter()
    index = ApproximateNeighbours(vectors, CENTRED, norms=exact.norms, least=0)
    built = time.perf_counter() - start
    seconds = alternate(
        {
            "exact": lambda: exact.query(vectors[n // 2], NEIGHBOURS),
            "faiss": lambda: index.query(vectors[n // 2], NEIGHBOURS),
        },
        repetitions,
    )
    found: dict[int, list[float]] = {10: [], NEIGHBOURS: []}
    for row in range(n // 60, n, n // 30):
        rows, expected = (searched.query(vectors[row], NEIGHBOURS)[0] for searched in (index, exact))
        for number, shares in found.items():
            shares.append(len(np.intersect1d(rows[:number], expected[:number])) / number)
    recall = ", ".join(f"{np.mean(shares):.3f} of the {number} nearest" for number, shares in found.items())
    return (
        f"{n} x {size}, faiss: {1000 * seconds['faiss']:.1f} ms next to {1000 * seconds['exact']:.1f} ms, found are "
        f"{recall}; built in {built:.1f} s, as long as {built / seconds['exact']:.0f} exact queries"
    )


def quadratic_average_precision(relevant: NDArray[np.bool_]) -> float:
    """By the definition: of every relevant place, the share of relevant ones up to there."""
    shares = [sum(relevant[: place + 1]) / (place + 1) for place in range(len(relevant)) if relevant[place]]
    return float(np.mean(shares)) if shares else 0.0


def precision_line(n: int) -> str:
    """Average precision by one sum over the relevant places, next to its definition."""
    relevant = np.random.default_rng(0).random(n) < 0.3
    start = time.perf_counter()
    expected = quadratic_average_precision(relevant)
    between = time.perf_counter()
    found = average_precision(relevant)
    end = time.perf_counter()
    return (
        f"average precision of {n} ranked items: off by {abs(found - expected):.0e} from its definition, "
        f"{(between - start) / (end - between):.0f} times as fast"
    )


def density_line(n: int, cells: int = 160) -> str:
    """Density by Fourier transforms, next to scipy's point by point, of two clouds."""
    random = np.random.default_rng(0)
    points = random.normal(size=(n, 2)) @ [[1, 0.6], [0, 0.5]]
    points[n // 2 :] = points[n // 2 :] * [0.3, 1] + [4, 2]
    extent = (-5.0, 8.0, -4.0, 7.0)
    nodes = np.stack(
        [
            axis.ravel()
            for axis in np.meshgrid(
                *(np.linspace(extent[i], extent[i + 1], cells) for i in (0, 2)), indexing="ij"
            )
        ]
    )
    width = 0.5 * n ** (-1 / 6)
    start = time.perf_counter()
    expected = gaussian_kde(points.T, width)(nodes).reshape(cells, cells)
    between = time.perf_counter()
    found = density(points, extent, cells, width)
    end = time.perf_counter()
    return (
        f"density of {n} points on {cells} x {cells}: off by {np.abs(found - expected).max() / expected.max():.0e} of "
        f"its maximum from gaussian_kde, {1000 * (end - between):.0f} ms, {(between - start) / (end - between):.0f} "
        "times as fast"
    )


def main() -> None:
    """Measure and say."""
    parser = command_line(__doc__)
    parser.add_argument("--sizes", nargs="*", default=SIZES)
    parser.add_argument("--repetitions", type=int, default=7)
    parser.add_argument("--faiss", action="store_true")
    parser.add_argument("--cpu", action="store_true")
    arguments = parser.parse_args()
    clock = time.process_time if arguments.cpu else time.perf_counter
    print(f"load average {load()}, {os.cpu_count()} cores", flush=True)
    for size in arguments.sizes:
        number, dimensions = map(int, size.split("x"))
        for line in latencies(number, dimensions, arguments.repetitions, clock):
            print(line, flush=True)
        if arguments.faiss:
            print(faiss_line(number, dimensions, arguments.repetitions), flush=True)
    print(precision_line(3000))
    for n in (300, 3000):
        print(density_line(n))


if __name__ == "__main__":
    main()
