"""Union-find, for compiled kernels: which of many things have been joined. Compiled."""

from typing import Any

from numpy.typing import NDArray

from oodretrieval.compilation.machine_code import compiled


@compiled
def root(parent: NDArray[Any], node: int) -> int:
    """The one that stands for all that ``node`` is joined with; joining two roots makes one the other's parent.

    Args:
        parent: Parent of every node, ``(n,)`` integer; a root is its own. Paths are halved on the way.
        node: Its index.

    Returns:
        Index of the root.

    Source:
        Tarjan and van Leeuwen, "Worst-case analysis of set union algorithms", JACM 31 (1984).
    """
    while parent[node] != node:
        parent[node] = parent[parent[node]]
        node = parent[node]
    return node
