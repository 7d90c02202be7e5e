"""What evaluations share: a network on a dataset with truth, the rules of measuring, and how a result is saved."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from oodretrieval.charts.saving import Picture, save_pictures
from oodretrieval.datasets import SegmentationDataset
from oodretrieval.experiment.context import measured_on
from oodretrieval.experiment.evaluation_settings import EvaluationSettings
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import CommonSettings
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.labels import LabelSet
from oodretrieval.results.result import Context, Result, result_folder, save_result
from oodretrieval.results.rules import Resampling, scene_notes, void_rule


class SettingsOfEvaluation(Protocol):
    """What the settings of every evaluation of a network on a dataset have."""

    @property
    def dataset(self) -> str:
        """Name of the dataset."""

    @property
    def model_name(self) -> str:
        """Name of the network."""

    @property
    def evaluation(self) -> EvaluationSettings:
        """Resampling, and the folder of the result."""

    @property
    def common(self) -> CommonSettings:
        """``root`` and ``limit`` of the dataset."""


@dataclass(frozen=True, eq=False)
class Evaluated:
    """A network on a dataset with truth.

    Attributes:
        run: Configuration and workspace.
        work: The predictions and segments of the network.
        label_set: What the labels mean.
        resampling: How images are resampled for intervals.
        folder: Where the result goes.
    """

    run: Run
    work: StoredWork
    label_set: LabelSet
    resampling: Resampling
    folder: Path

    @classmethod
    def of(cls, settings: SettingsOfEvaluation, run: Run, *, classes: bool = False) -> "Evaluated":
        """What settings name.

        Args:
            settings: Of an evaluation.
            run: Configuration and workspace.
            classes: Whether the truth must name classes of the network, not only distinguish known from unknown things.

        Returns:
            Network and dataset; no prediction is read yet.

        Raises:
            UnknownNameError: If there is no such dataset.
            DatasetError: If it cannot be opened.
            TableError: If it has no truth, or none of classes.
        """
        work = run.stored(settings.model_name, settings.dataset, settings.common)
        return cls.on(work, run, settings.evaluation, classes=classes)

    @classmethod
    def on(
        cls, work: StoredWork, run: Run, options: EvaluationSettings, *, classes: bool = False
    ) -> "Evaluated":
        """What stored work is evaluated by.

        Args:
            work: Of which network on which dataset.
            run: Configuration and workspace.
            options: Resampling, and the folder of the result.
            classes: As for :meth:`of`.

        Returns:
            Network and dataset; no prediction is read yet.

        Raises:
            DatasetError: If the dataset cannot be opened.
            TableError: If it has no truth, or none of classes.
        """
        label_set = work.require_classes() if classes else work.require_truth()
        resampling = options.resampling(work.dataset)
        return cls(run, work, label_set, resampling, result_folder(run.workspace.path, options.save_dir))

    @property
    def dataset(self) -> SegmentationDataset:
        """The images."""
        return self.work.dataset

    @property
    def scene_notes(self) -> tuple[str, ...]:
        """A sentence where all images are of one clip."""
        return scene_notes(self.dataset)

    def context(
        self, images: int, resolution: str, *, rule: str = "", threshold: str = "", meta_model: str = ""
    ) -> Context:
        """The rules that a result was measured by.

        Args:
            images: Number of images that were evaluated.
            resolution: At which size pixels are compared.
            rule: What else is left out or counted, after the rule of what is void.
            threshold: How thresholds were chosen.
            meta_model: Name of the meta model; empty where none took part.

        Returns:
            The rules.
        """
        names = self.work.names
        return measured_on(
            self.run,
            [names.dataset],
            names.model,
            images=images,
            void_rule="; ".join(filter(None, (void_rule(self.label_set), rule))),
            resolution=resolution,
            threshold=threshold,
            intervals=self.resampling.words(images),
            meta_model=meta_model,
        )

    def save(self, result: Result, pictures: Iterable[Picture] = ()) -> list[str]:
        """Save a result in the folder of this evaluation; see :func:`save_evaluation`.

        Args:
            result: What was measured.
            pictures: What is drawn of it.

        Returns:
            The files written.

        Raises:
            StoreError: If a file cannot be written.
        """
        return save_evaluation(self.folder, result, pictures)


def save_evaluation(folder: Path, result: Result, pictures: Iterable[Picture] = ()) -> list[str]:
    """Save a result with its pictures.

    Args:
        folder: Where to; made where missing.
        result: The evaluation.
        pictures: What is drawn of it, saved one after the other.

    Returns:
        The files written: JSON, Markdown, tables, pictures.

    Raises:
        StoreError: If a file cannot be written.
    """
    saved = save_pictures(folder, result.stem, pictures)
    return [str(path) for path in save_result(folder, replace(result, pictures=saved))]
