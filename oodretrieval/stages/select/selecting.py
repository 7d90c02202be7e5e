"""Which segments are shown: their score, and the rule that selects by it."""

import logging
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from oodretrieval.choices import DISTANCE, NOVELTY, PUBLISHED
from oodretrieval.errors import TableError, WeightsError
from oodretrieval.execution import progress
from oodretrieval.experiment.other_inference import warn_of_other_inference
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.meta_models import MetaModel
from oodretrieval.novelty import SCORES, NoveltyModel, dispersion_score, missing_columns
from oodretrieval.stages.measure.segment_novelty import SegmentNovelty
from oodretrieval.stages.select.settings import SelectionRule
from oodretrieval.stores import PREDICTED_IOU, SELECT_SCORE, CurrentSegments

logger = logging.getLogger(__name__)

LEAST_PER_IMAGE = 1
"""Segments an image that are selected by quantile at least: on new streets the scores of training mean little."""


class Selector:
    """Scores segments of one network, and selects by the score.

    Args:
        rule: What to select by.
        device: Where features are computed.
        run: Configuration and workspace.
        model_name: Name of the segmentation network.
        meta_model_name: Name of the meta model; empty for none, where the rule needs none.

    Attributes:
        meta_model: What predicts the IoU; None where the rule needs none and none that fits is at hand.

    Raises:
        WeightsError: If a model that the rule needs is not there, or is damaged.
        TableError: If one was made for another network or other weights.
    """

    def __init__(
        self,
        rule: SelectionRule,
        device: torch.device,
        run: Run,
        model_name: str,
        meta_model_name: str,
    ) -> None:
        self.rule, self.device = rule, device
        self.meta_model = _meta_model(rule, run, model_name, meta_model_name)
        self.novelty: SegmentNovelty | None = None
        self.novelty_file: tuple[NoveltyModel, Path] | None = None
        if rule.needs_novelty_model:
            self.novelty = _needed_novelty(run, model_name, device)
            self.novelty_file = self.novelty.model, run.novelty_model_path(model_name)

    def scored(
        self, work: StoredWork, segments: CurrentSegments, failures: MutableMapping[str, str]
    ) -> Iterator[pd.DataFrame]:
        """Score segments of a dataset, block by block.

        Args:
            work: Of which network on which dataset; images are read for the features.
            segments: Its segments, or those of some of its images.
            failures: Gets image id → reason of those that cannot be read.

        Yields:
            Rows of whole images with ``select_score`` (NaN where an image cannot be read) and, where there is a meta
            model, ``predicted_iou``.

        Raises:
            TableError: If the score needs columns that the table lacks.
        """
        self._begin(work, segments)
        done = 0
        with progress(total=len(segments.places), desc=f"scoring {work.names.dataset}", unit="image") as bar:
            for block in segments.blocks():
                table, failed = self._score_block(block.read(), work, bar)
                failures.update(failed)
                done += len(block.places)
                bar.update(done - bar.n)
                yield table

    def _begin(self, work: StoredWork, segments: CurrentSegments) -> None:
        """What is said and computed before segments are scored block by block."""
        fitted = {}
        if self.meta_model is not None:
            fitted["the meta model"] = self.meta_model.quality.get("made_by", {})
        if self.novelty is not None:
            fitted["the novelty model"] = self.novelty.model.made_by
        for what, made_by in fitted.items():
            warn_of_other_inference(work, what, made_by, segments.places)
        if self.novelty is None:
            return
        if self.rule.select_by == NOVELTY:
            for table in segments.tables():
                self._dispersion(table)  # what is missing is said before features are computed
                break
            self.novelty.begin(work, segments.tables)
        else:
            self.novelty.features.prepare(work, segments.tables(["image_id"]))

    def _score_block(
        self, table: pd.DataFrame, work: StoredWork, bar: progress
    ) -> tuple[pd.DataFrame, dict[str, str]]:
        if self.meta_model is not None:
            table = table.assign(**{PREDICTED_IOU: self.meta_model.predict(table)})
        failures: dict[str, str] = {}
        by = self.rule.select_by
        if by == PUBLISHED:
            score = 1 - table[PREDICTED_IOU].to_numpy()
        elif by in SCORES:
            score = self._dispersion(table)
        else:
            assert self.novelty is not None  # the rule needs it
            score, failures = self.novelty.score(work, table, by, bar)
        return table.assign(**{SELECT_SCORE: score}), failures

    def _dispersion(self, table: pd.DataFrame) -> NDArray[np.float64]:
        by = self.rule.select_by
        try:
            return dispersion_score(table, "energy" if by == NOVELTY else by)
        except TableError as error:
            raise TableError(
                f"args.select_by={by}: {error}, or choose args.select_by=predicted_iou"
            ) from error

    def threshold(self) -> float:
        """The score above which segments are selected by quantile."""
        assert self.novelty is not None  # the rule needs it
        return self.novelty.model.threshold(self.rule.select_by, self.rule.select_quantile)

    def select(
        self,
        table: pd.DataFrame,
        eligible: NDArray[np.bool_],
        threshold: Callable[[float], float] | None = None,
    ) -> NDArray[np.bool_]:
        """Which candidates are selected among those that may be, ``(n,)``.

        By quantile, the highest are taken where fewer than :data:`LEAST_PER_IMAGE` segments an image lie above it.

        Args:
            table: What :meth:`scored` gave, or other candidates with a score.
            eligible: Large enough, of a class worth inspecting, ``(n,)``.
            threshold: Quantile → score above which these candidates are selected; by default that of segments.

        Returns:
            ``(n,)``.
        """
        score = table[SELECT_SCORE].to_numpy()
        if self.rule.select_number:
            return highest(score, eligible, self.rule.select_number)
        if self.rule.select_by == PUBLISHED:
            chosen: NDArray[np.bool_] = table[PREDICTED_IOU].to_numpy() < self.rule.iou_threshold
            return chosen & eligible
        bound = self.threshold() if threshold is None else threshold(self.rule.select_quantile)
        above: NDArray[np.bool_] = (score > bound) & eligible  # never so for NaN
        least = LEAST_PER_IMAGE * table["image_id"].nunique() if threshold is None else 0
        return highest(score, eligible, least) if above.sum() < least else above


