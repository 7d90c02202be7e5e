"""What the workspace holds of a network on a dataset, checked against the configuration and the predictions."""

import logging
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import pandas as pd

from oodretrieval.datasets import Sample, SegmentationDataset
from oodretrieval.errors import AllFailedError, SettingsMismatchError, StoreError, TableError
from oodretrieval.execution import progress
from oodretrieval.experiment.bare_run import BareRun
from oodretrieval.experiment.datasets import require_truth
from oodretrieval.experiment.fitted_images import SHAPE, fingerprints
from oodretrieval.experiment.provenance import provenance, require_current
from oodretrieval.experiment.settings import CommonSettings
from oodretrieval.labels import LabelSet
from oodretrieval.places import places_of
from oodretrieval.results.rules import no_classes, no_labels
from oodretrieval.stores import (
    FAILURES,
    CurrentSegments,
    Prediction,
    PredictionRecord,
    Stored,
    Workspace,
    locate_segments,
    prediction_records,
    read_failures,
    stored_prediction,
)

logger = logging.getLogger(__name__)


class StoredWork:
    """Predictions and segments of a network on a dataset, as both are configured now.

    Args:
        run: Where names are looked up, and where the work lies.
        names: Of which network on which dataset.
        common: ``root`` and ``limit`` of the dataset.
    """

    def __init__(self, run: BareRun, names: Stored, common: CommonSettings) -> None:
        self.run, self.names, self.common = run, names, common
        self._folder = run.workspace.prediction_folder(names)
        self._segments: CurrentSegments | None = None
        self._said: set[str] = set()

    def for_others(self) -> "StoredWork":
        """The same, for processes that were started elsewhere: the workspace by its absolute path, nothing read yet."""
        common = replace(self.common, engine="processes", num_cores=1)
        return StoredWork(self.run.for_others(), self.names, common)

    @property
    def workspace(self) -> Workspace:
        """Where the work lies."""
        return self.run.workspace

    @cached_property
    def dataset(self) -> SegmentationDataset:
        """The dataset, with ``args.root`` and ``args.limit`` applied."""
        return self.run.dataset(self.names.dataset, self.common)

    @cached_property
    def _places(self) -> dict[str, int]:
        return places_of(self.dataset.ids)

    def sample(self, image: str) -> Sample:
        """An image of the dataset, with its truth.

        Args:
            image: Its id.

        Returns:
            The sample.

        Raises:
            StoreError: If the dataset has no such image any more.
            ImageError: If it cannot be read.
        """
        if image not in self._places:
            raise StoreError(f"dataset {self.names.dataset!r} has no image {image!r} any more")
        return self.dataset[self._places[image]]

    @cached_property
    def provenance(self) -> dict[str, Any]:
        """What identifies work of this network on this dataset now."""
        return provenance(self.run.configuration, self.names, self.common)

    def require_truth(self) -> LabelSet:
        """The dataset's labels.

        Raises:
            TableError: If it has none.
        """
        return require_truth(self.dataset, self.names.dataset)

    def require_classes(self) -> LabelSet:
        """The dataset's labels, which name classes of the network.

        Raises:
            TableError: If it has none, or they only distinguish known from unknown things.
        """
        label_set = self.require_truth()
        if not label_set.pred_mapping:
            raise TableError(no_classes(self.names.dataset))
        return label_set

    def predicted(self, images: Sequence[str] | None = None) -> list[str]:
        """Those of the images that have a prediction; says how many have none.

        Args:
            images: Ids of the images; None for all of the dataset.

        Returns:
            Their ids, in the same order.

        Raises:
            StoreError: If none has.
        """
        ids = self.dataset.ids if images is None else images
        there = [image for image in ids if self.workspace.prediction_path(self.names, image).is_file()]
        if not there:
            raise StoreError(
                f"no predictions of {self.names.model} on {self.names.dataset} in {self.workspace.path}; run "
                f"scripts/pred_images.py with {self.names.arguments} first"
            )
        if len(there) < len(ids):
            out = set(ids) - set(there)
            failed = sum(failure.image_id in out for failure in read_failures(self._folder))
            why = f"; {failed} of them failed, as {self._folder / FAILURES} says" if failed else ""
            logger.warning("%d of %d images have no prediction and are left out%s", len(out), len(ids), why)
        return there

    def records(self, images: Sequence[str]) -> dict[str, PredictionRecord]:
        """What the predictions of images say of themselves, if they were made alike, and by what is configured now.

        Args:
            images: Ids of the images.

        Returns:
            Id → record, of those that have a prediction.

        Raises:
            StoreError: If they were made with different settings.
            SettingsMismatchError: If another network, other weights or another dataset made them.
        """
        records = prediction_records(self.workspace, self.names, images, self._say_once)
        for record in list(records.values())[:1]:  # all are alike
            require_current(self._folder, record.settings, self.provenance)
        return records

    def _say_once(self, damaged: StoreError) -> None:
        if str(damaged) not in self._said:
            self._said.add(str(damaged))
            logger.warning("%s", damaged)

    def why_unread(self, image: str) -> str:
        """Why :meth:`records` left an image out.

        Args:
            image: Its id.

        Returns:
            The reason.
        """
        try:
            self.prediction(image)
        except StoreError as error:
            return str(error)
        return "it has no prediction"

    def all_failed(self, stage: str, failures: Mapping[str, str]) -> AllFailedError:
        """What a stage raises where it could read not one image.

        Args:
            stage: Its name.
            failures: Image id → reason, of all images.

        Returns:
            The error, which names dataset and folder.
        """
        again = f"mend the files and run scripts/pred_images.py with {self.names.arguments} again"
        where = f"dataset {self.names.dataset!r} (predictions in {self._folder})"
        return AllFailedError(stage, where, failures, again)

    def made_by(self, images: Sequence[str]) -> dict[str, Any]:
        """What made these predictions, inference included; see :meth:`records`.

        Args:
            images: Ids of the images.

        Returns:
            Name of a setting → its value.
        """
        records = self.records(images)
        return next((dict(record.settings) for record in records.values()), self.provenance)

    def prediction(self, image: str, made_by: Mapping[str, Any] | None = None) -> Prediction:
        """The prediction of one image.

        Args:
            image: Its id.
            made_by: What :meth:`made_by` said of all that are read; None for what is configured now, whatever the
                inference.

        Returns:
            The prediction.

        Raises:
            StoreError: If there is none, it is damaged, or the image was replaced since.
            SettingsMismatchError: If it was made with other settings.
        """
        prediction = stored_prediction(self.workspace, self.names, image)
        require_current(f"the prediction of {image}", prediction.settings, made_by or self.provenance)
        return prediction

    def predictions(
        self,
        images: Sequence[str],
        doing: str,
        *,
        with_truth: bool = False,
        failures: MutableMapping[str, str] | None = None,
    ) -> Iterator[Prediction]:
        """Read the predictions of images, each once, checked to be current and made alike.

        Args:
            images: Ids of the images, as :meth:`predicted` gives them.
            doing: What they are read for, next to the progress bar.
            with_truth: Leave out those without labels.
            failures: Gets image id → reason of those that cannot be read, which are left out; where it is not given,
                the first of them is an error.

        Yields:
            The predictions, in the order of ``images``.

        Raises:
            StoreError: If they were made with different settings, or one cannot be read.
            SettingsMismatchError: If another network, other weights or another dataset made them.
            TableError: If truth is needed, and none of those that could be read has any.
        """
        made_by = self.made_by(images)
        read = used = 0
        for image in progress(images, desc=doing, unit="image"):
            try:
                prediction = self.prediction(image, made_by)
            except SettingsMismatchError:
                raise
            except StoreError as error:
                if failures is None:
                    raise
                failures[image] = str(error)
                continue
            read += 1
            if not with_truth or prediction.labels is not None:
                used += 1
                yield prediction
        if read and not used:
            raise TableError(no_labels(self.names.dataset))

    def segments(self) -> CurrentSegments:
        """The segments of the dataset's images, as the network and the predictions are now.

        Returns:
            Where they are; of the dataset's images only, in its order. They are looked for once.

        Raises:
            StoreError: If there is no table, or predictions are newer than it.
            SettingsMismatchError: If it was made with another network, weights, dataset or other inference.
        """
        self._segments = self._segments or self._located()
        return self._segments

    def _located(self) -> CurrentSegments:
        found = locate_segments(self.workspace, self.names, self.dataset.ids, self._say_once)
        require_current(self.workspace.segments_folder(self.names), found.settings, self.provenance)
        if found.missing:
            logger.warning(
                "%d predicted images have no segments, e.g. %s, and are left out; run scripts/%s.py with %s",
                len(found.missing),
                found.missing[0],
                "pred_images" if found.settings.get("keep") == "nothing" else "compute_metrics",
                self.names.arguments,
            )
        return found

    def table(self) -> pd.DataFrame:
        """The table of :meth:`segments`, whole: one row per segment, in the order of the dataset's images."""
        return self.segments().read()

    @cached_property
    def fingerprints(self) -> dict[str, str]:
        """Id of each image that has segments → their fingerprint."""
        return fingerprints(self.segments().tables(["image_id", *SHAPE]))
