"""Which segments a meta model learns from, and which it is evaluated on: of images or clips that it has not seen."""

import logging
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from oodretrieval.clips import clip_names
from oodretrieval.datasets import SegmentationDataset
from oodretrieval.errors import SettingsError, StoreError, TableError
from oodretrieval.experiment.fitted_images import FITTED_ON, fitted_on, seen_images
from oodretrieval.experiment.provenance import inference_of
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import changed
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.meta_models import folds_of, held_out_rows
from oodretrieval.stages.fit.chosen_segments import ChosenSegments, Split
from oodretrieval.stages.fit.settings import TrainMetaSettings
from oodretrieval.stores import CurrentSegments

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Division:
    """Segments to learn from and to evaluate on, as settings divide them.

    Attributes:
        settings: How; what is held out together (``groups``) is said.
        learned: Work that is learned from.
        evaluated: Work that is evaluated on; the same, where part of it is held out.
        segments: Those to learn from, or of which part is held out.
        evaluated_segments: Those of the other dataset; None where there is none.
    """

    settings: TrainMetaSettings
    learned: StoredWork
    evaluated: StoredWork
    segments: CurrentSegments = field(repr=False)
    evaluated_segments: CurrentSegments | None = field(repr=False)

    @classmethod
    def of(cls, settings: TrainMetaSettings, run: Run) -> "Division":
        """Find the segments.

        Args:
            settings: What to learn from and to evaluate on.
            run: Configuration and workspace.

        Returns:
            The division.

        Raises:
            StoreError: If a dataset has no segment table yet.
            SettingsMismatchError: If one was made with another network, weights or dataset.
        """
        model, common = settings.model_name, settings.common
        learned = run.stored(model, settings.dataset, common)
        evaluated = learned
        if settings.dataset_val and not settings.folds:
            # args.root and args.limit are of the dataset that is learned from
            root = common.root if settings.dataset_val == settings.dataset else ""
            evaluated = run.stored(model, settings.dataset_val, replace(common, root=root, limit=0))
        settings = changed(settings, {"groups": _groups(settings, learned.dataset)})
        segments, others = learned.segments(), None
        if evaluated is not learned:
            try:
                others = evaluated.segments()
            except StoreError as error:
                raise StoreError(f"{error}; or evaluate otherwise: {_otherwise(settings)}") from error
        return cls(settings, learned, evaluated, segments, others)

    def made_of(self) -> dict[str, Any]:
        """What identifies the segments, and what made them."""
        others = self.evaluated_segments
        return {
            "model": self.settings.model_name,
            "weights": self.segments.settings.get("weights", ""),
            "inference": inference_of(self.segments.settings),
            "images": self.segments.key,
            "images_val": "" if others is None else others.key,
        }

    def words(self) -> str:
        """What it is evaluated on, for people."""
        if self.settings.folds:
            return f"it by {self.settings.folds}-fold cross-validation over {self.settings.groups}s"
        return self.settings.dataset_val or "held-out images of it"

    def split(self, run: Run) -> tuple[Split, tuple[str, ...]]:
        """Choose the segments.

        Args:
            run: Where the datasets of the images are looked up.

        Returns:
            Rows to learn from and to evaluate on, which are the same for cross-validation; and what to say of the
            choice.

        Raises:
            TableError: If none is left to evaluate on.
        """
        settings, train = self.settings, ChosenSegments.all_of(self.segments)
        if settings.folds:
            return (train, train), self._caution()
        if self.evaluated_segments is not None:
            return self._unseen(run, train, ChosenSegments.all_of(self.evaluated_segments))
        clips = settings.groups == "clip"
        held_out = held_out_rows(
            train.table, settings.recipe.seed, groups=self._groups_of(train).tolist() if clips else None
        )
        if not held_out.any():
            other = ", or hold out frames of it by args.groups=image" if clips else ""
            raise TableError(
                f"{settings.dataset!r} has segments of one {settings.groups} only, none to hold out; name another "
                f"args.dataset_val{other}"
            )
        return (train.where(~held_out), train.where(held_out)), self._caution()

    def fitted_on(self, train: ChosenSegments) -> dict[str, Any]:
        """The record of the images that are learned from; see :func:`~oodretrieval.experiment.fitted_images.fitted_on`.

        Args:
            train: Segments to learn from.

        Returns:
            Plain values.
        """
        prints = self.learned.fingerprints
        return fitted_on(self.settings.dataset, {image: prints[image] for image in train.images})

    def _unseen(
        self, run: Run, train: ChosenSegments, evaluated: ChosenSegments
    ) -> tuple[Split, tuple[str, ...]]:
        """Without the rows of images of args.dataset_val that are learned from."""
        work = self.evaluated
        name, learned = work.names.dataset, {"the meta model": {FITTED_ON: self.fitted_on(train)}}
        try:
            seen = seen_images(run.configuration, name, work.dataset, work.fingerprints, learned)
        except TableError as error:
            raise TableError(f"args.dataset_val={name}: {error}: {_otherwise(self.settings)}") from error
        for note in seen.notes:
            logger.warning("%s", note)
        others = ~evaluated.table["image_id"].isin(seen.images).to_numpy()
        return (train, evaluated.where(others)), seen.notes

    def _caution(self) -> tuple[str, ...]:
        """What to know of frames of a video that are held out while others of their clip are learned from."""
        if self.settings.groups == "clip" or not getattr(self.learned.dataset, "video", False):
            return ()
        return (
            "Frames are evaluated on while others of the same clip are learned from, which they resemble: the measures "
            "are too high; args.groups=clip holds out whole clips.",
        )

    def folds(self, chosen: ChosenSegments) -> NDArray[np.intp]:
        """The fold in which each segment is held out.

        Args:
            chosen: Segments, ``n``.

        Returns:
            ``(n,)``, from 0.

        Raises:
            SettingsError: If there are fewer images or clips than folds.
        """
        settings, groups = self.settings, self._groups_of(chosen)
        try:
            return folds_of(groups, settings.folds, settings.recipe.seed)
        except ValueError as error:
            raise SettingsError(
                f"args.folds={settings.folds}, but {settings.dataset!r} has {groups.nunique()} {settings.groups}s; "
                "lower args.folds, or set args.groups=image"
            ) from error

    def _groups_of(self, chosen: ChosenSegments) -> "pd.Series[Any]":
        """The image or the clip of each segment, whichever is held out together."""
        images = chosen.table["image_id"]
        if self.settings.groups != "clip":
            return images
        return images.map(dict(zip(chosen.images, clip_names(chosen.images), strict=True)))


def _groups(settings: TrainMetaSettings, dataset: SegmentationDataset) -> Literal["image", "clip"]:
    """What is held out together; image where nothing of the training dataset is."""
    if settings.groups:
        return settings.groups
    if settings.dataset_val and not settings.folds:
        return "image"
    return "clip" if getattr(dataset, "video", False) else "image"


def _otherwise(settings: TrainMetaSettings) -> str:
    return (
        f"on another args.dataset_val, on held-out images of {settings.dataset} "
        "(args.dataset_val=''), or by cross-validation (args.folds=5)"
    )