def highest(score: NDArray[np.floating], eligible: NDArray[np.bool_], number: int) -> NDArray[np.bool_]:
    """Which are the highest scores among those that may be selected.

    Args:
        score: ``(n,)``; what is not finite is never taken.
        eligible: What may be, ``(n,)``.
        number: How many at most.

    Returns:
        ``(n,)``; ties keep their order.
    """
    allowed = eligible & np.isfinite(score)
    order = np.argsort(-np.where(allowed, score, -np.inf), kind="stable")
    chosen: NDArray[np.bool_] = np.zeros(len(score), np.bool_)
    chosen[order[:number]] = True
    chosen &= allowed
    return chosen


def _meta_model(rule: SelectionRule, run: Run, model_name: str, name: str) -> MetaModel | None:
    """The meta model; None, which is said, where the rule does not need it and none that fits is there."""
    needed = rule.select_by == PUBLISHED
    if not name and not needed:
        return None
    try:
        return run.trained.meta_model(name, model_name)
    except (WeightsError, TableError) as error:
        if needed:
            raise
        logger.info("without predicted IoU, which args.select_by=%s does not need: %s", rule.select_by, error)
        return None


def _needed_novelty(run: Run, model_name: str, device: torch.device) -> SegmentNovelty:
    """The novelty model of a rule that needs one; says which rule needs none where there is none."""
    try:
        return SegmentNovelty.of_network(run, model_name, device)
    except WeightsError as error:
        raise WeightsError(
            f"{error}, or choose the published rule by args.select_by=predicted_iou"
        ) from error


def with_novelty(
    device: torch.device,
    run: Run,
    work: StoredWork,
    segments: CurrentSegments,
    tables: Iterable[pd.DataFrame],
    failures: MutableMapping[str, str],
) -> Iterator[pd.DataFrame]:
    """Add what the novelty model of a network says of segments, where there is one that fits.

    Args:
        device: Where features are computed.
        run: Configuration and workspace.
        work: Of which network on which dataset; images are read for the features.
        segments: All that novelty is shared among.
        tables: Their table, part by part with whole images in each.
        failures: Gets image id → reason of those that cannot be read.

    Yields:
        The parts with ``nearest_neighbour`` and, where they have columns of logits, ``novelty``: higher where more
        unknown, NaN where an image cannot be read; as they are, with a warning, where no novelty model is at hand.
    """
    try:
        novelty = SegmentNovelty.of_network(run, work.names.model, device)
    except (WeightsError, TableError) as error:
        logger.warning("evaluated without novelty: %s", error)
        yield from tables
        return
    names: tuple[str, ...] = ()
    with progress(total=len(segments.places), desc=f"novelty {work.names.dataset}", unit="image") as bar:
        for table in tables:
            if not names:
                names = (DISTANCE,) if missing_columns(table, "energy") else (DISTANCE, NOVELTY)
                if NOVELTY in names:
                    novelty.begin(work, segments.tables)
            scores, failed = novelty.scores(work, table, names, bar)
            failures.update(failed)
            yield table.assign(**scores)
