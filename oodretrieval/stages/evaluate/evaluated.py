"""What evaluations share: a network on a dataset with truth, the rules of measuring, and how a result is saved."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from oodretrieval.charts.saving import Picture, save_pictures
from oodretrieval.datasets import SegmentationDataset
from oodretrieval.errors import PartialFailure
from oodretrieval.experiment.context import measured_on
from oodretrieval.experiment.evaluation_settings import EvaluationSettings
from oodretrieval.experiment.run import Run
from oodretrieval.experiment.settings import CommonSettings
from oodretrieval.experiment.stored_work import StoredWork
from oodretrieval.labels import LabelSet
from oodretrieval.results.result import Context, Result, result_folder, save_result
from oodretrieval.results.rules import Resampling, scene_notes, unread_notes, void_rule
from oodretrieval.stores import Prediction


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
        stage: Name of the evaluation.
        unread: Image id → why it could not be read: these are left out, and named at the end.
    """

    run: Run
    work: StoredWork
    label_set: LabelSet
    resampling: Resampling
    folder: Path
    stage: str
    unread: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(
        cls, settings: SettingsOfEvaluation, run: Run, stage: str, *, classes: bool = False
    ) -> "Evaluated":
        """What settings name.

        Args:
            settings: Of an evaluation.
            run: Configuration and workspace.
            stage: Name of the evaluation.
            classes: Whether the truth must name classes of the network, not only distinguish known from unknown things.

        Returns:
            Network and dataset; no prediction is read yet.

        Raises:
            UnknownNameError: If there is no such dataset.
            DatasetError: If it cannot be opened.
            TableError: If it has no truth, or none of classes.
        """
        work = run.stored(settings.model_name, settings.dataset, settings.common)
        return cls.on(work, run, settings.evaluation, stage, classes=classes)

    @classmethod
    def on(
        cls, work: StoredWork, run: Run, options: EvaluationSettings, stage: str, *, classes: bool = False
    ) -> "Evaluated":
        """What stored work is evaluated by.

        Args:
            work: Of which network on which dataset.
            run: Configuration and workspace.
            options: Resampling, and the folder of the result.
            stage: Name of the evaluation.
            classes: As for :meth:`of`.

        Returns:
            Network and dataset; no prediction is read yet.

        Raises:
            DatasetError: If the dataset cannot be opened.
            TableError: If it has no truth, or none of classes.
        """
        label_set = work.require_classes() if classes else work.require_truth()
        resampling = options.resampling(work.dataset)
        folder = result_folder(run.workspace.path, options.save_dir)
        return cls(run, work, label_set, resampling, folder, stage)

    @property
    def dataset(self) -> SegmentationDataset:
        """The images."""
        return self.work.dataset

    @property
    def scene_notes(self) -> tuple[str, ...]:
        """A sentence where all images are of one clip."""
        return scene_notes(self.dataset)

    def predictions(
        self, images: Sequence[str], doing: str, *, with_truth: bool = True
    ) -> Iterator[Prediction]:
        """Read the predictions of images; those that cannot be read go to :attr:`unread`.

        Args:
            images: Ids of the images, as :meth:`StoredWork.predicted` gives them.
            doing: What they are read for, next to the progress bar.
            with_truth: Leave out those without labels.

        Yields:
            The others, in order.

        Raises:
            SettingsMismatchError: If another network, other weights or another dataset made one.
            TableError: If truth is needed, and none of those that could be read has any.
            AllFailedError: If truth is needed, and none can be read.
        """
        left = [image for image in images if image not in self.unread]
        read = False
        for prediction in self.work.predictions(left, doing, with_truth=with_truth, failures=self.unread):
            read = True
            yield prediction
        if with_truth and images and not read and self.unread.keys() >= set(images):
            raise self.work.all_failed(self.stage, self.unread)

    def require_all_read(self) -> None:
        """End an evaluation, whose result is saved.

        Raises:
            PartialFailure: If images could not be read: all others are evaluated.
        """
        if self.unread:
            raise PartialFailure(self.stage, self.unread)

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
        """Save a result in the folder of this evaluation, with a note of what could not be read.

        Args:
            result: What was measured.
            pictures: What is drawn of it.

        Returns:
            The files written.

        Raises:
            StoreError: If a file cannot be written.
        """
        saved = save_pictures(self.folder, result.stem, pictures)
        noted = replace(result, notes=(*result.notes, *unread_notes(self.unread)), pictures=saved)
        return [str(path) for path in save_result(self.folder, noted)]


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
