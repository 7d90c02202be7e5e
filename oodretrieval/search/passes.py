"""One pass over all rows of many vectors: in blocks, in threads, read once and never copied whole."""

import os
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.parted_arrays import PartedArray, row_blocks

Vectors = NDArray[np.floating] | NDArray[np.uint16] | PartedArray
"""``(n, D)``, in memory or memory-mapped, of one part or several; uint16 holds bfloat16."""

BYTES_AT_ONCE = 8 * 2**20
"""Of a block: long enough that fetching the next one costs nothing, short enough that threads end together."""


def squared_distances(vectors: Vectors, query: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared Euclidean distance of each vector from a query.

    Args:
        vectors: ``(n, D)``, any float type; or uint16, which is bfloat16.
        query: ``(D,)``.

    Returns:
        ``(n,)``, good to ``D`` roundings of float64; equal vectors have equal ones, to the bit.
    """
    return _over_rows("squared_distances_into", vectors, query)


def products(vectors: Vectors, query: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scalar product of each vector with a query.

    Args:
        vectors: ``(n, D)``, any float type; or uint16, which is bfloat16.
        query: ``(D,)``.

    Returns:
        ``(n,)``, good to ``D`` roundings of float64 of the product of both lengths.
    """
    return _over_rows("products_into", vectors, query)


def rough_products(vectors: Vectors, query: NDArray[np.float32]) -> NDArray[np.float64]:
    """:func:`products`, added in float32 some terms at a time: limited by the memory alone.

    Args:
        vectors: ``(n, D)``, float16 or float32; or uint16, which is bfloat16.
        query: ``(D,)``.

    Returns:
        ``(n,)``, good to some :data:`~oodretrieval.search.kernels.AT_ONCE` roundings of float32 of the product of both
        lengths, as long as no product of two values leaves its range.
    """
    return _over_rows("rough_products_into", vectors, query)


def lengths(vectors: Vectors) -> NDArray[np.float64]:
    """Length of each vector.

    Args:
        vectors: ``(n, D)``, any float type.

    Returns:
        ``(n,)``; not finite where a vector is not.
    """
    return np.sqrt(squared_distances(vectors, np.zeros(vectors.shape[1])))


def usable_threads() -> int:
    """Threads for one pass: as many as this process may use cores, or ``OMP_NUM_THREADS`` if that is fewer."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    said = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(cores, int(said) if said.isdigit() else cores))


def _over_rows(name: str, vectors: Vectors, query: NDArray[np.floating]) -> NDArray[np.float64]:
    from oodretrieval.search import kernels  # numba takes half a second, which few vectors need not wait for

    kernel: kernels.Kernel = getattr(kernels, name)
    into = np.empty(len(vectors))
    blocks = row_blocks(vectors, BYTES_AT_ONCE)
    one_at_a_time = threading.Lock()
    failed: list[BaseException] = []

    def work() -> None:
        try:
            while (block := _next(blocks, one_at_a_time)) is not None and not failed:
                rows, values = block
                kernel(_readable(values), query, into[rows])
        except BaseException as error:
            failed.append(error)

    number = min(usable_threads(), -(-vectors.size * vectors.dtype.itemsize // BYTES_AT_ONCE))
    others = [threading.Thread(target=work, name="search", daemon=True) for _ in range(number - 1)]
    for thread in others:
        thread.start()
    work()
    for thread in others:
        thread.join()
    if failed:
        raise failed[0]
    return into


def _next(
    blocks: Iterator[tuple[slice, NDArray[Any]]], lock: threading.Lock
) -> tuple[slice, NDArray[Any]] | None:
    with lock:
        return next(blocks, None)


def _readable(values: NDArray[Any]) -> NDArray[Any]:
    """A block in the one form that the kernels are compiled for: contiguous, of their types, read-only."""
    kind = np.float32 if values.dtype == np.float16 else values.dtype
    block = np.ascontiguousarray(values, kind).view()
    block.setflags(write=False)
    return block
