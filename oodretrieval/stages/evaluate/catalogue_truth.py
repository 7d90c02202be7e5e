"""What is true of a catalogue's candidates."""

import logging

import numpy as np
from numpy.typing import NDArray

from oodretrieval.choices import NEAR_FRAMES
from oodretrieval.clips import frame_positions
from oodretrieval.errors import StoreError
from oodretrieval.results.candidates import image_names
from oodretrieval.results.rules import no_truth
from oodretrieval.results.segment_classes import NO_TRUTH, SegmentClasses
from oodretrieval.stages.evaluate.embedding_spaces import SceneVectors
from oodretrieval.stores import Catalogue

logger = logging.getLogger(__name__)
MOST_COMPARED = 3000
"""Candidates of a scene that embedding spaces are compared by; more take minutes."""


def rows_with_truth(catalogue: Catalogue) -> NDArray[np.bool_]:
    """Rows of a catalogue with a majority label that means something.

    Args:
        catalogue: Whose segments.

    Returns:
        ``(n,)``.

    Raises:
        StoreError: If there are fewer than two.
    """
    classes = SegmentClasses(catalogue)
    if not any(map(classes.label_mapping, classes.datasets)):
        raise StoreError(no_truth("+".join(classes.datasets)))
    kept: NDArray[np.bool_] = (classes.labels != NO_TRUTH) & ~classes.void
    if kept.sum() < 2:
        raise StoreError(
            f"catalogue {catalogue.name} has {kept.sum()} segments with truth that is not void, and retrieval needs "
            "two; select more in scripts/compute_embeddings.py"
        )
    return kept


def scene_vectors(catalogue: Catalogue, seed: int = 0) -> SceneVectors:
    """All embeddings of a catalogue's candidates with truth, at most :data:`MOST_COMPARED` of them.

    Args:
        catalogue: One scene.
        seed: Of the sample.

    Returns:
        Its candidates.

    Raises:
        StoreError: If it has no truth.
    """
    kept = np.flatnonzero(rows_with_truth(catalogue))
    if len(kept) > MOST_COMPARED:
        kept = np.sort(np.random.default_rng(seed).choice(kept, MOST_COMPARED, replace=False))
        logger.info("embedding spaces are compared by %d of the candidates of %s", len(kept), catalogue.name)
    segments = catalogue.segments.iloc[kept]
    return SceneVectors(
        catalogue.name,
        SegmentClasses(catalogue).truth_names[kept],
        {name: np.asarray(catalogue.vectors_of(name))[kept] for name in sorted(catalogue.embedding_names)},
        frame_positions(list(image_names(segments))),
        NEAR_FRAMES,
    )
