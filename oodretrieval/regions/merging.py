"""Hierarchies: superpixels that touch are joined pair by pair, the most similar pair first."""

import heapq
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from oodretrieval.compilation import compiled, root
from oodretrieval.regions.superpixels import Contacts


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """A binary tree over ``n`` superpixels; a node is a run of :attr:`order`.

    Attributes:
        order: The superpixels, ``(n,)``, such that those of any node follow each other.
        spans: First and last + 1 place in ``order`` of every node, ``(m, 2)``; the superpixels are the first nodes.
        parent: Node above, ``(m,)``; -1 for a root.
    """

    order: NDArray[np.int32]
    spans: NDArray[np.int64]
    parent: NDArray[np.int64]


def merge_similar(
    vectors: NDArray[np.floating],
    areas: NDArray[np.integer],
    touching: Contacts,
    *,
    border: float,
    size_power: float,
) -> Hierarchy:
    """Join the pair with the smallest difference until none touches another.

    The difference of ``a`` and ``b`` is ``(n_a n_b / (n_a + n_b))^size_power (|v_a - v_b|² + border s²)``: ``v`` the
    mean vectors, ``n`` the pixels, ``s`` the strength of the border between them. With ``size_power`` 1 and ``border``
    0 it is Ward's, 0 leaves the sizes out.

    Args:
        vectors: Of each superpixel, ``(n, d)``.
        areas: Its pixels, ``(n,)``.
        touching: Which touch.
        border: Weight of the border.
        size_power: How much small ones go first.

    Returns:
        The tree, a forest where not all superpixels hang together.
    """
    number = len(areas)
    parent, first, second = _merge(
        np.ascontiguousarray(vectors, np.float64),
        areas.astype(np.float64),
        touching.pairs,
        touching.lengths,
        touching.strengths,
        border,
        size_power,
    )
    return hierarchy(number, parent, np.stack([first, second], axis=1))


def merge_by_height(heights: NDArray[np.floating], touching: Contacts) -> Hierarchy:
    """The component tree of a map: its nodes are the components of what lies above a height, at every height.

    Args:
        heights: Of each superpixel, ``(n,)``.
        touching: Which touch.

    Returns:
        The tree; a superpixel joins the component that it touches when the height has sunk to its own.
    """
    number, pairs = len(heights), touching.pairs
    order = np.argsort(-np.minimum(heights[pairs[:, 0]], heights[pairs[:, 1]]), kind="stable")
    parent, children = _merge_in_order(number, pairs[order])
    return hierarchy(number, parent, children)


def hierarchy(number: int, parent: NDArray[np.int64], children: NDArray[np.int64]) -> Hierarchy:
    """Bring the superpixels into an order in which every node is a run.

    Args:
        number: Superpixels.
        parent: Node above of every node, ``(m,)``, -1 for a root; every node comes before the one above it.
        children: The two nodes below of every node from ``number`` on, ``(m - number, 2)``.

    Returns:
        The hierarchy.
    """
    order, spans = _places(number, parent, children)
    return Hierarchy(order, spans, parent)


@compiled
def _places(number: int, parent: Any, children: Any) -> Any:
    sizes = np.ones(len(parent), np.int64)
    for node in range(number, len(parent)):
        sizes[node] = sizes[children[node - number, 0]] + sizes[children[node - number, 1]]
    spans = np.empty((len(parent), 2), np.int64)
    order = np.empty(number, np.int32)
    free = 0
    for node in range(len(parent) - 1, -1, -1):
        if parent[node] < 0:
            spans[node, 0] = free
            free += sizes[node]
        spans[node, 1] = spans[node, 0] + sizes[node]
        if node < number:
            order[spans[node, 0]] = node
        else:
            one, other = children[node - number]
            spans[one, 0], spans[other, 0] = spans[node, 0], spans[node, 0] + sizes[one]
    return order, spans


