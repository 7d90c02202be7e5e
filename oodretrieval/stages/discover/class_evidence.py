"""What a catalogue and the work behind it know of each candidate: the evidence for candidate classes."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.clips import clip_names
from oodretrieval.errors import StoreError
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import CommonSettings
from oodretrieval.results.candidates import Candidates, image_names
from oodretrieval.results.segment_classes import NO_TRUTH, SegmentClasses
from oodretrieval.search import CandidateClass, ClassEvidence
from oodretrieval.stages.discover.known_distance import strangeness
from oodretrieval.stores import OWN_SCORE, Catalogue


def class_evidence(catalogue: Catalogue, run: Run, common: CommonSettings) -> ClassEvidence:
    """The evidence for each row of a catalogue.

    Args:
        catalogue: Whose rows.
        run: Configuration and workspace.
        common: Device, and root of the dataset.

    Returns:
        The evidence; without strangeness where what it is measured by is not at hand.

    Raises:
        StoreError: If the catalogue has no scores.
    """
    candidates = Candidates.of(catalogue)
    if candidates is None:
        raise StoreError(
            f"catalogue {catalogue.name!r} has no scores to rank classes by; make it again by "
            "scripts/compute_embeddings.py with args.overwrite=True"
        )
    segments = catalogue.segments
    datasets, images = segments["dataset"].astype(str), segments["image_id"].astype(str)
    drives = [f"{dataset}\0{clip}" for dataset, clip in zip(datasets, clip_names(list(images)), strict=True)]
    video = segments["dataset"].isin(catalogue.settings.get("video", ())).to_numpy()
    return ClassEvidence(
        novelty=_novelty(segments, candidates.scores),
        predicted=segments["class"].to_numpy(np.int64),
        num_classes=max(2, len(catalogue.settings["pred_mapping"])),
        images=pd.factorize(image_names(segments))[0],
        drives=pd.factorize(np.where(video, drives, datasets))[0],
        things=candidates.first,
        strangeness=strangeness(catalogue, run, common),
    )


def _novelty(segments: pd.DataFrame, scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of objects the score of each by itself: that of the order is lower for what resembles others, as a kind does."""
    if OWN_SCORE not in segments.columns or segments[OWN_SCORE].isna().any():
        return scores
    return segments[OWN_SCORE].to_numpy(np.float64)


@dataclass(frozen=True, eq=False)
class CandidateTruth:
    """What candidates are in truth.

    Attributes:
        names: Name of each one's label, ``(n,)``; empty where it has none or void.
        unknown: Whether that is an unknown kind, ``(n,)``.
    """

    names: NDArray[np.str_]
    unknown: NDArray[np.bool_]

    @classmethod
    def of(cls, catalogue: Catalogue) -> "CandidateTruth | None":
        """The truth of a catalogue's rows.

        Args:
            catalogue: Whose rows.

        Returns:
            Their labels; None for a catalogue without truth.
        """
        classes = SegmentClasses(catalogue)
        if not classes.has_truth:
            return None
        meant = (classes.labels != NO_TRUTH) & ~classes.void
        return cls(np.where(meant, classes.truth_names, ""), classes.unknown & meant)

    @property
    def kinds(self) -> dict[str, int]:
        """Unknown kinds among the candidates → how many are of each, the most frequent first."""
        return dict(Counter(self.names[self.unknown].tolist()).most_common())

    def leading(self, one: CandidateClass) -> tuple[str, float]:
        """The most frequent label of a class.

        Args:
            one: A candidate class.

        Returns:
            Name, and its share of the members that are not void; an empty name and 0 where all are.
        """
        names = Counter(name for name in self.names[one.rows].tolist() if name)
        if not names:
            return "", 0.0
        name, count = names.most_common(1)[0]
        return name, count / names.total()

    def mostly_unknown(self, one: CandidateClass) -> bool:
        """Whether more than half of a class is of unknown kinds, void ones left out.

        Args:
            one: A candidate class.

        Returns:
            True where it is.
        """
        named = self.names[one.rows] != ""
        return bool(named.any()) and float(self.unknown[one.rows][named].mean()) > 0.5
