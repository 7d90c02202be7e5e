"""Nearest neighbours by an index of faiss: found among a part of the vectors, and measured exactly."""

import logging
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from oodretrieval.choices import EUCLIDEAN
from oodretrieval.directions import unit_vectors
from oodretrieval.extras import require_extra
from oodretrieval.parted_arrays import PartedArray, row_blocks
from oodretrieval.search import passes
from oodretrieval.search.distances import centred_directions
from oodretrieval.search.neighbours import NearestNeighbours
from oodretrieval.search.partial_sort import smallest

logger = logging.getLogger(__name__)
LEAST = 100_000
"""Vectors below which a search of all is as fast (docs/performance.md); an index is not built."""
MORE, FEWEST = 8, 64
"""Times as many vectors as are asked for that are measured, and how many at least."""
PROBED = 0.05
"""Share of the lists that are searched."""
SPARSE = 0.1
"""Share of vectors that may be found below which all of these are searched instead."""
_TRAINED = 40
"""Vectors a list that the lists are learned from."""


class ApproximateNeighbours(NearestNeighbours):
    """As :class:`NearestNeighbours`, but what is nearest is looked for in a twentieth of the vectors.

    The extra ``[faiss]`` brings the package. Vectors are kept once more, a byte for each value, in lists of what lies
    together (an inverted file); a query reads the lists nearest to it. What it finds there is measured in the vectors
    themselves: distances are exact, a neighbour may be missing (docs/performance.md: how many are found). Below
    :data:`LEAST` vectors, and where a filter leaves few, all are searched.

    Args:
        vectors: As of :class:`NearestNeighbours`, as all that follows.
        metric: Distance metric.
        norms: Length of each vector, where that is known.
        least: Vectors from which an index is built.
        seed: Of the lists.

    Raises:
        ConfigurationError: If the package is missing.
        ValueError: As of :class:`NearestNeighbours`.
        UnknownNameError: If there is no such metric.

    Source:
        Jégou et al., Product quantization for nearest neighbor search, 2011; Douze et al., The faiss library,
        arXiv:2401.08281.
    """

    def __init__(
        self,
        vectors: ArrayLike | PartedArray,
        metric: str = EUCLIDEAN,
        *,
        norms: NDArray[np.float64] | None = None,
        least: int = LEAST,
        seed: int = 0,
    ) -> None:
        self._faiss: Any = require_extra("faiss", "faiss", "an index of nearest neighbours")
        super().__init__(vectors, metric, norms=norms)
        self._lists: Any = self._indexed(seed) if len(self) >= max(least, _TRAINED) else None

    @property
    def is_approximate(self) -> bool:
        """Whether there is an index; else every query is exact."""
        return self._lists is not None

    def _indexed(self, seed: int) -> Any:
        size = self.vectors.shape[1]
        number = max(1, min(round(4 * np.sqrt(len(self))), len(self) // _TRAINED))
        logger.info(
            "building an index of %d lists for %d vectors; neighbours may be missed", number, len(self)
        )
        lists = self._faiss.index_factory(size, f"IVF{number},SQ8")
        lists.cp.seed = seed
        rows = np.sort(np.random.default_rng(seed).permutation(len(self))[: number * _TRAINED])
        lists.train(self._placed(np.asarray(self.vectors[rows])))
        for _, block in row_blocks(self.vectors, passes.BYTES_AT_ONCE):
            lists.add(self._placed(block))
        return lists

    def _placed(self, vectors: NDArray[np.floating]) -> NDArray[np.float32]:
        """Vectors where Euclidean distances are in the order of the metric's."""
        points = np.asarray(vectors, np.float64)
        if self.metric != EUCLIDEAN:
            centre = np.zeros(points.shape[1]) if self.centre is None else self.centre
            points = unit_vectors(centred_directions(points, centre))
        return np.ascontiguousarray(points, np.float32)

    def _nearest(
        self, query: NDArray[np.float64], k: int, among: ArrayLike | None, groups: ArrayLike | None
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        allowed = None if among is None else np.asarray(among)
        usual = k >= 1 and k * MORE < len(self) and (groups is None or np.shape(groups) == (len(self),))
        if allowed is not None:
            usual &= allowed.shape == (len(self),) and allowed.dtype == np.bool_
            usual = usual and bool(allowed.sum() >= SPARSE * len(self))
        if self._lists is None or not usual:  # also what is refused
            return super()._nearest(query, k, among, groups)
        asked = max(FEWEST, MORE * k)
        while True:
            rows = self._candidates(query, asked, allowed)
            own = None if groups is None else np.asarray(groups)[rows]
            things = len(rows) if own is None else len(np.unique(own))
            if things >= k or asked >= len(self):
                break
            asked = min(len(self), 4 * asked)
        if things < k:  # in the lists that were searched there are too few
            return super()._nearest(query, k, among, groups)
        exact = self._measure(rows, query)
        found = smallest(exact, k, groups=own)
        return rows[found], exact[found]

    def _candidates(
        self, query: NDArray[np.float64], number: int, allowed: NDArray[np.bool_] | None
    ) -> NDArray[np.intp]:
        """Rows that may be nearest, ascending."""
        options: dict[str, Any] = {"nprobe": max(1, round(PROBED * self._lists.nlist))}
        if allowed is not None:
            options["sel"] = self._faiss.IDSelectorBatch(np.flatnonzero(allowed))
        _, rows = self._lists.search(
            self._placed(query[None]), number, params=self._faiss.SearchParametersIVF(**options)
        )
        return np.sort(rows[0][rows[0] >= 0]).astype(np.intp)
