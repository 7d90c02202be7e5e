"""Novelty of the segments of a dataset, part by part: those that all share the score of are looked up first."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from oodretrieval.choices import NOVELTY
from oodretrieval.execution import progress
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.novelty import Likeness, NoveltyModel, comparable, likeness_values, sampled
from oodretrieval.stages.measure.segment_features import SegmentFeatures

KEY = ["image_id", "segment_id"]
Blocks = Callable[[list[str] | None], Iterable[pd.DataFrame]]
"""Columns, or None for all → the segment table, part by part, whole images in each."""


class SegmentNovelty:
    """What a novelty model says of segments; a segment has the same novelty whatever parts the table is read in.

    Args:
        model: The novelty model.
        device: Where features are computed.

    Attributes:
        model: The novelty model.
        features: What computes the features that it compares.
    """

    def __init__(self, model: NoveltyModel, device: torch.device) -> None:
        self.model = model
        self.features = SegmentFeatures(str(model.made_by["backbone"]), device)
        self._likeness: Likeness | None = None
        self._keys = pd.MultiIndex.from_arrays([[], []])

    @classmethod
    def of_network(cls, run: Run, model_name: str, device: torch.device) -> "SegmentNovelty":
        """What the novelty model of a network says.

        Args:
            run: Configuration and workspace.
            model_name: Name of the segmentation network.
            device: Where features are computed.

        Returns:
            The model, with what computes its features.

        Raises:
            WeightsError: If none is fitted yet, or its file is damaged.
            TableError: If it was fitted for another network, or for other weights of this one.
        """
        return cls(run.trained.novelty_model(model_name), device)

    def begin(self, work: StoredWork, blocks: Blocks) -> None:
        """Score the segments that all share the score of.

        Args:
            work: Of which network on which dataset; images are read for the features.
            blocks: Its segment table, or whole images of it.

        Raises:
            TableError: If columns are missing.
        """
        self.features.prepare(work, blocks(["image_id"]))
        self._likeness = None
        parts = [(comparable(part), part["image_id"].nunique()) for part in blocks(["image_id", "S"])]
        chosen = np.zeros(sum(len(large) for large, _ in parts), np.bool_)
        if not len(chosen):
            return
        chosen[sampled(np.concatenate([large for large, _ in parts]))] = True
        ends = np.cumsum([len(large) for large, _ in parts])
        found = []
        with progress(
            total=sum(images for _, images in parts), desc=f"features {work.names.dataset}", unit="image"
        ) as bar:
            for part, here in zip(blocks(None), np.split(chosen, ends[:-1]), strict=True):
                if here.any():
                    found.append(self._compared(work, part, here, bar))
                else:
                    bar.update(part["image_id"].nunique())
        keys, logits, fine, scores = zip(*found, strict=True) if found else ((), (), (), ())
        if sum(map(len, keys)):
            self._likeness = Likeness.of(
                (np.concatenate(logits), np.concatenate(fine)), np.concatenate(scores)
            )
            self._keys = pd.MultiIndex.from_frame(pd.concat(keys))

    def _compared(
        self, work: StoredWork, part: pd.DataFrame, here: NDArray[np.bool_], bar: progress
    ) -> tuple[pd.DataFrame, NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Which of these segments can be compared with, what they look like, and their own novelty."""
        vectors, _ = self.features.of(work, part, bar)
        own = self.model.score(part, vectors.deep)
        here = here & np.isfinite(own) & np.isfinite(vectors.fine).all(axis=1)
        logits, fine = likeness_values(part, vectors.fine)
        return part.loc[here, KEY], logits[here], fine[here], own[here]

    def score(
        self, work: StoredWork, table: pd.DataFrame, name: str = NOVELTY, bar: progress | None = None
    ) -> tuple[NDArray[np.float64], dict[str, str]]:
        """One of the :meth:`scores`.

        Args:
            work: Of which network on which dataset.
            table: Whole images of its segment table, ``n`` rows.
            name: ``"novelty"`` or ``"nearest_neighbour"``.
            bar: Counts images; None for a bar of its own.

        Returns:
            ``(n,)``, NaN where an image cannot be read; and image id → reason of those.

        Raises:
            TableError: If columns are missing.
        """
        scores, failures = self.scores(work, table, (name,), bar)
        return scores[name], failures

    def scores(
        self, work: StoredWork, table: pd.DataFrame, names: Sequence[str], bar: progress | None = None
    ) -> tuple[dict[str, NDArray[np.float64]], dict[str, str]]:
        """Scores of some of the segments; novelty after :meth:`begin`.

        Args:
            work: Of which network on which dataset.
            table: Whole images of its segment table, ``n`` rows.
            names: ``"novelty"``, ``"nearest_neighbour"``.
            bar: Counts images; None for a bar of its own.

        Returns:
            Name → ``(n,)``, NaN where an image cannot be read; and image id → reason of those.

        Raises:
            TableError: If columns are missing.
        """
        vectors, failures = self.features.of(work, table, bar)
        found = {name: self.model.score(table, vectors.deep, name) for name in names}
        if NOVELTY in found:
            found[NOVELTY] = self._shared(table, vectors.fine, found[NOVELTY])
        return found, failures

    def _shared(
        self, table: pd.DataFrame, fine: NDArray[np.floating], own: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Novelty that segments share with those that they look like; their own before :meth:`begin`."""
        there = np.isfinite(own) & np.isfinite(fine).all(axis=1)
        if self._likeness is None or not there.any():
            return own
        itself = self._keys.get_indexer(pd.MultiIndex.from_frame(table[KEY]))
        logits, fine = likeness_values(table, fine)
        shared = own.copy()
        shared[there] = self._likeness.shared(own[there], (logits[there], fine[there]), itself[there])
        return shared
