"""Candidates of some images at a time, read and embedded: here, or on a cluster."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.execution import progress
from oodretrieval.masks import RunLengthMask
from oodretrieval.stages.select.crops import Crops
from oodretrieval.stages.select.embedder import Embedder


@dataclass(frozen=True, eq=False)
class Embedded:
    """Candidates with their vectors.

    Attributes:
        number: Of their block.
        rows: ``n`` of them.
        vectors: ``(n, D)``.
        masks: Of the rows; None where one is not known.
        failures: Image id → why it could not be read.
    """

    number: int
    rows: pd.DataFrame
    vectors: NDArray[np.float32]
    masks: Sequence[RunLengthMask | None]
    failures: dict[str, str]


@dataclass(frozen=True, eq=False)
class CandidateBlock:
    """Candidates of some images.

    Attributes:
        number: Of the block.
        indices: Of the images in the dataset.
        rows: The candidates.
    """

    number: int
    indices: list[int]
    rows: pd.DataFrame


def embedded_block(
    block: CandidateBlock, crops: Crops, embedder: Embedder, bar: progress | None = None
) -> Embedded:
    """Read and embed the candidates of a block.

    Args:
        block: The candidates.
        crops: What reads them.
        embedder: What embeds them.
        bar: Moves on with each candidate.

    Returns:
        Those that could be read.
    """
    with progress(disable=True) as silent:
        vectors = embedder(crops.read(block.indices, silent if bar is None else bar))
    rows, masks, failures = crops.take()
    return Embedded(block.number, rows, vectors, masks, failures)
