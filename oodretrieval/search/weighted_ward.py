"""Ward's linkage of few points that each stand for many."""

import numpy as np
from numpy.typing import NDArray


def weighted_ward(
    points: NDArray[np.float64], weights: NDArray[np.float64], number: int
) -> NDArray[np.int64]:
    """Merge the two groups whose union adds least to the squared distances within, until a number of groups is left.

    It does what Ward's linkage does where every point is there as often as its weight says.

    Args:
        points: ``(m, D)``; needs ``8 m²`` bytes.
        weights: How many vectors each one stands for, ``(m,)``, > 0.
        number: Of groups, 1 … m.

    Returns:
        Group of each point, ``(m,)``, numbered from 0.

    Source:
        Ward, Hierarchical grouping to optimize an objective function, 1963; merged by chains of nearest neighbours:
        Murtagh, A survey of recent advances in hierarchical clustering algorithms, 1983.

    Example:
        >>> weighted_ward(np.array([[0.0], [1.0], [9.0]]), np.ones(3), 2).tolist()
        [0, 0, 1]
    """
    cost = _costs(points, weights)
    sizes = weights.astype(np.float64).copy()
    alive = np.ones(len(points), bool)
    merges: list[tuple[float, int, int]] = []
    chain: list[int] = []
    while len(merges) < len(points) - 1:
        if not chain:
            chain.append(int(np.flatnonzero(alive)[0]))
        last = chain[-1]
        nearest = int(cost[last].argmin())
        if len(chain) > 1 and cost[last, nearest] >= cost[last, chain[-2]]:
            nearest = chain[-2]  # the two are nearest to each other; ties must not lead around in a circle
            merges.append((float(cost[last, nearest]), last, nearest))
            _merge(cost, sizes, alive, last, nearest)
            del chain[-2:]
        else:
            chain.append(nearest)
    merges.sort(key=lambda merge: merge[0])  # a merge never costs less than those inside it
    return _groups(len(points), [(one, other) for _, one, other in merges[: len(points) - number]])


def _costs(points: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """What merging each two adds to the squared distances within, ``(m, m)``; infinity for itself."""
    centred = points - points.mean(axis=0)
    lengths = (centred**2).sum(axis=1)
    cost = np.maximum(lengths[:, None] + lengths - 2 * centred @ centred.T, 0)
    cost *= weights[:, None] * weights / (weights[:, None] + weights)
    np.fill_diagonal(cost, np.inf)
    return np.asarray(cost, np.float64)


def _merge(
    cost: NDArray[np.float64], sizes: NDArray[np.float64], alive: NDArray[np.bool_], gone: int, stays: int
) -> None:
    """Lance and Williams's update: what remains at ``stays`` is both, ``gone`` is nearest to nothing."""
    both, own = sizes[gone] + sizes[stays], cost[gone, stays]
    alive[gone] = False
    others = alive.copy()
    others[stays] = False
    total = sizes[others] + both
    updated = (sizes[others] + sizes[gone]) * cost[gone, others]
    updated += (sizes[others] + sizes[stays]) * cost[stays, others] - sizes[others] * own
    cost[stays, others] = cost[others, stays] = updated / total
    cost[gone], cost[:, gone] = np.inf, np.inf
    sizes[stays] = both


def _groups(count: int, merges: list[tuple[int, int]]) -> NDArray[np.int64]:
    """Groups of points that merges connect, each named by one point of either side."""
    parent = np.arange(count)

    def root(point: int) -> int:
        while parent[point] != point:
            parent[point] = parent[parent[point]]
            point = int(parent[point])
        return point

    for one, other in merges:
        parent[root(one)] = root(other)
    return np.unique([root(point) for point in range(count)], return_inverse=True)[1].astype(np.int64)