@compiled
def _merge_in_order(number: int, pairs: Any) -> Any:
    top = np.arange(2 * number)  # union-find over nodes: the root of a tree is its newest node
    parent = np.full(2 * number, -1, np.int64)
    children = np.empty((number, 2), np.int64)
    node = number
    for e in range(len(pairs)):
        a, b = root(top, pairs[e, 0]), root(top, pairs[e, 1])
        if a != b:
            children[node - number] = a, b
            top[a] = top[b] = parent[a] = parent[b] = node
            node += 1
    return parent[:node], children[: node - number]


@compiled
def _difference(
    vectors: Any, areas: Any, a: int, b: int, strength: float, border: float, power: float
) -> Any:
    square = 0.0
    for k in range(vectors.shape[1]):
        square += (vectors[a, k] - vectors[b, k]) ** 2
    return (areas[a] * areas[b] / (areas[a] + areas[b])) ** power * (square + border * strength * strength)


@compiled
def _edges_of_nodes(ends: Any, nodes: int) -> Any:
    """The edges of each node as a linked list of places ``2 e + side``: what follows each, and the first of each."""
    following, head = np.full(2 * len(ends), -1, np.int64), np.full(nodes, -1, np.int64)
    for e in range(len(ends)):
        for side in range(2):
            following[2 * e + side] = head[ends[e, side]]
            head[ends[e, side]] = 2 * e + side
    return following, head


@compiled
def _take_over(
    node: int,
    old: int,
    ends: Any,
    length: Any,
    strength: Any,
    version: Any,
    seen: Any,
    following: Any,
    head: Any,
) -> None:
    """Lead the edges of an old node from the new one; two that lead to the same neighbour become one.

    ``seen`` is the edge that leads from the newest node to each other one.
    """
    place = head[old]
    while place >= 0:
        after, e, side = following[place], place // 2, place % 2
        far = ends[e, 1 - side]
        if version[e] >= 0:
            twin = seen[far]
            if twin >= 0 and version[twin] >= 0 and (ends[twin, 0] == node or ends[twin, 1] == node):
                total = length[twin] + length[e]
                strength[twin] = (length[twin] * strength[twin] + length[e] * strength[e]) / total
                length[twin] = total
                version[e] = -1
            else:
                ends[e, side] = node
                seen[far] = e
                following[place] = head[node]
                head[node] = place
        place = after


@compiled
def _merge(
    leaves: Any, sizes: Any, pairs: Any, lengths: Any, strengths: Any, border: float, power: float
) -> Any:
    """Parent of every node and the two children of every new one."""
    number, edges = len(sizes), len(pairs)
    vectors = np.zeros((2 * number, leaves.shape[1]))
    vectors[:number] = leaves
    areas = np.zeros(2 * number)
    areas[:number] = sizes
    parent = np.full(2 * number, -1, np.int64)
    one, other = np.empty(number, np.int64), np.empty(number, np.int64)
    ends, length, strength = pairs.copy(), lengths.copy(), strengths.copy()
    following, head = _edges_of_nodes(ends, 2 * number)
    version = np.zeros(edges, np.int64)  # of an edge; -1 when it is gone
    seen = np.full(2 * number, -1, np.int64)
    heap = [(0.0, 0, 0) for _ in range(0)]
    for e in range(edges):
        cost = _difference(vectors, areas, ends[e, 0], ends[e, 1], strength[e], border, power)
        heap.append((cost, e, 0))
    heapq.heapify(heap)
    node = number
    while heap:
        _, best, stamp = heapq.heappop(heap)
        if version[best] != stamp:
            continue
        a, b = ends[best]
        one[node - number], other[node - number] = a, b
        parent[a] = parent[b] = node
        areas[node] = areas[a] + areas[b]
        vectors[node] = (areas[a] * vectors[a] + areas[b] * vectors[b]) / areas[node]
        version[best] = -1
        _take_over(node, a, ends, length, strength, version, seen, following, head)
        _take_over(node, b, ends, length, strength, version, seen, following, head)
        place = head[node]
        while place >= 0:
            e = place // 2
            version[e] += 1
            cost = _difference(vectors, areas, ends[e, 0], ends[e, 1], strength[e], border, power)
            heapq.heappush(heap, (cost, e, version[e]))
            place = following[place]
        node += 1
    return parent[:node], one[: node - number], other[: node - number]
